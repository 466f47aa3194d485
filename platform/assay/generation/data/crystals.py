"""Batches of crystals, gathered from the memory map and padded.

Shapes: B crystals, N atoms (padded to the largest of the batch), M crystals of a data set.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.errors import ConfigError, DataError
from assay.generation.data.padding import moved, padded_rows
from assay.store.packed import PackedSet, Split
from assay.store.sets import Prepared
from assay.task import Splits


@dataclass(frozen=True)
class CrystalBatch:
    """B crystals, padded."""

    record_ids: Tensor
    """(B,) int64: index into the packed set."""
    frac_coords_BN3: Tensor
    """float32, fractions of the cell's vectors in [0, 1); padding is exactly 0."""
    lattices_B33: Tensor
    """float32 Å; the rows are a, b, c."""
    types_BN: Tensor
    """int64 index into the vocabulary; padding is 0."""
    mask_BN: Tensor
    """bool: True for atoms, False for padding."""

    def __len__(self) -> int:
        """Return B."""
        return len(self.record_ids)

    @property
    def n_atoms_B(self) -> Tensor:
        """(B,) int64 atoms of each crystal."""
        return self.mask_BN.sum(1)

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""
        return moved(self, device)


class CrystalRecords:
    """A split of a packed set, as `assay.task.Records`.

    Crystals with elements outside the vocabulary, which no model can express, are left out.
    """

    def __init__(self, packed: PackedSet, split: Split, vocabulary: tuple[int, ...]) -> None:
        self._crystals = packed.crystals
        self._type_of_number = np.full(256, -1, dtype=np.int64)
        self._type_of_number[list(vocabulary)] = np.arange(len(vocabulary))
        rows = packed.split_indices(split)
        expressible = np.ones(len(packed.ids), dtype=np.bool_)
        outside = self._type_of_number[self._crystals.numbers] < 0
        expressible[self._crystals.owner[outside]] = False
        self.left_out = int((~expressible[rows]).sum())
        """Number of crystals of the split that are."""
        self._indices = rows[expressible[rows]]
        self._starts = self._crystals.offsets[self._indices]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(len,) atoms of each crystal."""
        return self._crystals.n_atoms[self._indices]

    def __len__(self) -> int:
        """Return the number of crystals."""
        return len(self._indices)

    def batch(self, indices: NDArray[np.integer]) -> CrystalBatch:
        """Return the crystals at `indices` (B,) of the split, in that order."""
        records_B = self._indices[indices]
        rows_BN, mask_BN = padded_rows(self._starts[indices], self._crystals.n_atoms[records_B])
        return CrystalBatch(
            torch.from_numpy(records_B),
            torch.from_numpy(self._crystals.frac_coords[rows_BN] * mask_BN[..., None]),
            torch.from_numpy(self._crystals.lattices[records_B]),
            torch.from_numpy(self._type_of_number[self._crystals.numbers[rows_BN]] * mask_BN),
            torch.from_numpy(mask_BN),
        )


def holding_crystals(prepared: Prepared) -> PackedSet:
    """Return a prepared set as one of crystals.

    Raises:
        ConfigError: it holds something else.
    """
    if not isinstance(prepared, PackedSet) or "frac_coords" not in prepared.arrays:
        raise ConfigError(
            f"{prepared.name}: holds no crystals; name a set of crystals, such as mini_crystals or "
            "mp20"
        )
    return prepared


def vocabulary(packed: PackedSet) -> tuple[int, ...]:
    """Return the atomic numbers of the training split, ascending: the types, by their index.

    Raises:
        DataError: there is no training split.
    """
    numbers = np.flatnonzero(packed.train_number_counts)
    if not len(numbers):
        raise DataError(f"{packed.directory}: its training split is empty; prepare another source")
    return tuple(numbers.tolist())


def splits(packed: PackedSet) -> Splits:
    """Return the three splits of a data set, and what had to be left out of them."""
    types = vocabulary(packed)
    train = CrystalRecords(packed, "train", types)
    validation = CrystalRecords(packed, "validation", types)
    test = CrystalRecords(packed, "test", types)
    out = validation.left_out + test.left_out
    note = f"; losses leave out {out:,} with elements that training lacks" if out else ""
    return Splits(train, validation, test, packed.description + note)
