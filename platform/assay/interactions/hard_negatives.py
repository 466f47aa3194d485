"""Hard negatives of every edge, and the rank of the edge among them.

Pairs drawn at random are told from edges by degree alone. Here each edge is held against pairs
that share one of its nodes and that heuristics take for edges: of node u the candidates are the
nodes with the best rank by resource allocation or by personalised PageRank, whichever is better.

Source: Li et al., "Evaluating graph neural networks for link prediction: current pitfalls and new
benchmarking" (HeaRT), NeurIPS 2023. Shapes: V nodes, C candidates of a node, P edges, B nodes of a
block.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from assay.interactions.data.links import Graph
from assay.interactions.heuristics import adjacency_of
from assay.statistics.intervals import Interval, linearised, wilson
from assay.task import Estimate

VERSION = "1"
CANDIDATES = 250
"""Of each end of an edge, so that it has 500 negatives."""
RETURN = 0.15
"""Probability with which PageRank's walker goes back to where it began."""
_BLOCK, _DIGITS = 512, 10

Scores = NDArray[np.floating]
Pairs = NDArray[np.integer]


def candidates(graph: Graph, edges_E2: Pairs, count: int = CANDIDATES) -> NDArray[np.int64]:
    """Return (V, C) the hardest partners of every node that it has no edge with, best first.

    Of equal rank the lower node comes first. Where a node has fewer, -1 fills up.

    Args:
        graph: Training edges, which the heuristics see.
        edges_E2: Every edge there is, of all splits: none of them is a candidate.
        count: C.
    """
    V, u_E, v_E = graph.n_nodes, *edges_E2.T
    joined_VV = np.eye(V, dtype=bool)
    joined_VV[u_E, v_E] = joined_VV[v_E, u_E] = True
    C = min(count, V)
    found_VC = np.empty((V, C), np.int64)
    for begin, scores in _blocks(graph):
        barred_BV = joined_VV[begin : begin + len(scores[0])]
        rank_BV = np.minimum(*(_ranks(each, barred_BV) for each in scores))
        order_BC = np.argsort(rank_BV, axis=1, kind="stable")[:, :C]
        is_barred_BC = np.take_along_axis(barred_BV, order_BC, axis=1)
        found_VC[begin : begin + len(order_BC)] = np.where(is_barred_BC, -1, order_BC)
    return found_VC


def evaluate(
    score: Callable[[Pairs], Scores], edges_P2: Pairs, candidates_VC: NDArray[np.int64]
) -> dict[str, Estimate]:
    """Return the mean reciprocal rank of edges among their hard negatives, and Hits@20 there.

    A rank counts the negatives above the edge and half of those that tie with it.

    Args:
        score: Returns (N,) scores of pairs (N, 2).
        edges_P2: The edges that are judged.
        candidates_VC: As `candidates` returns them.
    """
    nodes_N, places_N = np.nonzero(candidates_VC >= 0)
    scores_VC = np.full(candidates_VC.shape, -np.inf)
    scores_VC[nodes_N, places_N] = score(
        np.stack([nodes_N, candidates_VC[nodes_N, places_N]], axis=1)
    )
    ascending_VC = np.sort(scores_VC, axis=1)
    edge_P = score(edges_P2)
    beaten_2P = np.stack([_above(ascending_VC, nodes_P, edge_P) for nodes_P in edges_P2.T])
    rank_P = 1 + beaten_2P.sum(axis=0)
    reciprocal_P = 1 / rank_P
    mrr, hits = float(reciprocal_P.mean()), int((rank_P <= 20).sum())
    ends = linearised(mrr, reciprocal_P - mrr, 0.0, 1.0)
    return {
        "heart/mrr": _estimate(mrr, ends, len(rank_P)),
        "heart/hits_at_20": _estimate(hits / len(rank_P), wilson(hits, len(rank_P)), len(rank_P)),
    }


def _above(ascending_VC: Scores, nodes_P: NDArray[np.integer], edge_P: Scores) -> Scores:
    """Return (P,) how many candidates of a node score above its edge, a tie being half of one."""
    found_P = np.empty(len(edge_P))
    order_P = np.argsort(nodes_P, kind="stable")
    nodes, starts = np.unique(nodes_P[order_P], return_index=True)
    C = ascending_VC.shape[1]
    for node, places in zip(nodes, np.split(order_P, starts[1:]), strict=True):
        row_C, mine = ascending_VC[node], edge_P[places]
        not_above = np.searchsorted(row_C, mine, side="right")
        below = np.searchsorted(row_C, mine, side="left")
        found_P[places] = C - (not_above + below) / 2
    return found_P


def _estimate(value: float, ends: Interval, n: int) -> Estimate:
    low, high = ends
    return Estimate(value=value, low=low, high=high, n=n, version=VERSION, better="higher")


def _blocks(graph: Graph) -> Iterator[tuple[int, tuple[Scores, Scores]]]:
    """Yield the first node of each block and its (B, V) scores by both heuristics."""
    adjacency_VV = adjacency_of(graph)
    degree_V = np.maximum(adjacency_VV.sum(0), 1)
    pagerank_VV = _pagerank(adjacency_VV / degree_V[:, None])
    for begin in range(0, graph.n_nodes, _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        allocation_BV = (adjacency_VV[rows] / degree_V) @ adjacency_VV
        yield begin, (allocation_BV, pagerank_VV[rows])


def _pagerank(step_VV: Scores) -> Scores:
    """Return (V, V): where a walker from each node is found, α (I - (1 - α) D⁻¹A)⁻¹."""
    V = len(step_VV)
    return RETURN * np.linalg.inv(np.eye(V) - (1 - RETURN) * step_VV)


def _ranks(scores_BV: Scores, barred_BV: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (B, V): 0 for the best; what is barred comes last, ties in the order of nodes.

    Scores are rounded, or else the last bits of a product would order those that are equal.
    """
    rounded_BV = np.round(scores_BV, _DIGITS)
    order_BV = np.argsort(np.where(barred_BV, np.inf, -rounded_BV), axis=1, kind="stable")
    rank_BV = np.empty_like(order_BV)
    places_V = np.arange(scores_BV.shape[1])
    np.put_along_axis(rank_BV, order_BV, np.broadcast_to(places_V, order_BV.shape), axis=1)
    rank_BV[barred_BV] = np.iinfo(np.int64).max
    return rank_BV
