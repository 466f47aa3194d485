"""The link protocol of the Open Graph Benchmark: Hits@K against fixed pairs that are no edge.

Source: Hu et al., "Open Graph Benchmark", NeurIPS 2020, and its public evaluator.
Shapes: P positives (edges), N negatives, R resamples.
"""

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.statistics.intervals import CONFIDENCE, RESAMPLES, Interval, wilson
from assay.task import Estimate

VERSION = "2"
KS = (10, 20, 30)
COVERAGE = ("none", "one", "both")
"""Of the two nodes of a pair: how many have a known structure."""

Scores = NDArray[np.floating]


def evaluate(
    positive_P: Scores, negative_N: Scores, known_P: NDArray[np.integer] | None = None
) -> dict[str, Estimate]:
    """Return the protocol's estimates from the scores of edges and of pairs that are none.

    Args:
        positive_P: (P,) scores of edges, the higher the surer.
        negative_N: (N,) scores of pairs that are no edge, the same for all positives.
        known_P: How many nodes of each edge have a known structure, 0 to 2. With it Hits@20 is told
            for each kind of edge, too, against the threshold of all: that of a kind's own negatives
            would be another one for each.

    Raises:
        DataError: there is no positive, there are fewer than 30 negatives, or a score is not
            finite.
    """
    require_rankable(positive_P, negative_N, max(KS))
    descending_N = -np.sort(-negative_N)
    found = {f"ogb/hits_at_{k}": _hits(positive_P, descending_N, k) for k in KS}
    if known_P is not None:
        for known, name in enumerate(COVERAGE):
            kind_P = positive_P[known_P == known]
            if len(kind_P):
                found[f"coverage/hits_at_20_{name}"] = _hits(kind_P, descending_N, 20)
    return found


def hits_at_k(positive_P: Scores, negative_N: Scores, k: int) -> Estimate:
    """Return the share of positives that score strictly above the K-th best negative.

    Args:
        positive_P: (P,) scores of edges, the higher the surer.
        negative_N: (N,) scores of pairs that are no edge, the same for all positives.
        k: K.

    Raises:
        DataError: there is no positive, there are fewer than K negatives, or a score is not finite.
    """
    require_rankable(positive_P, negative_N, k)
    return _hits(positive_P, -np.sort(-negative_N), k)


def require_rankable(positive_P: Scores, negative_N: Scores, k: int) -> None:
    """Refuse scores that Hits@K cannot be said of.

    Raises:
        DataError: there is no positive, there are fewer than K negatives, or a score is not finite.
    """
    for name, scores in (("edges", positive_P), ("negatives", negative_N)):
        wild = int(np.sum(~np.isfinite(scores)))
        if wild:
            raise DataError(
                f"scores of {name}: {wild:,} of {len(scores):,} are not finite; "
                "every pair needs a finite score"
            )
    if len(positive_P) == 0:
        raise DataError("scores of edges: there are none; score at least one edge")
    if len(negative_N) < k:
        raise DataError(
            f"scores of negatives: {len(negative_N):,} are too few for Hits@{k}; "
            f"score at least {k} pairs that are no edge"
        )


def _hits(positive_P: Scores, descending_N: Scores, k: int) -> Estimate:
    hits = int(np.sum(positive_P > descending_N[k - 1]))
    low, high = _interval(np.sort(positive_P), descending_N, k, hits)
    P = len(positive_P)
    return Estimate(value=hits / P, low=low, high=high, n=P, version=VERSION, better="higher")


def _interval(ascending_P: Scores, descending_N: Scores, k: int, hits: int) -> Interval:
    """Return the percentile bootstrap over positives and negatives, both resampled.

    Of N negatives drawn from N with replacement, the K-th best stands at place ⌊N u⌋, with u the
    K-th smallest of N uniform numbers, which is Beta(K, N + 1 - K); above that threshold the hits
    of P resampled positives are binomial. So R × 2 numbers are drawn, with the same distribution
    as R × (N + P). Where hardly any moves (all hit or none), resampling sees no spread: Wilson.
    """
    P, N = len(ascending_P), len(descending_N)
    generator = np.random.default_rng(0)
    place_R = (generator.beta(k, N + 1 - k, size=RESAMPLES) * N).astype(np.int64)
    above_R = P - np.searchsorted(ascending_P, descending_N[place_R], side="right")
    found_R = generator.binomial(P, above_R / P) / P
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(found_R, [tail, 1 - tail])
    if low == high:
        return wilson(hits, P)
    return float(low), float(high)
