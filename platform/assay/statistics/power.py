"""How many seeds would settle a difference."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.stats import chi2, nct, t

from assay.errors import DataError
from assay.statistics.intervals import CONFIDENCE
from assay.statistics.seeds import all_alike

MOST_SEEDS = 10_000
_PLAIN = 20.0
"""Standard deviations: two seeds find a difference that is larger."""


@dataclass(frozen=True)
class SeedsNeeded:
    """Seeds for a paired test to find a difference; infinite where more than 10,000."""

    seeds: float
    low: float
    """Were the spread at the low end of its own interval: few seeds tell it badly."""
    high: float


def seeds_needed(
    differences: Sequence[float],
    least: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
) -> SeedsNeeded:
    """Return how many seeds find a difference with the spread that these differences have.

    Not a number where they are all alike: of the spread nothing is known then.

    Student's paired test, two-sided: Cohen, "Statistical Power Analysis for the Behavioral
    Sciences" (1988), chapter 2. The interval is that of the spread (χ² with S - 1 degrees of
    freedom).

    Args:
        differences: (S,) of a seed each, S ≥ 2.
        least: the difference to be found; by default the mean of those that were seen.
        power: how likely it is to be found.
        alpha: level of the test.

    Raises:
        DataError: fewer than two differences, or one that is not finite.
    """
    S = len(differences)
    if S < 2:
        raise DataError("one seed: the spread of the difference is not known; run two or more")
    if not all(map(math.isfinite, differences)):
        raise DataError("a difference is not finite")
    wanted = abs(fmean(differences) if least is None else least)
    if all_alike(differences) and wanted:
        return SeedsNeeded(math.nan, math.nan, math.nan)
    spread = stdev(differences)
    tail = (1 - CONFIDENCE) / 2
    ends = [spread * math.sqrt((S - 1) / float(chi2.ppf(p, S - 1))) for p in (1 - tail, tail)]
    value, low, high = (_seeds(wanted, each, power, alpha) for each in (spread, *ends))
    return SeedsNeeded(value, low, high)


def _seeds(wanted: float, spread: float, power: float, alpha: float) -> float:
    if wanted == 0:
        return math.inf
    effect = wanted / spread

    def is_enough(seeds: int) -> bool:
        return _power(effect, seeds, alpha) >= power

    high = 2
    while not is_enough(high):
        if high == MOST_SEEDS:
            return math.inf
        high = min(2 * high, MOST_SEEDS)
    return float(bisect_left(range(high), True, lo=2, key=is_enough))


def _power(effect: float, seeds: int, alpha: float) -> float:
    """Return how likely the test finds an effect, in standard deviations.

    By SciPy, as statsmodels' TTestPower is not a number at some effects where this is one.
    """
    freedom, centre = seeds - 1, min(effect, _PLAIN) * math.sqrt(seeds)
    critical = float(t.isf(alpha / 2, freedom))
    wrong_side = float(nct.cdf(-critical, freedom, centre))
    # Not a number where it is next to nothing.
    return float(nct.sf(critical, freedom, centre)) + (0 if math.isnan(wrong_side) else wrong_side)
