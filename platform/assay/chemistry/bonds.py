"""The bond table of the EDM protocol: bond orders from distances, and the valences they must fill.

Source: Hoogeboom et al., "Equivariant Diffusion for Molecule Generation in 3D", ICML 2022,
appendix on bond distances, and the table `bonds1/bonds2/bonds3` of its public code. Lengths are
typical ones, in pm; the margins were chosen by its authors so that QM9 itself scores highest.

One departure, without effect on H, C, N, O and F: the public table gives the C=S length for the
pair (C, S) but not for (S, C), so that its answer depends on the order of atoms. Here it holds
for both.

Shapes: Z atomic numbers 0…118, V valences 0…`MAX_VALENCE`, P pairs of atoms.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.elements import ATOMIC_NUMBERS, HIGHEST

MARGINS_PM: tuple[float, float, float] = (10.0, 5.0, 3.0)
"""Added to the single, double and triple bond lengths, pm."""

MAX_VALENCE = 6
"""Sums of bond orders above any allowed valence are counted as this."""

_SINGLE_PM = {
    "H": "H 74 B 119 C 109 N 101 O 96 F 92 Si 148 P 144 S 134 Cl 127 As 152 Br 141 I 161",
    "B": "Cl 175",
    "C": "C 154 N 147 O 143 F 135 Si 185 P 184 S 182 Cl 177 Br 194 I 214",
    "N": "N 145 O 140 F 136 P 177 S 168 Cl 175 Br 214 I 222",
    "O": "O 148 F 142 Si 163 P 163 S 151 Cl 164 Br 172 I 194",
    "F": "F 142 Si 160 P 156 S 158 Cl 166 Br 178 I 187",
    "Si": "Si 233 S 200 Cl 202 Br 215 I 243",
    "P": "P 221 S 210 Cl 203 Br 222",
    "S": "S 204 Cl 207 Br 225 I 234",
    "Cl": "Cl 199 Br 214",
    "Br": "Br 228",
    "I": "I 266",
}
_DOUBLE_PM = {
    "C": "C 134 N 129 O 120 S 160",
    "N": "N 125 O 121",
    "O": "O 121 P 150",
    "P": "S 186",
}
_TRIPLE_PM = {"C": "C 120 N 116 O 113", "N": "N 110"}

_VALENCES = {
    "H": (1,),
    "B": (3,),
    "C": (4,),
    "N": (3,),
    "O": (2,),
    "F": (1,),
    "Al": (3,),
    "Si": (4,),
    "P": (3, 5),
    "S": (4,),
    "Cl": (1,),
    "As": (3,),
    "Br": (1,),
    "I": (1,),
    "Hg": (1, 2),
    "Bi": (3, 5),
}


def _lengths(table: Mapping[str, str]) -> NDArray[np.float32]:
    """Return (Z, Z) lengths in pm, symmetric; -inf where the table has no bond."""
    lengths_ZZ = np.full((HIGHEST + 1, HIGHEST + 1), -np.inf, dtype=np.float32)
    for first, row in table.items():
        words = row.split()
        for second, length in zip(words[::2], words[1::2], strict=True):
            a, b = ATOMIC_NUMBERS[first], ATOMIC_NUMBERS[second]
            lengths_ZZ[a, b] = lengths_ZZ[b, a] = float(length)
    return lengths_ZZ


def _allowed(table: Mapping[str, tuple[int, ...]]) -> NDArray[np.bool_]:
    allowed_ZV = np.zeros((HIGHEST + 1, MAX_VALENCE + 1), dtype=bool)
    for symbol, valences in table.items():
        allowed_ZV[ATOMIC_NUMBERS[symbol], list(valences)] = True
    return allowed_ZV


LENGTHS_PM: NDArray[np.float32] = np.stack(
    [_lengths(table) for table in (_SINGLE_PM, _DOUBLE_PM, _TRIPLE_PM)]
)
"""(3, Z, Z): single, double and triple bond lengths, pm; -inf where there is none."""

THRESHOLDS_PM: NDArray[np.float32] = LENGTHS_PM + np.asarray(MARGINS_PM, np.float32)[:, None, None]
"""(3, Z, Z): a pair that is closer than this, in pm, has at least a bond of this order."""

ALLOWED_VALENCES: NDArray[np.bool_] = _allowed(_VALENCES)
"""(Z, V): whether an element may have this sum of bond orders. Ions are not provided for."""


def bond_orders(
    first: NDArray[np.integer], second: NDArray[np.integer], distances: NDArray[np.float32]
) -> NDArray[np.int8]:
    """Look up the bond order (0, 1, 2 or 3) of each pair of atoms.

    Each higher order has a shorter threshold, so the order is the number of thresholds that lie
    strictly above the distance. Arithmetic is float32, as in the public code (see
    docs/protocols.md on what that decides at the margin). A distance that is NaN is no bond.

    Args:
        first: (P,) atomic numbers.
        second: (P,) atomic numbers.
        distances: (P,) float32, Å.
    """
    thresholds_3P = THRESHOLDS_PM[:, first, second]
    return (distances * np.float32(100) < thresholds_3P).sum(axis=0, dtype=np.int8)
