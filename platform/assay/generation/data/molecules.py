"""Batches of molecules, gathered from the memory map or from shards, and padded.

Shapes: B molecules, N atoms (padded to the largest of the batch), M molecules of a data set.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.chemistry.molecules import Molecules
from assay.errors import ConfigError, DataError
from assay.generation.data.padding import moved, padded_rows
from assay.store.packed import PackedSet, Split
from assay.store.sets import Prepared
from assay.store.shards import ShardedSet
from assay.store.shards_window import ShardWindow
from assay.task import Splits
from assay.training.order import WINDOW

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
        return moved(self, device)


class MoleculeRecords:
    """A split of a packed set, as `assay.task.Records`."""

    def __init__(self, packed: PackedSet, split: Split) -> None:
        rows = packed.split_indices(split)
        self._molecules = packed.molecules
        self._records = packed.records[rows]
        self._starts = packed.molecules.offsets[rows]
        self._n_atoms = packed.molecules.n_atoms[rows]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(len,) atoms of each molecule."""
        return self._n_atoms

    def __len__(self) -> int:
        """Return the number of molecules."""
        return len(self._records)

    def batch(self, indices: NDArray[np.integer]) -> MoleculeBatch:
        """Return the molecules at `indices` (B,) of the split, in that order."""
        chosen = self._records[indices]
        return _padded(self._molecules, self._starts[indices], self._n_atoms[indices], chosen)


class ShardedMolecules:
    """The training split of a sharded set, as `assay.training.order.BlockRecords`."""

    def __init__(self, sharded: ShardedSet) -> None:
        self.window = ShardWindow(sharded, WINDOW)
        self._set = sharded

    @property
    def lengths(self) -> NDArray[np.integer]:
        """(len,) atoms of each molecule."""
        return self._set.train_lengths

    @property
    def blocks(self) -> NDArray[np.int64]:
        """(S,) molecules of each shard."""
        return self._set.blocks

    def __len__(self) -> int:
        """Return the number of molecules."""
        return int(self.blocks.sum())

    def follow(self, upcoming: Iterator[int]) -> None:
        """Hear in which sequence shards will be needed."""
        self.window.follow(upcoming)

    def batch(self, indices: NDArray[np.integer]) -> MoleculeBatch:
        """Return the molecules at `indices` (B,) of the split, in that order.

        Raises:
            DataError: a shard is missing or damaged.
        """
        records_B = np.empty(len(indices), dtype=np.int64)
        gathered: list[Molecules] = []
        places: list[NDArray[np.int64]] = []
        for shard, rows, where in self.window.parts(indices):
            records_B[where] = shard.records[rows]
            gathered.append(shard.molecules.select(rows))
            places.append(where)
        molecules = Molecules(
            np.concatenate([part.positions for part in gathered]),
            np.concatenate([part.numbers for part in gathered]),
            np.concatenate([part.n_atoms for part in gathered]),
        )
        back = np.argsort(np.concatenate(places))
        return _padded(molecules, molecules.offsets[back], molecules.n_atoms[back], records_B)


def holding_molecules(prepared: Prepared) -> Prepared:
    """Return a prepared set as one of molecules.

    Raises:
        ConfigError: it holds something else.
    """
    if isinstance(prepared, PackedSet) and "positions" not in prepared.arrays:
        raise ConfigError(
            f"{prepared.name}: holds no molecules in space; the generation family needs a set of "
            "molecules, such as mini or qm9"
        )
    return prepared


def splits(data: Prepared) -> Splits:
    """Return the three splits of a data set.

    Raises:
        DataError: an atom is not in the vocabulary; the sentence names its record.
    """
    packed = data if isinstance(data, PackedSet) else data.kept
    _require_vocabulary(packed)
    if isinstance(data, PackedSet):
        train = MoleculeRecords(packed, "train")
    else:
        _require_vocabulary_of_shards(data)
        train = ShardedMolecules(data)
    return Splits(
        train,
        MoleculeRecords(packed, "validation"),
        MoleculeRecords(packed, "test"),
        data.description,
    )


def _padded(
    molecules: Molecules,
    starts_B: NDArray[np.int64],
    n_atoms_B: NDArray[np.int64],
    records_B: NDArray[np.int64],
) -> MoleculeBatch:
    """Return the batch of the molecules whose atoms begin at the rows `starts_B`."""
    rows_BN, mask_BN = padded_rows(starts_B, n_atoms_B)
    positions_BN3 = molecules.positions[rows_BN] * mask_BN[..., None]
    mean_B13 = positions_BN3.sum(1, keepdims=True) / n_atoms_B[:, None, None].astype(np.float32)
    positions_BN3 = (positions_BN3 - mean_B13) * mask_BN[..., None]
    types_BN = _TYPE_OF_NUMBER[molecules.numbers[rows_BN]] * mask_BN
    return MoleculeBatch(
        torch.from_numpy(records_B),
        torch.from_numpy(positions_BN3),
        torch.from_numpy(types_BN),
        torch.from_numpy(mask_BN),
    )


def _require_vocabulary(packed: PackedSet) -> None:
    outside = np.flatnonzero(_TYPE_OF_NUMBER[packed.molecules.numbers] == _UNKNOWN)
    if len(outside):
        record = np.searchsorted(packed.molecules.offsets, outside[0], side="right") - 1
        raise DataError(
            f"{packed.directory}: record {packed.ids[record]}: atomic number "
            f"{packed.molecules.numbers[outside[0]]} is not in the vocabulary H C N O F; "
            f"leave such molecules out"
        )


def _require_vocabulary_of_shards(sharded: ShardedSet) -> None:
    outside = np.flatnonzero((sharded.train_number_counts > 0) & (_TYPE_OF_NUMBER == _UNKNOWN))
    if len(outside):
        raise DataError(
            f"{sharded.source}: atomic number {outside[0]} of the training split is not in the "
            f"vocabulary H C N O F; leave such molecules out"
        )
