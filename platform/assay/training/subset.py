"""A part of a split."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from assay.cell import Cell
from assay.errors import ConfigError
from assay.task import Batch, Records, Splits
from assay.training.draws import fold
from assay.training.order import BlockRecords


class Subset:
    """Those records of a split that are at `chosen`, as `assay.task.Records`."""

    def __init__(self, records: Records, chosen: NDArray[np.int64]) -> None:
        self._records, self._chosen = records, chosen

    @property
    def chosen(self) -> NDArray[np.int64]:
        """(len,) places in the split."""
        return self._chosen

    @property
    def lengths(self) -> NDArray[np.integer] | None:
        """(len,) size of each record."""
        lengths = self._records.lengths
        return None if lengths is None else lengths[self._chosen]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._chosen)

    def batch(self, indices: NDArray[np.integer]) -> Batch:
        """Return the records at `indices` (B,) of the part, in that order."""
        return self._records.batch(self._chosen[indices])


def that_are_used(splits: Splits, cell: Cell) -> Splits:
    """Return the splits with as many training records as `training.records` leaves.

    They are drawn by the cell's seed; those of a smaller number are among those of a larger one.

    Raises:
        ConfigError: there are not so many, or the split lies in shards.
    """
    wanted, train = cell.training.records, splits.train
    if wanted is None:
        return splits
    if isinstance(train, BlockRecords):
        raise ConfigError(
            f"training.records: {cell.data.name} lies in shards, of which no part is taken; name "
            "the whole set"
        )
    if wanted > len(train):
        raise ConfigError(
            f"training.records {wanted:,}: the training split of {cell.data.name} has "
            f"{len(train):,} records"
        )
    order = np.random.Generator(np.random.Philox(key=fold(cell.seed, "records")))
    chosen = np.sort(order.permutation(len(train))[:wanted])
    note = f"; {wanted:,} of {len(train):,} training records are used"
    return replace(splits, train=Subset(train, chosen), description=splits.description + note)
