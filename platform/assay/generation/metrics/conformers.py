"""RDKit molecules with the sampled coordinates, their bonds looked up as in `edm`."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from assay.chemistry.molecules import Molecules
from assay.generation.metrics import edm

MOST_ATOMS = 250
"""Of a molecule whose energy is asked for: of more, it would take hours."""

MOST_NEIGHBOURS = 6
"""Of an atom: no valence allows more. In a heap of atoms RDKit would look for rings for ever."""


def tractable(molecules: Molecules) -> NDArray[np.bool_]:
    """Return (M,) which molecules may be given to what takes long for large ones and for heaps."""
    bonds = edm.bond_orders(molecules)
    ends = np.concatenate([bonds.first, bonds.second])
    crowded_A = np.bincount(ends, minlength=len(molecules.numbers)) > MOST_NEIGHBOURS
    owner_A = np.repeat(np.arange(len(molecules)), molecules.n_atoms)
    heaped_M = np.bincount(owner_A[crowded_A], minlength=len(molecules)) > 0
    return (molecules.n_atoms <= MOST_ATOMS) & ~heaped_M


def conformers(molecules: Molecules) -> list[Chem.Mol | None]:
    """Return each molecule as it was sampled, not sanitised; no hydrogen is ever implied.

    None stands for one without atoms, or with a coordinate that is not finite.
    """
    offsets = molecules.offsets
    found: list[Chem.Mol | None] = []
    for k, graph in enumerate(edm.graphs(molecules)):
        positions_N3 = molecules.positions[offsets[k] : offsets[k + 1]]
        found.append(None if graph is None else _conformer(*graph, positions_N3))
    return found


def _conformer(
    numbers: Sequence[int], edges: Iterable[edm.Edge], positions_N3: NDArray[np.float32]
) -> Chem.Mol:
    molecule = Chem.RWMol()
    for number in numbers:
        atom = Chem.Atom(number)
        atom.SetNoImplicit(True)
        molecule.AddAtom(atom)
    for first, second, kind in edges:
        molecule.AddBond(first, second, kind)
    conformer = Chem.Conformer(len(numbers))
    conformer.SetPositions(positions_N3.astype(np.float64))
    molecule.AddConformer(conformer)
    return molecule.GetMol()
