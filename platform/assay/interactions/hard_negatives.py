"""Hard negatives of every edge, and the rank of the edge among them.

Pairs drawn at random are told from edges by degree alone. Here each edge is held against pairs
that share one of its nodes and that heuristics take for edges: of node u the candidates are the
nodes with the best rank by resource allocation or by personalised PageRank, whichever is better.

Source: Li et al., "Evaluating graph neural networks for link prediction: current pitfalls and new
benchmarking" (HeaRT), NeurIPS 2023. Shapes: V nodes, C candidates of a node, P edges, B nodes of a
block.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from assay.interactions.data.links import Graph
from assay.interactions.heuristics import (
    Nodes,
    Pairs,
    adjacency_of,
    blocks,
    degrees_of,
    joined,
    shared,
)
from assay.statistics.intervals import Interval, linearised, wilson
from assay.task import Estimate

VERSION = "1"
CANDIDATES = 250
"""Of each end of an edge, so that it has 500 negatives."""
RETURN = 0.15
"""Probability with which PageRank's walker goes back to where it began."""
_DIGITS = 10
_RESIDUAL = 1e-13
"""Of PageRank's equations, so that its error is far below the digits that count."""

Scores = NDArray[np.floating]


def candidates(graph: Graph, edges_E2: Pairs, count: int = CANDIDATES) -> NDArray[np.int64]:
    """Return (V, C) the hardest partners of every node that it has no edge with, best first.

    Of equal rank the lower node comes first. Where a node has fewer, -1 fills up.

    Args:
        graph: Training edges, which the heuristics see.
        edges_E2: Every edge there is, of all splits: none of them is a candidate.
        count: C.
    """
    V = graph.n_nodes
    adjacency_VV, joined_VV = adjacency_of(graph), joined(edges_E2, V)
    degree_V = np.maximum(degrees_of(adjacency_VV), 1)
    C = min(count, V)
    found_VC = np.empty((V, C), np.int64)
    for u_B in blocks(np.arange(V), V):
        barred_BV = joined_VV[u_B].toarray() > 0
        barred_BV[np.arange(len(u_B)), u_B] = True
        scores = (
            shared(adjacency_VV, 1 / degree_V, u_B),  # resource allocation
            _pagerank(adjacency_VV, degree_V, u_B),
        )
        rank_BV = np.minimum(*(_ranks(scores_VB.T, barred_BV) for scores_VB in scores))
        order_BC = np.argsort(rank_BV, axis=1, kind="stable")[:, :C]
        is_barred_BC = np.take_along_axis(barred_BV, order_BC, axis=1)
        found_VC[u_B] = np.where(is_barred_BC, -1, order_BC)
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


def _pagerank(adjacency_VV: csr_array, degree_V: Scores, u_B: Nodes) -> Scores:
    """Return (V, B): where walkers from some nodes are found, rows of α (I - (1 - α) D⁻¹A)⁻¹.

    That is α D^-½ M⁻¹ D^½ with M = I - (1 - α) D^-½ A D^-½, symmetric and of a condition below
    2/α: conjugate gradients (Hestenes and Stiefel, 1952), for all nodes of the block at once.
    """
    root_V1 = np.sqrt(degree_V)[:, None]
    starts = u_B, np.arange(len(u_B))
    x_VB = np.zeros((len(degree_V), len(u_B)))
    left_VB = np.zeros_like(x_VB)
    left_VB[starts] = 1
    way_VB, norm_B = left_VB.copy(), np.ones(len(u_B))
    least = np.finfo(np.float64).tiny  # a column that is solved exactly stays as it is
    while norm_B.max() > _RESIDUAL**2:
        of_way_VB = way_VB - (1 - RETURN) * (adjacency_VV @ (way_VB / root_V1)) / root_V1
        length_B = norm_B / np.maximum((way_VB * of_way_VB).sum(axis=0), least)
        x_VB += length_B * way_VB
        left_VB -= length_B * of_way_VB
        before_B, norm_B = norm_B, (left_VB**2).sum(axis=0)
        way_VB = left_VB + norm_B / np.maximum(before_B, least) * way_VB
    return RETURN * x_VB * root_V1 / root_V1[u_B, 0]


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
