"""Scores of pairs by a formula over the graph: the floor that learning must clear.

Shapes: V nodes, P pairs, B nodes of a block.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from assay.interactions.data.links import Graph

Values = NDArray[np.float64]
Heuristic = Callable[[Graph, NDArray[np.integer]], Values]

_BLOCK = 512
"""Nodes whose scores with all others are held at a time."""


def common_neighbours(graph: Graph, pairs_P2: NDArray[np.integer]) -> Values:
    """Return (P,) |Γ(u) ∩ Γ(v)|: Newman, Phys. Rev. E 64, 025102 (2001)."""
    adjacency_VV = adjacency_of(graph)
    return _at(pairs_P2, lambda u_B: adjacency_VV[u_B] @ adjacency_VV)


def adamic_adar(graph: Graph, pairs_P2: NDArray[np.integer]) -> Values:
    """Return (P,) Σ 1/log k_x over common neighbours x: Adamic and Adar, Soc. Networks 25 (2003).

    A neighbour in common has two edges at least, so that no logarithm is 0.
    """
    adjacency_VV = adjacency_of(graph)
    weight_V = 1 / np.log(np.maximum(adjacency_VV.sum(0), 2))
    return _at(pairs_P2, lambda u_B: (adjacency_VV[u_B] * weight_V) @ adjacency_VV)


def resource_allocation(graph: Graph, pairs_P2: NDArray[np.integer]) -> Values:
    """Return (P,) Σ 1/k_x over common neighbours x: Zhou et al., Eur. Phys. J. B 71, 623 (2009)."""
    adjacency_VV = adjacency_of(graph)
    weight_V = 1 / np.maximum(adjacency_VV.sum(0), 1)
    return _at(pairs_P2, lambda u_B: (adjacency_VV[u_B] * weight_V) @ adjacency_VV)


def paths_of_length_3(graph: Graph, pairs_P2: NDArray[np.integer]) -> Values:
    """Return (P,) Σ a_ux a_xy a_yv / √(k_x k_y): paths u-x-y-v, those through hubs counting less.

    Source: Kovács et al., "Network-based prediction of protein interactions", Nat. Commun. 10, 1240
    (2019), equation 2: those interact whose partners are alike, which neighbours in common miss.
    """
    adjacency_VV = adjacency_of(graph)
    scale_V = 1 / np.sqrt(np.maximum(adjacency_VV.sum(0), 1))
    step_VV = adjacency_VV * scale_V
    return _at(pairs_P2, lambda u_B: ((step_VV[u_B] @ adjacency_VV) * scale_V) @ adjacency_VV)


HEURISTICS: Mapping[str, Heuristic] = {
    "common neighbours": common_neighbours,
    "Adamic-Adar": adamic_adar,
    "resource allocation": resource_allocation,
    "paths of length 3": paths_of_length_3,
}


def adjacency_of(graph: Graph) -> Values:
    """Return (V, V) of 0 and 1."""
    u_E, v_E = graph.edges_E2.numpy().T
    adjacency_VV = np.zeros((graph.n_nodes, graph.n_nodes))
    adjacency_VV[u_E, v_E] = adjacency_VV[v_E, u_E] = 1.0
    return adjacency_VV


def _at(
    pairs_P2: NDArray[np.integer], scores_of: Callable[[NDArray[np.integer]], Values]
) -> Values:
    """Return (P,) the scores of pairs, from the rows of one block of nodes after the other."""
    found_P = np.empty(len(pairs_P2))
    nodes = np.unique(pairs_P2[:, 0])
    for start in range(0, len(nodes), _BLOCK):
        u_B = nodes[start : start + _BLOCK]
        mine_P = np.flatnonzero(np.isin(pairs_P2[:, 0], u_B))
        rows = np.searchsorted(u_B, pairs_P2[mine_P, 0])
        found_P[mine_P] = scores_of(u_B)[rows, pairs_P2[mine_P, 1]]
    return found_P
