"""Batches of molecules, gathered from the memory map in one step and padded.

Shapes: B molecules, N atoms (padded to the largest of the batch), M molecules of a data set.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.errors import DataError
from assay.store.packed import PackedSet, Split
from assay.task import Splits

VOCABULARY = (1, 6, 7, 8, 9)
"""Atomic numbers of the atom types, in the order of their indices: H C N O F."""

_UNKNOWN = -1
_TYPE_OF_NUMBER = np.full(256, _UNKNOWN, dtype=np.int64)
_TYPE_OF_NUMBER[list(VOCABULARY)] = np.arange(len(VOCABULARY))


@dataclass(frozen=True)
class MoleculeBatch:
    """B molecules, padded."""

    record_ids: Tensor
    """(B,) int64: index into the packed set."""
    positions_BN3: Tensor
    """float32 Å, centred on the mean of each molecule's atoms; padding is exactly 0."""
    types_BN: Tensor
    """int64 index into VOCABULARY; padding is 0."""
    mask_BN: Tensor
    """bool: True for atoms, False for padding."""

    def __len__(self) -> int:
        """Return B."""
        return len(self.record_ids)

    @property
    def n_atoms_B(self) -> Tensor:
        """(B,) int64 atoms of each molecule."""
        return self.mask_BN.sum(1)

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""
        return replace(
            self,
            record_ids=self.record_ids.to(device, non_blocking=True),
            positions_BN3=self.positions_BN3.to(device, non_blocking=True),
            types_BN=self.types_BN.to(device, non_blocking=True),
            mask_BN=self.mask_BN.to(device, non_blocking=True),
        )


class MoleculeRecords:
    """A split of a packed set, as `assay.task.Records`."""

    def __init__(self, packed: PackedSet, split: Split) -> None:
        self._positions = packed.molecules.positions
        self._numbers = packed.molecules.numbers
        self._records = packed.split_indices(split)
        self._starts = packed.molecules.offsets[self._records]
        self._n_atoms = packed.molecules.n_atoms[self._records]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(len,) atoms of each molecule."""
        return self._n_atoms

    def __len__(self) -> int:
        """Return the number of molecules."""
        return len(self._records)

    def batch(self, indices: NDArray[np.integer]) -> MoleculeBatch:
        """Return the molecules at `indices` (B,) of the split, in that order."""
        n_atoms_B1 = self._n_atoms[indices, None]
        column_N = np.arange(n_atoms_B1.max())
        mask_BN = column_N < n_atoms_B1
        # Padding reads the molecule's own first atom, which the mask then clears.
        rows_BN = self._starts[indices, None] + column_N * mask_BN
        positions_BN3 = self._positions[rows_BN] * mask_BN[..., None]
        mean_B13 = positions_BN3.sum(1, keepdims=True) / n_atoms_B1[..., None].astype(np.float32)
        positions_BN3 = (positions_BN3 - mean_B13) * mask_BN[..., None]
        types_BN = _TYPE_OF_NUMBER[self._numbers[rows_BN]] * mask_BN
        return MoleculeBatch(
            torch.from_numpy(self._records[indices]),
            torch.from_numpy(positions_BN3),
            torch.from_numpy(types_BN),
            torch.from_numpy(mask_BN),
        )


def splits(packed: PackedSet) -> Splits:
    """Return the three splits of a packed set.

    Raises:
        DataError: an atom is not in the vocabulary; the sentence names its record.
    """
    outside = np.flatnonzero(_TYPE_OF_NUMBER[packed.molecules.numbers] == _UNKNOWN)
    if len(outside):
        record = np.searchsorted(packed.molecules.offsets, outside[0], side="right") - 1
        raise DataError(
            f"{packed.directory}: record {packed.ids[record]}: atomic number "
            f"{packed.molecules.numbers[outside[0]]} is not in the vocabulary H C N O F; "
            f"leave such molecules out"
        )
    return Splits(
        MoleculeRecords(packed, "train"),
        MoleculeRecords(packed, "validation"),
        MoleculeRecords(packed, "test"),
        packed.description,
    )


def size_histogram(
    packed: PackedSet, split: Split
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the numbers of atoms that occur in a split, ascending, and their shares."""
    sizes, counts = np.unique(
        packed.molecules.n_atoms[packed.split_indices(split)], return_counts=True
    )
    return sizes, counts / counts.sum()
