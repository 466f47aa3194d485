"""The mean of a figure over training seeds, and how surely it is known."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from scipy.special import stdtrit

from assay.statistics.intervals import CONFIDENCE, Interval

_ROUNDING = 1e-12


def all_alike(values: Sequence[float]) -> bool:
    """Say whether values are one but for rounding: of their spread nothing is known then.

    Figures that are counts, such as shares of 64 samples, are often alike by chance.
    """
    return max(values) - min(values) <= _ROUNDING * max(map(abs, values))


def mean_over_seeds(
    values: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, Interval | None]:
    """Return the mean of independent runs and its interval; None of one run, or if all are alike.

    Student's t with S - 1 degrees of freedom, as the spread is estimated from the same few runs.
    Source: Student, Biometrika 6 (1908) 1.

    Args:
        values: (S,) one figure a seed, S ≥ 1.
        confidence: of the interval.
    """
    S, mean = len(values), fmean(values)
    if S == 1 or all_alike(values):
        return mean, None
    half = float(stdtrit(S - 1, 0.5 + confidence / 2)) * stdev(values) / math.sqrt(S)
    return mean, (mean - half, mean + half)
