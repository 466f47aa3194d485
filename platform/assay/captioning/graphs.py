"""Molecular graphs: SMILES -> integer codes of atoms and bonds, packed, and batches of them.

    offsets.npy (M + 1,) int64, atoms' rows          atoms.npy (ΣN, A) uint8
    bond_offsets.npy (M + 1,) int64, bonds' rows     bonds.npy (ΣE, 2) int32, atoms of the molecule
    bond_features.npy (ΣE, G) uint8

A graph is that of the molecule's canonical SMILES, so that however it was written, its graph is the
same. Chirality is told by CIP labels, not by RDKit's tags: a tag says clockwise in the order in
which the neighbours happen to be written, and of two symmetric centres one is tagged CW and the
other CCW in both enantiomers; a label (R clockwise, S counterclockwise, by priority) is of the
molecule itself. A centre that is left without a label counts as other.

Shapes: M molecules, N atoms, E bonds, B molecules of a batch, M2 = 2E directed edges of a batch,
A features of an atom, G features of a bond.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.captioning.cip import assign_labels
from assay.chemistry.packing import offsets_of, rows_of

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Bond, Mol

ARRAYS = ("offsets", "atoms", "bond_offsets", "bonds", "bond_features")


@dataclass(frozen=True)
class Feature:
    """A property whose values are told apart; what is none of them is other."""

    name: str
    values: tuple[Any, ...]

    @property
    def size(self) -> int:
        """Return the number of codes, other included."""
        return len(self.values) + 1

    @property
    def other(self) -> int:
        """Return the code of a value that is not listed."""
        return len(self.values)

    @cached_property
    def _codes(self) -> Mapping[Any, int]:
        return {value: code for code, value in enumerate(self.values)}

    def code(self, value: Any) -> int:
        """Return the code of a value."""
        return self._codes.get(value, self.other)


ATOM_FEATURES = (
    Feature("element", tuple(range(1, 119))),  # other: a dummy atom, *
    Feature("degree", tuple(range(7))),
    Feature("charge", tuple(range(-4, 5))),
    Feature("hydrogens", tuple(range(5))),
    Feature("hybridization", ("S", "SP", "SP2", "SP3", "SP2D", "SP3D", "SP3D2")),
    Feature("aromatic", (False, True)),
    Feature("in_ring", (False, True)),
    Feature("chirality", ("none", "R", "S", "r", "s")),  # other: stereogenic without a label
    Feature("radical_electrons", tuple(range(4))),
    Feature("isotope", (0, 2, 3, 11, 13, 14, 15, 18)),  # 0: not stated
)
BOND_FEATURES = (
    Feature("type", ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC", "DATIVE")),
    Feature("stereo", ("none", "E", "Z", "e", "z")),  # other: an axis, or without a label
    Feature("conjugated", (False, True)),
    Feature("in_ring", (False, True)),
    Feature("direction", ("NONE", "ENDUPRIGHT", "ENDDOWNRIGHT")),
)
DIRECTION = [feature.name for feature in BOND_FEATURES].index("direction")
_REVERSED = np.array([0, 2, 1, 3], np.uint8)
"""Of codes of direction: a/b read from its end is b\\a."""


def parse(smiles: str) -> "Mol | None":
    """Return the molecule in its canonical order of atoms, or None where SMILES do not parse."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():  # the caller says which record it is
        written = Chem.MolFromSmiles(smiles)
        if written is None or written.GetNumAtoms() == 0:
            return None
        return Chem.MolFromSmiles(Chem.MolToSmiles(written))


def pack_graphs(molecules: Iterable["Mol"]) -> dict[str, NDArray]:
    """Return the arrays of the graphs of molecules that `parse` returned."""
    atoms, bonds, features = [], [], []
    for molecule in molecules:
        its_atoms, its_bonds = list(molecule.GetAtoms()), list(molecule.GetBonds())
        assign_labels(molecule, [*its_atoms, *its_bonds])
        atoms.append([_atom_codes(atom) for atom in its_atoms])
        bonds.append([(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in its_bonds])
        features.append([_bond_codes(bond) for bond in its_bonds])
    return {
        "offsets": offsets_of(np.array([len(rows) for rows in atoms], np.int64)),
        "atoms": _rows(atoms, len(ATOM_FEATURES)).astype(np.uint8),
        "bond_offsets": offsets_of(np.array([len(rows) for rows in bonds], np.int64)),
        "bonds": _rows(bonds, 2),
        "bond_features": _rows(features, len(BOND_FEATURES)).astype(np.uint8),
    }


@dataclass(frozen=True)
class GraphBatch:
    """B molecules as one graph of several components, as PyG's layers take it."""

    atoms_NA: Tensor
    """uint8: codes of `ATOM_FEATURES`."""
    edges_2M: Tensor
    """int64: each bond in both directions, as PyG's edge_index."""
    bonds_MG: Tensor
    """uint8: codes of `BOND_FEATURES`, seen along the edge."""
    molecule_N: Tensor
    """int64, ascending: which molecule of the batch an atom belongs to."""
    place_N: Tensor
    """int64: an atom's place in its molecule."""
    size: int
    """B."""

    def __len__(self) -> int:
        """Return B."""
        return self.size

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""
        names = ("atoms_NA", "edges_2M", "bonds_MG", "molecule_N", "place_N")
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in names}
        return replace(self, **moved)


class Graphs:
    """M packed graphs, of which batches are made without a loop over atoms or molecules."""

    def __init__(self, arrays: Mapping[str, NDArray]) -> None:
        """Read the arrays of `pack_graphs`, which may be memory-mapped."""
        self._arrays = arrays
        self.n_atoms = np.diff(arrays["offsets"])
        """(M,) of each molecule."""
        self._n_bonds = np.diff(arrays["bond_offsets"])

    @classmethod
    def of(cls, smiles: Sequence[str]) -> Self:
        """Return the graphs of a few SMILES.

        Raises:
            ValueError: one does not parse.
        """
        molecules = [parse(one) for one in smiles]
        for one, molecule in zip(smiles, molecules, strict=True):
            if molecule is None:
                raise ValueError(f"{one!r} does not parse")
        return cls(pack_graphs(molecule for molecule in molecules if molecule is not None))

    def __len__(self) -> int:
        """Return M."""
        return len(self.n_atoms)

    def batch(self, records: NDArray[np.integer]) -> GraphBatch:
        """Return the graphs at `records` (B,), in that order."""
        records = np.asarray(records, np.int64)
        n_atoms, n_bonds = self.n_atoms[records], self._n_bonds[records]
        atom_rows = rows_of(self.n_atoms, records)
        bond_rows = rows_of(self._n_bonds, records)
        first = offsets_of(n_atoms)[:-1]
        bonds_E2 = self._arrays["bonds"][bond_rows] + np.repeat(first, n_bonds)[:, None]
        along_EG = self._arrays["bond_features"][bond_rows]
        against_EG = along_EG.copy()
        against_EG[:, DIRECTION] = _REVERSED[along_EG[:, DIRECTION]]
        return GraphBatch(
            atoms_NA=torch.from_numpy(self._arrays["atoms"][atom_rows]),
            edges_2M=torch.from_numpy(np.concatenate([bonds_E2, bonds_E2[:, ::-1]]).T.copy()),
            bonds_MG=torch.from_numpy(np.concatenate([along_EG, against_EG])),
            molecule_N=torch.from_numpy(np.repeat(np.arange(len(records)), n_atoms)),
            place_N=torch.from_numpy(np.arange(n_atoms.sum()) - np.repeat(first, n_atoms)),
            size=len(records),
        )


def _atom_codes(atom: "Atom") -> tuple[int, ...]:
    values = (
        atom.GetAtomicNum(),
        atom.GetDegree(),
        atom.GetFormalCharge(),
        atom.GetTotalNumHs(),
        atom.GetHybridization().name,
        atom.GetIsAromatic(),
        atom.IsInRing(),
        _stereo(atom, atom.GetChiralTag().name == "CHI_UNSPECIFIED"),
        atom.GetNumRadicalElectrons(),
        atom.GetIsotope(),
    )
    return tuple(f.code(value) for f, value in zip(ATOM_FEATURES, values, strict=True))


def _bond_codes(bond: "Bond") -> tuple[int, ...]:
    values = (
        bond.GetBondType().name,
        _stereo(bond, bond.GetStereo().name == "STEREONONE"),
        bond.GetIsConjugated(),
        bond.IsInRing(),
        bond.GetBondDir().name,
    )
    return tuple(f.code(value) for f, value in zip(BOND_FEATURES, values, strict=True))


def _stereo(part: "Atom | Bond", is_none: bool) -> str:
    if part.HasProp("_CIPCode"):
        return part.GetProp("_CIPCode")
    return "none" if is_none else "without a label"


def _rows(found: list[list[tuple[int, ...]]], width: int) -> NDArray[np.int32]:
    return np.array([row for rows in found for row in rows], np.int32).reshape(-1, width)
