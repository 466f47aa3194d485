"""How much energy a sampled geometry holds above the nearest minimum of a force field."""

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdForceFieldHelpers

from assay.chemistry.molecules import Molecules
from assay.generation.metrics.conformers import conformers, tractable
from assay.generation.metrics.edm_strict import connected, exact_valences
from assay.generation.metrics.parallel import spread

_STEPS = 2000
"""Of the minimiser at most: a molecule of QM9 needs some hundred."""

_MOLECULES_AT_ONCE = 100


def strain_energies(molecules: Molecules, processes: int = 1) -> NDArray[np.float64]:
    """Return (M,) MMFF94 energy of each molecule less that of its relaxed geometry, kcal/mol.

    The relaxed geometry is the minimum downhill from it, not the lowest of all. NaN stands for a
    molecule without an energy: not strictly valid (`edm_strict`), or with an atom that MMFF94 has
    no type for. Source: Halgren, J. Comput. Chem. 17 (1996) 490; Tosco, Stiefl, Landrum,
    J. Cheminf. 6 (2014) 37.
    """
    energies = np.full(len(molecules), np.nan)
    valid = connected(molecules) & exact_valences(molecules)
    strict = np.flatnonzero(valid & tractable(molecules))
    cuts = range(_MOLECULES_AT_ONCE, len(strict), _MOLECULES_AT_ONCE)
    parts = [molecules.select(rows) for rows in np.split(strict, cuts)]
    energies[strict] = spread(_strains, parts, processes)
    return energies


def _strains(molecules: Molecules) -> list[float]:
    with rdBase.BlockLogs():
        return [np.nan if one is None else _strain(one) for one in conformers(molecules)]


def _strain(molecule: Chem.Mol) -> float:
    try:
        Chem.SanitizeMol(molecule)
        properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(molecule)
        if properties is None:
            return np.nan
        field = rdForceFieldHelpers.MMFFGetMoleculeForceField(molecule, properties)
        before = field.CalcEnergy()
        field.Minimize(maxIts=_STEPS)
        return before - field.CalcEnergy()
    except (ValueError, RuntimeError):  # RDKit's refusals
        return np.nan
