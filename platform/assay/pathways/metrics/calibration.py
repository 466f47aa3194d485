"""Whether an edge that a model gives a probability of 0.7 is there seven times in ten.

Shapes: G graphs, K bins.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.pathways.metrics.estimates import estimated
from assay.pathways.metrics.links import Scored
from assay.statistics.intervals import bootstrap
from assay.task import Estimate

VERSION = "1"
BINS = 15


def evaluate(graphs: Sequence[Scored], seed: int = 0) -> dict[str, Estimate]:
    """Return `calibration/ece`: the expected calibration error of the edges' probabilities.

    Σₖ |Σ (y − p)| / n over bins of equal width, over all ordered pairs of different nodes of all
    graphs. Source: Naeini, Cooper, Hauskrecht, AAAI 2015. Its floor is above 0: by chance alone the
    share of a bin misses its mean.

    Args:
        graphs: G of them; their scores are log odds.
        seed: of resampling, of whole graphs.

    Returns:
        Nothing without a graph.
    """
    if not graphs:
        return {}
    table_GK3 = _table(graphs)
    value = float(_error(table_GK3.sum(0)))

    def of_resamples(drawn_RG: NDArray[Any]) -> NDArray[np.float64]:
        weights_RG = np.stack([np.bincount(row, minlength=len(graphs)) for row in drawn_RG])
        return _error(np.tensordot(weights_RG, table_GK3, axes=1))

    interval = bootstrap(np.arange(len(graphs)), of_resamples, seed=seed)
    version = f"{VERSION}: {BINS} bins of equal width, {int(table_GK3[..., 0].sum())} pairs"
    return {"calibration/ece": estimated(value, interval, len(graphs), version, "lower")}


def reliability(graphs: Sequence[Scored]) -> list[Mapping[str, float]]:
    """Return the reliability diagram: of each bin that is not empty its pairs and two shares.

    `pairs`, the mean `probability`, and the `share` of the pairs that are edges.
    """
    return [
        {"pairs": int(n), "probability": float(p / n), "share": float(y / n)}
        for n, p, y in _table(graphs).sum(0).tolist()
        if n
    ]


def _table(graphs: Sequence[Scored]) -> NDArray[np.float64]:
    """Return (G, K, 3): pairs, their probabilities and their edges, summed by graph and bin."""
    table_GK3 = np.zeros((len(graphs), BINS, 3))
    for k, one in enumerate(graphs):
        edge_P, score_P = one.pairs
        p_P = 1 / (1 + np.exp(-np.clip(score_P.astype(np.float64), -50, 50)))
        bin_P = np.minimum((p_P * BINS).astype(np.int64), BINS - 1)
        for column, values in enumerate((None, p_P, edge_P.astype(np.float64))):
            table_GK3[k, :, column] = np.bincount(bin_P, values, minlength=BINS)
    return table_GK3


def _error(sums_K3: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (…): the error of sums (…, K, 3)."""
    n, p, y = np.moveaxis(sums_K3, -1, 0)
    return np.abs(y - p).sum(-1) / n.sum(-1)
