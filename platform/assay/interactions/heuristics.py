"""Scores of pairs by a formula over the graph: the floor that learning must clear.

Shapes: V nodes, P pairs.
"""

import numpy as np
from numpy.typing import NDArray

from assay.interactions.data.links import Graph


def paths_of_length_3(graph: Graph, pairs_P2: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return (P,) Σ a_ux a_xy a_yv / √(k_x k_y): paths u-x-y-v, those through hubs counting less.

    Source: Kovács et al., "Network-based prediction of protein interactions", Nat. Commun. 10, 1240
    (2019), equation 2: those interact whose partners are alike, which neighbours in common miss.
    """
    u_E, v_E = graph.edges_E2.numpy().T
    adjacency_VV = np.zeros((graph.n_nodes, graph.n_nodes))
    adjacency_VV[u_E, v_E] = adjacency_VV[v_E, u_E] = 1.0
    step_VV = adjacency_VV / np.sqrt(np.maximum(adjacency_VV.sum(0), 1.0))
    return (step_VV @ step_VV @ adjacency_VV)[pairs_P2[:, 0], pairs_P2[:, 1]]
