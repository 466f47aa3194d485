"""One figure for many tasks and few seeds: interquartile means, probability of improvement.

Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice", NeurIPS
2021. Intervals resample the seeds of every task by themselves (stratified bootstrap).

Shapes: S seeds, T tasks, B resamples.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import trim_mean

from assay.errors import DataError
from assay.statistics.intervals import CONFIDENCE, RESAMPLES, Interval

Values = NDArray[np.float64]

LEAST_SCORES = 4
"""Of which a quarter at either end is one: of fewer, the middle half is all."""


def interquartile_mean(
    scores_ST: Values, resamples: int = RESAMPLES, seed: int = 0, confidence: float = CONFIDENCE
) -> tuple[float, Interval]:
    """Return the mean of the middle half of all scores, and its interval.

    Of S · T scores a quarter, rounded down, is left out at either end: of fewer than
    `LEAST_SCORES` none, and what is returned is their mean.

    Raises:
        DataError: fewer than two seeds, or a score that is not finite.
    """
    _require_scores(scores_ST)
    generator = np.random.default_rng(seed)

    drawn_BST = _stratified(scores_ST, resamples, generator)
    return float(_middle(scores_ST)), _percentiles(_middle(drawn_BST), confidence)


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

    ours_BST = _stratified(ours_ST, resamples, generator)
    theirs_BST = _stratified(theirs_ST, resamples, generator)
    return float(_wins(ours_ST, theirs_ST)), _percentiles(_wins(ours_BST, theirs_BST), confidence)


def _middle(scores_xST: Values) -> Values:
    """Return (…,) the mean of the middle half."""
    flat_xN = scores_xST.reshape(*scores_xST.shape[:-2], -1)
    return np.asarray(trim_mean(flat_xN, 0.25, axis=-1))


def _wins(ours_xST: Values, theirs_xST: Values) -> Values:
    """Return (…,) the share of pairs of runs that ours wins, ties as one half."""
    signs = np.sign(ours_xST[..., :, None, :] - theirs_xST[..., None, :, :])
    return 0.5 + 0.5 * signs.mean(axis=(-3, -2, -1))


def _stratified(scores_ST: Values, resamples: int, generator: np.random.Generator) -> Values:
    drawn_BST = generator.integers(len(scores_ST), size=(resamples, *scores_ST.shape))
    return np.take_along_axis(scores_ST[None], drawn_BST, axis=1)


def _percentiles(found_B: Values, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile(found_B, [tail, 1 - tail])
    return float(low), float(high)


def _require_scores(scores_ST: Values) -> None:
    if len(scores_ST) < 2:
        raise DataError("one seed: resampling seeds sees no spread; run two or more")
    if not np.isfinite(scores_ST).all():
        raise DataError("a score is not finite")
