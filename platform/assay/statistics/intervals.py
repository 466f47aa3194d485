"""Confidence intervals of fractions and of other statistics of a sample.

Shapes: R resamples, S sample size, K distinct clusters.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Interval = tuple[float, float]

CONFIDENCE = 0.95
RESAMPLES = 2000

_DRAWS_AT_ONCE = 4_000_000


def wilson(successes: float, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the score interval of a fraction `successes / n` of independent trials.

    Unlike the normal interval it stays inside [0, 1] and is not empty at 0 or n successes.
    Without a trial nothing is known: (0, 1). Source: Wilson, JASA 22 (1927) 209; Brown, Cai,
    DasGupta, Statistical Science 16 (2001) 101, equation 4.
    """
    if n == 0:
        return 0.0, 1.0
    z = float(ndtri(0.5 + confidence / 2))
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return low, high


def bootstrap(
    values: NDArray[Any],
    statistic: Callable[[NDArray[Any]], NDArray[Any]],
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the percentile bootstrap interval of a statistic of independent values.

    Not for statistics that count distinct values: resampling makes duplicates of its own.
    Source: Efron, Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.

    Args:
        values: (S,) sample, S ≥ 1.
        statistic: reduces the last axis, (r, S) → (r,).
        resamples: R.
        seed: of the resampling.
        confidence: of the interval.
    """
    generator = np.random.default_rng(seed)
    S = len(values)
    rows = max(1, _DRAWS_AT_ONCE // S)
    counts = [min(rows, resamples - done) for done in range(0, resamples, rows)]
    found = [statistic(values[generator.integers(S, size=(r, S))]) for r in counts]
    return _percentiles(np.concatenate(found), confidence)


def linearised(
    value: float,
    influence: NDArray[Any],
    least: float = -math.inf,
    most: float = math.inf,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the interval of a smooth statistic, such as a distance between distributions.

    The influence of a record is by how much the statistic moves, times S, as its weight grows:
    the derivative at the sample. The mean of the influences is resampled, instead of the
    statistic itself: a resample repeats records, and so lies further from anything than a fresh
    sample would, often by more than the whole interval. The order of records does not matter.
    Source: Davison, Hinkley, "Bootstrap Methods and their Application" (1997), sections 2.7 and
    3.2 (empirical influence values, nonparametric delta method).

    Args:
        value: of the statistic.
        influence: (S,) of each record, S ≥ 1; a constant added to all does not matter.
        least: the smallest value that the statistic can take.
        most: the largest.
        resamples: R.
        seed: of the resampling.
        confidence: of the interval.
    """
    sorted_S = np.sort(influence)
    centred_S = sorted_S - sorted_S.mean()
    low, high = bootstrap(centred_S, lambda x: x.mean(axis=-1), resamples, seed, confidence)
    return max(least, min(value, value + low)), min(most, max(value, value + high))


def clustered_fraction(
    successes: NDArray[Any],
    sizes: NDArray[Any],
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the interval of Σ successes / Σ sizes when units within a cluster are not independent.

    Whole clusters are resampled (ratio estimator, percentile bootstrap). A resample depends only
    on how often each distinct (successes, size) is drawn, which is multinomial: so R × K counts
    are drawn instead of R × S indices, with the same distribution. Where all clusters have the
    same fraction, resampling sees no spread; then each cluster counts as one trial (`wilson`),
    which is the widest that any dependence within clusters allows. Source: Davison, Hinkley,
    "Bootstrap Methods and their Application" (1997), section 3.8.

    Args:
        successes: (S,) of each cluster.
        sizes: (S,) of each cluster, > 0.
        resamples: R.
        seed: of the resampling.
        confidence: of the interval.
    """
    if len(sizes) == 0:
        return 0.0, 1.0
    fraction = float(successes.sum() / sizes.sum())
    if np.array_equal(successes * sizes.sum(), sizes * successes.sum()):
        return wilson(fraction * len(sizes), len(sizes), confidence)
    kinds_K2, counts_K = np.unique(np.stack([successes, sizes], axis=1), axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    weights_RK = generator.multinomial(len(sizes), counts_K / len(sizes), size=resamples)
    totals_R2 = weights_RK @ kinds_K2
    return _percentiles(totals_R2[:, 0] / totals_R2[:, 1], confidence)


def _percentiles(found_R: NDArray[Any], confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile(found_R, [tail, 1 - tail])
    return float(low), float(high)
