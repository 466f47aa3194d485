"""Planets that are resampled as one: guises, starts and guests are no independent trials.

Shapes: N records, U units, R resamples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.pathways.metrics.estimates import Better, estimated
from assay.statistics.intervals import bootstrap
from assay.task import Estimate

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Of weights (R, N) of the records, (R,) values."""


@dataclass(frozen=True)
class Units:
    """Which unit each record is of."""

    of_N: NDArray[np.int64]
    """0 to U - 1."""

    @classmethod
    def of(cls, groups_N: Sequence[object] | NDArray) -> Self:
        """Return the units of records by the names, or numbers, of their planets."""
        return cls(np.unique(np.asarray(groups_N), return_inverse=True)[1].reshape(-1))

    def __len__(self) -> int:
        """Return U."""
        return int(self.of_N.max(initial=-1)) + 1

    def select(self, chosen: NDArray[np.bool_]) -> Self:
        """Return the units of some records."""
        return type(self).of(self.of_N[chosen])

    def estimate(self, statistic: Statistic, version: str, better: Better, seed: int) -> Estimate:
        """Return a statistic of the records with its bootstrap interval; n counts the units."""
        U = len(self)

        def of_resamples(drawn_RU: NDArray[np.int64]) -> NDArray[np.float64]:
            R = len(drawn_RU)
            flat = (np.arange(R)[:, None] * U + drawn_RU).ravel()
            counts_RU = np.bincount(flat, minlength=R * U).reshape(R, U)
            return statistic(counts_RU[:, self.of_N].astype(np.float64))

        value = float(statistic(np.ones((1, len(self.of_N))))[0])
        interval = bootstrap(np.arange(U), of_resamples, seed=seed)
        return estimated(value, interval, U, version, better)


def mean_of(values_N: NDArray[np.floating]) -> Statistic:
    """Return the statistic that is the mean of a value a record."""
    return lambda weights_RN: weights_RN @ values_N / weights_RN.sum(1)


def ratio_of(above_N: NDArray[np.floating], below_N: NDArray[np.floating]) -> Statistic:
    """Return the statistic that is one mean over another."""
    return lambda weights_RN: weights_RN @ above_N / (weights_RN @ below_N)
