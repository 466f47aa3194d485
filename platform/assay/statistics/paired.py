"""Differences between models that were run with the same seeds.

Shapes: S seeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_rel
from statsmodels.stats.multitest import multipletests

from assay.errors import DataError
from assay.statistics.intervals import CONFIDENCE
from assay.statistics.seeds import mean_over_seeds

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """One model less another, over the seeds that both have."""

    one: str
    other: str
    mean: float
    low: float | None
    """95 % interval of this difference alone; None if it is the same of every seed."""
    high: float | None
    p: float
    """That there is none: Student's paired test, two-sided. Of a difference that is the same of
    every seed, by the signs that chance could give it: 2^(1 - S)."""
    p_adjusted: float
    """By Holm's method, over all differences that were looked at together."""
    seeds: int


def all_pairs(values: Mapping[str, Values], confidence: float = CONFIDENCE) -> list[Difference]:
    """Return the difference of every two models, with p-values adjusted for their number.

    Sources: Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6
    (1979) 65; of differences that are all alike Fisher, "The design of experiments" (1935), §21.

    Args:
        values: (S,) of each model, in the order of the same seeds; S ≥ 2.
        confidence: of the intervals.

    Raises:
        DataError: models have different numbers of seeds, or one only; a value is not finite.
    """
    _require_same_seeds(values)
    found = []
    for one, other in combinations(values, 2):
        off_S = values[one] - values[other]
        mean, ends = mean_over_seeds(off_S.tolist(), confidence)
        # Without spread the test has no statistic, and shares of few samples are often alike.
        rounding = 1e-14 * max(np.abs(values[one]).max(), np.abs(values[other]).max())
        if ends is None or np.ptp(off_S) <= rounding:
            ends, p = None, 1.0 if abs(mean) <= rounding else 2.0 ** (1 - len(off_S))
        else:
            p = float(ttest_rel(values[one], values[other]).pvalue)
        found.append(Difference(one, other, mean, *(ends or (None, None)), p, p, len(off_S)))
    if not found:
        return []
    adjusted = np.asarray(multipletests([each.p for each in found], method="holm")[1])
    return [replace(each, p_adjusted=float(p)) for each, p in zip(found, adjusted, strict=True)]


def _require_same_seeds(values: Mapping[str, Values]) -> None:
    counts = {name: len(x_S) for name, x_S in values.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise DataError(f"models have different numbers of seeds, so nothing is paired: {listed}")
    if counts and min(counts.values()) < 2:
        raise DataError("one seed a model: a difference has no interval; run two or more")
    for name, x_S in values.items():
        if not np.isfinite(x_S).all():
            raise DataError(f"{name}: a value is not finite")
