"""How well scores of ordered pairs of nodes rebuild a graph, and whether they orient its edges.

A model scores every ordered pair (source, target); only the order of scores matters.

Shapes: G graphs, N nodes of one of them, P pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from assay.errors import DataError
from assay.pathways.metrics.estimates import mean_over_graphs, pooled_share
from assay.task import Estimate

VERSION = "1"


@dataclass(frozen=True)
class Scored:
    """A graph, and the score that a model gave to each of its ordered pairs."""

    edges_NN: NDArray[np.bool_]
    """(N, N) whether an edge leads from the row's node to the column's; the diagonal is unused."""
    scores_NN: NDArray[np.floating]
    """(N, N)."""

    def __post_init__(self) -> None:
        """Refuse scores that do not fit, or cannot be put into an order."""
        N = len(self.edges_NN)
        if self.edges_NN.shape != (N, N) or self.scores_NN.shape != (N, N):
            raise DataError(
                f"scores of pairs: {self.scores_NN.shape} for {self.edges_NN.shape} edges; both "
                "must be square and alike"
            )
        if not np.isfinite(self.scores_NN[~np.eye(N, dtype=bool)]).all():
            raise DataError("scores of pairs: some are not finite")

    @property
    def pairs(self) -> tuple[NDArray[np.bool_], NDArray[np.floating]]:
        """(P,) whether each ordered pair of different nodes is an edge, and its score."""
        off = ~np.eye(len(self.edges_NN), dtype=bool)
        return self.edges_NN[off], self.scores_NN[off]


def reconstruction(graphs: Sequence[Scored], seed: int = 0) -> dict[str, Estimate]:
    """Return `reconstruction/auc` and `reconstruction/average_precision`: means over graphs.

    Of every graph over all of its ordered pairs of different nodes, so that scores need not be
    comparable between graphs. A graph that is empty or complete has neither and does not take part;
    where none is left there are no estimates.

    Args:
        graphs: G of them.
        seed: of resampling, of whole graphs.
    """
    pairs = [one.pairs for one in graphs]
    rated = [(edge, score) for edge, score in pairs if 0 < edge.sum() < len(edge)]
    aucs = np.array([auc(score[edge], score[~edge]) for edge, score in rated])
    precisions = np.array([average_precision(edge, score) for edge, score in rated])
    found = {
        "reconstruction/auc": mean_over_graphs(aucs, VERSION, seed=seed),
        "reconstruction/average_precision": mean_over_graphs(precisions, VERSION, seed=seed),
    }
    return {name: estimate for name, estimate in found.items() if estimate is not None}


def reversed_edges(
    graphs: Sequence[Scored],
    held_out: Sequence[NDArray[np.bool_]],
    seed: int = 0,
    new: Sequence[NDArray[np.bool_]] | None = None,
) -> dict[str, Estimate]:
    """Return `reversed_edge/auc`: how often a held-out edge scores above its own reverse.

    And `reversed_edge/auc_new`, of those edges alone whose two compounds no training graph joins,
    in either direction: there a look-up is a coin.

    P(score(s → t) > score(t → s)) + ½ P(equal), over the held-out edges, each against its reverse:
    an undirected score gives exactly ½, whatever it knows. An edge whose reverse is an edge too has
    no direction to find and is left out, as the caller leaves out those that are reversible.
    Sources: Salha et al., "Gravity-Inspired Graph Autoencoders for Directed Link Prediction", CIKM
    2019, section 4.1, task 2 (biased negative samples), where positives and negatives are pooled.

    Args:
        graphs: G graphs with all of their edges, held-out ones included.
        held_out: G of (N, N), the irreversible edges that training did not see.
        seed: of resampling, of whole graphs.
        new: G of (N, N), the pairs that training does not join; without it there is no second one.

    Returns:
        Nothing where no such edge is left.
    """
    among = {"reversed_edge/auc": held_out}
    if new is not None:
        both = zip(held_out, new, strict=True)
        among["reversed_edge/auc_new"] = [held_NN & new_NN for held_NN, new_NN in both]
    found = {}
    for name, edges in among.items():
        above, counts = np.zeros(len(graphs)), np.zeros(len(graphs))
        for k, (graph, held_NN) in enumerate(zip(graphs, edges, strict=True)):
            source, target = np.nonzero(held_NN & graph.edges_NN & ~graph.edges_NN.T)
            forward, backward = graph.scores_NN[source, target], graph.scores_NN[target, source]
            above[k] = (forward > backward).sum() + (forward == backward).sum() / 2
            counts[k] = len(source)
        found[name] = pooled_share(above, counts, VERSION, seed=seed)
    return {name: estimate for name, estimate in found.items() if estimate is not None}


def auc(positives_P: NDArray[np.floating], negatives_P: NDArray[np.floating]) -> float:
    """Return the chance that a positive scores above a negative; a tie counts one half.

    Source: Hanley, McNeil, Radiology 143 (1982) 29 (Mann–Whitney).
    """
    ranks = rankdata(np.concatenate([positives_P, negatives_P]))
    p, n = len(positives_P), len(negatives_P)
    return float((ranks[:p].sum() - p * (p + 1) / 2) / (p * n))


def average_precision(edge_P: NDArray[np.bool_], score_P: NDArray[np.floating]) -> float:
    """Return Σ (Rₖ − Rₖ₋₁) Pₖ over the distinct scores, from the highest; ties enter together.

    Source: Manning, Raghavan, Schütze, "Introduction to Information Retrieval" (2008), section 8.4.
    """
    order = np.argsort(-score_P, kind="stable")
    hits, sorted_P = np.cumsum(edge_P[order]), score_P[order]
    ends = np.append(np.flatnonzero(np.diff(sorted_P)), len(sorted_P) - 1)
    gained = np.diff(hits[ends], prepend=0) / hits[-1]
    return float((gained * hits[ends] / (ends + 1)).sum())
