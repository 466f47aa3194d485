"""The chemical elements: symbol ↔ atomic number (IUPAC, 118 elements), and covalent radii."""

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

_TABLE = """
X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se
Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy
Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf
Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""

SYMBOLS: tuple[str, ...] = tuple(_TABLE.split())
"""Symbols by atomic number; entry 0, X, is no element."""

ATOMIC_NUMBERS: Mapping[str, int] = {
    symbol: number for number, symbol in enumerate(SYMBOLS) if number
}
"""Atomic numbers by symbol."""

HIGHEST = len(SYMBOLS) - 1
"""The highest atomic number, 118."""


@cache
def covalent_radii() -> NDArray[np.float32]:
    """Return (256,) radii in Å by atomic number; 1 where there is no element.

    Source: Cordero et al., Dalton Trans. 2832, 2008, as RDKit has them.
    """
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    radii = np.ones(256, dtype=np.float32)
    for number in range(1, HIGHEST + 1):
        radii[number] = table.GetRcovalent(number)
    return radii
