"""The mean of a figure over training seeds, and how surely it is known."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from scipy.special import stdtrit

from assay.statistics.intervals import CONFIDENCE, Interval


def mean_over_seeds(
    values: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, Interval | None]:
    """Return the mean of independent runs and its interval; None with a single run.

    Student's t with S - 1 degrees of freedom, as the spread is estimated from the same few runs.
    Source: Student, Biometrika 6 (1908) 1.

    Args:
        values: (S,) one figure a seed, S ≥ 1.
        confidence: of the interval.
    """
    S, mean = len(values), fmean(values)
    if S == 1:
        return mean, None
    half = float(stdtrit(S - 1, 0.5 + confidence / 2)) * stdev(values) / math.sqrt(S)
    return mean, (mean - half, mean + half)
