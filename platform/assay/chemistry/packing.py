"""Records of different lengths, one after the other without padding: where each one's rows are."""

import numpy as np
from numpy.typing import NDArray


def offsets_of(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return (M + 1,) the first row of each of M records with `counts` (M,) rows, and the end."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def rows_of(counts: NDArray[np.integer], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of the records at `chosen`, in that order, of records with `counts` rows."""
    of_chosen = counts[chosen]
    before = np.cumsum(of_chosen) - of_chosen
    starts = np.repeat(offsets_of(counts)[chosen] - before, of_chosen)
    return starts + np.arange(of_chosen.sum())
