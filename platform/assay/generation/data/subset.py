"""A part of a split."""

import numpy as np
from numpy.typing import NDArray

from assay.task import Batch, Records


class Subset:
    """Those records of a split that are at `chosen`, as `assay.task.Records`."""

    def __init__(self, records: Records, chosen: NDArray[np.int64]) -> None:
        self._records, self._chosen = records, chosen

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
