"""Scores of pairs by a formula over the graph: the floor that learning must clear.

Products are of the sparse graph with a block of nodes, so that memory follows the edges and the
block, never all pairs. Shapes: V nodes, P pairs, B nodes of a block.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from assay.interactions.data.links import Graph

Values = NDArray[np.float64]
Nodes = NDArray[np.integer]
Pairs = NDArray[np.integer]
Heuristic = Callable[[Graph, Pairs], Values]

BLOCK = 1 << 19
"""Scores that are held at a time: 4 MiB, which a processor's cache keeps."""


def common_neighbours(graph: Graph, pairs_P2: Pairs) -> Values:
    """Return (P,) |Γ(u) ∩ Γ(v)|: Newman, Phys. Rev. E 64, 025102 (2001)."""
    adjacency_VV = adjacency_of(graph)
    weight_V = np.ones(graph.n_nodes)
    return _at(pairs_P2, graph.n_nodes, lambda u_B: shared(adjacency_VV, weight_V, u_B))


def adamic_adar(graph: Graph, pairs_P2: Pairs) -> Values:
    """Return (P,) Σ 1/log k_x over common neighbours x: Adamic and Adar, Soc. Networks 25 (2003).

    A neighbour in common has two edges at least, so that no logarithm is 0.
    """
    adjacency_VV = adjacency_of(graph)
    weight_V = 1 / np.log(np.maximum(degrees_of(adjacency_VV), 2))
    return _at(pairs_P2, graph.n_nodes, lambda u_B: shared(adjacency_VV, weight_V, u_B))


def resource_allocation(graph: Graph, pairs_P2: Pairs) -> Values:
    """Return (P,) Σ 1/k_x over common neighbours x: Zhou et al., Eur. Phys. J. B 71, 623 (2009)."""
    adjacency_VV = adjacency_of(graph)
    weight_V = 1 / np.maximum(degrees_of(adjacency_VV), 1)
    return _at(pairs_P2, graph.n_nodes, lambda u_B: shared(adjacency_VV, weight_V, u_B))


def paths_of_length_3(graph: Graph, pairs_P2: Pairs) -> Values:
    """Return (P,) Σ a_ux a_xy a_yv / √(k_x k_y): paths u-x-y-v, those through hubs counting less.

    Source: Kovács et al., "Network-based prediction of protein interactions", Nat. Commun. 10, 1240
    (2019), equation 2: those interact whose partners are alike, which neighbours in common miss.
    """
    adjacency_VV = adjacency_of(graph)
    scale_V = 1 / np.sqrt(np.maximum(degrees_of(adjacency_VV), 1))

    def scores_of(u_B: Nodes) -> Values:
        return adjacency_VV @ (scale_V[:, None] * shared(adjacency_VV, scale_V, u_B))

    return _at(pairs_P2, graph.n_nodes, scores_of)


HEURISTICS: Mapping[str, Heuristic] = {
    "common_neighbours": common_neighbours,
    "adamic_adar": adamic_adar,
    "resource_allocation": resource_allocation,
    "paths_of_length_3": paths_of_length_3,
}


def adjacency_of(graph: Graph) -> csr_array:
    """Return (V, V) of 0 and 1, sparse."""
    return joined(graph.edges_E2.numpy(), graph.n_nodes)


def joined(edges_E2: Pairs, n_nodes: int) -> csr_array:
    """Return (V, V), sparse: 1 where two nodes have an edge, in whichever order it is given."""
    u_E, v_E = edges_E2.astype(np.int64).T
    ends = np.concatenate([u_E, v_E]), np.concatenate([v_E, u_E])
    found_VV = csr_array((np.ones(len(ends[0])), ends), shape=(n_nodes, n_nodes))
    found_VV.data[:] = 1  # of an edge that is given twice, too
    return found_VV


def degrees_of(adjacency_VV: csr_array) -> Values:
    """Return (V,)."""
    return np.diff(adjacency_VV.indptr).astype(np.float64)


def shared(adjacency_VV: csr_array, weight_V: Values, u_B: Nodes) -> Values:
    """Return (V, B): the summed weights of the neighbours that each node shares with some."""
    return adjacency_VV @ (weight_V[:, None] * adjacency_VV[u_B].toarray().T)


def blocks(nodes: Nodes, n_nodes: int) -> Iterator[Nodes]:
    """Yield a few nodes at a time, whose scores with all others are one block."""
    size = max(1, BLOCK // n_nodes)
    for begin in range(0, len(nodes), size):
        yield nodes[begin : begin + size]


def _at(pairs_P2: Pairs, n_nodes: int, scores_of: Callable[[Nodes], Values]) -> Values:
    """Return (P,) the scores of pairs, from those (V, B) of one block of nodes after the other."""
    found_P = np.empty(len(pairs_P2))
    order_P = np.argsort(pairs_P2[:, 0], kind="stable")
    first_P = pairs_P2[order_P, 0]
    for u_B in blocks(np.unique(first_P), n_nodes):
        begin, end = np.searchsorted(first_P, [u_B[0], u_B[-1] + 1])
        mine_P = order_P[begin:end]
        columns_P = np.searchsorted(u_B, pairs_P2[mine_P, 0])
        found_P[mine_P] = scores_of(u_B)[pairs_P2[mine_P, 1], columns_P]
    return found_P
