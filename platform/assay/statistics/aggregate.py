"""One figure for many tasks and few seeds: interquartile means, probability of improvement.

Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice", NeurIPS
2021. Intervals resample the seeds of every task by themselves (stratified bootstrap).

Shapes: S seeds, T tasks, B resamples.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import trim_mean

from assay.errors import DataError
from assay.statistics.intervals import CONFIDENCE, RESAMPLES, Interval

Values = NDArray[np.float64]


def interquartile_mean(
    scores_ST: Values, resamples: int = RESAMPLES, seed: int = 0, confidence: float = CONFIDENCE
) -> tuple[float, Interval]:
    """Return the mean of the middle half of all scores, and its interval.

    Raises:
        DataError: fewer than two seeds, or a score that is not finite.
    """
    _require_scores(scores_ST)
    generator = np.random.default_rng(seed)

    def draw() -> float:
        return _middle(_stratified(scores_ST, generator))

    return _middle(scores_ST), _interval(draw, resamples, confidence)


def probability_of_improvement(
    ours_ST: Values,
    theirs_ST: Values,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> tuple[float, Interval]:
    """Return how likely a run of ours beats one of theirs, averaged over tasks, and its interval.

    A tie counts one half: on one task it is the statistic of Mann and Whitney over S².

    Args:
        ours_ST: (S, T) scores, the higher the better.
        theirs_ST: (S', T).
        resamples: B.
        seed: of the resampling.
        confidence: of the interval.

    Raises:
        DataError: other numbers of tasks, fewer than two seeds, or a score that is not finite.
    """
    if ours_ST.shape[1] != theirs_ST.shape[1]:
        raise DataError(
            f"{ours_ST.shape[1]} tasks beside {theirs_ST.shape[1]}: both models need the same tasks"
        )
    _require_scores(ours_ST)
    _require_scores(theirs_ST)
    generator = np.random.default_rng(seed)

    def draw() -> float:
        return _wins(_stratified(ours_ST, generator), _stratified(theirs_ST, generator))

    return _wins(ours_ST, theirs_ST), _interval(draw, resamples, confidence)


def _middle(scores_ST: Values) -> float:
    return float(trim_mean(scores_ST.ravel(), 0.25))


def _wins(ours_ST: Values, theirs_ST: Values) -> float:
    signs = np.sign(ours_ST[:, None] - theirs_ST[None])
    return float(0.5 + 0.5 * signs.mean())


def _stratified(scores_ST: Values, generator: np.random.Generator) -> Values:
    drawn_ST = generator.integers(len(scores_ST), size=scores_ST.shape)
    return np.take_along_axis(scores_ST, drawn_ST, axis=0)


def _interval(draw: Callable[[], float], resamples: int, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile([draw() for _ in range(resamples)], [tail, 1 - tail])
    return float(low), float(high)


def _require_scores(scores_ST: Values) -> None:
    if len(scores_ST) < 2:
        raise DataError("one seed: resampling seeds sees no spread; run two or more")
    if not np.isfinite(scores_ST).all():
        raise DataError("a score is not finite")
