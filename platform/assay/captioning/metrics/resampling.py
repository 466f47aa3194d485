"""Percentile bootstrap over pairs, for everything that is made of sums over pairs.

A resample is how often each pair is drawn. So what is summed over pairs (matching n-grams, lengths,
scores) is summed over a resample by one product of matrices, and nothing is counted again.
Source: Efron, Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3; of BLEU: Koehn,
"Statistical Significance Tests for Machine Translation Evaluation", EMNLP 2004.

Shapes: R resamples, S pairs, K sums.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.statistics.intervals import CONFIDENCE, RESAMPLES, Interval, wilson
from assay.task import Estimate

Statistic = Callable[[NDArray[Any]], NDArray[Any]]
"""Of sums (X, K), the figure (X,); NaN where it is not defined."""

_ROWS_AT_ONCE = 250
_ROUNDING = 1e-9
"""Sums of equal numbers differ by less, in whatever order they are added."""


class Resamples:
    """The same R resamples for every metric of a file."""

    def __init__(self, pairs: int, resamples: int = RESAMPLES, seed: int = 0) -> None:
        """Draw.

        Args:
            pairs: S.
            resamples: R.
            seed: of the drawing.
        """
        generator = np.random.default_rng(seed)
        chances_S = np.full(pairs, 1 / pairs)
        self.counts_RS = np.empty((resamples, pairs), dtype=np.uint16)  # each is about 1
        for r in range(0, resamples, _ROWS_AT_ONCE):
            rows = min(_ROWS_AT_ONCE, resamples - r)
            self.counts_RS[r : r + rows] = generator.multinomial(pairs, chances_S, size=rows)

    def estimate(
        self, statistics_SK: NDArray[Any], statistic: Statistic, version: str, n: int | None = None
    ) -> Estimate | None:
        """Return a figure of sums over pairs, with its interval; None where it is not defined.

        Where all pairs are alike, or there is but one, resampling sees no spread. Then each pair
        counts as one trial of a fraction (Wilson): no figure between 0 and 1 varies more. Resamples
        in which the figure is not defined are left out.

        Args:
            statistics_SK: (S, K) what is summed, or (S,).
            statistic: makes the figure of the sums; it is at most 1.
            version: of the protocol.
            n: what the figure is an average of; by default the pairs.
        """
        columns_SK = statistics_SK.reshape(len(statistics_SK), -1).astype(np.float64)
        S = len(columns_SK)
        value = float(statistic(columns_SK.sum(axis=0, keepdims=True))[0])
        if np.isnan(value):
            return None
        low, high = self._percentiles(statistic(self._sums(columns_SK)))
        if high - low < _ROUNDING:
            low, high = wilson(min(max(value, 0.0), 1.0) * S, S)
        return Estimate(
            value=value,
            low=min(low, value),
            high=max(high, value),
            n=S if n is None else n,
            version=version,
            better="higher",
        )

    def mean(self, values_S: NDArray[Any], version: str) -> Estimate:
        """Return the mean of (S,) values of pairs, each at most 1, with its interval."""
        found = self.estimate(values_S, lambda sums: sums[:, 0] / len(values_S), version)
        assert found is not None
        return found

    def count(self, counts_S: NDArray[Any], version: str) -> Estimate:
        """Return the mean of (S,) counts, which have no upper end; all alike have no spread."""
        found_R = self._sums(counts_S[:, None].astype(np.float64))[:, 0] / len(counts_S)
        low, high = self._percentiles(found_R)
        return Estimate(
            value=float(counts_S.mean()),
            low=low,
            high=high,
            n=len(counts_S),
            version=version,
            better="higher",
        )

    @staticmethod
    def _percentiles(found_R: NDArray[np.float64]) -> Interval:
        known = found_R[~np.isnan(found_R)]
        if not len(known):
            return 0.0, 0.0
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(known, [tail, 1 - tail])
        return float(low), float(high)

    def _sums(self, columns_SK: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (R, K) sums; a few rows of counts at a time are made floating-point."""
        R = len(self.counts_RS)
        parts = [self.counts_RS[r : r + _ROWS_AT_ONCE] for r in range(0, R, _ROWS_AT_ONCE)]
        return np.concatenate([part.astype(np.float64) @ columns_SK for part in parts])
