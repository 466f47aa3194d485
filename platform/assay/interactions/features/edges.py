"""What encoders can be told of edges, beside that they are there: how the graph lies around them.

The graphs of this family have no attributes of their own; what is counted is of training edges
alone, and never the edge itself.

Shapes: E edges, A attributes.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from assay.interactions.data.links import Graph
from assay.interactions.heuristics import (
    HEURISTICS,
    Pairs,
    Values,
    adjacency_of,
    degrees_of,
    paths_of_length_3,
)


def edge_attributes(graph: Graph, names: Sequence[str]) -> Tensor:
    """Return float32 (E, A): log(1 + score) of every edge by each heuristic, standardised.

    The mean over edges is 0 and the variance 1; 0 where all edges have one score.

    Args:
        graph: of training edges.
        names: of `assay.interactions.heuristics.HEURISTICS`.
    """
    pairs_E2 = graph.edges_E2.numpy()
    scores_EA = np.stack([np.log1p(_beside(graph, name, pairs_E2)) for name in names], axis=1)
    spread_A = scores_EA.std(axis=0)
    centred_EA = scores_EA - scores_EA.mean(axis=0)
    scaled_EA = np.divide(
        centred_EA, spread_A, out=np.zeros_like(centred_EA), where=spread_A > 1e-12
    )
    return torch.from_numpy(scaled_EA.astype(np.float32))


def _beside(graph: Graph, name: str, pairs_E2: Pairs) -> Values:
    """Return (E,) scores of edges by all but themselves.

    Of the heuristics only walks u-x-y-v can go along u-v itself: as u-v-y-v, and as u-x-u-v.
    """
    found_E = HEURISTICS[name](graph, pairs_E2)
    if HEURISTICS[name] is not paths_of_length_3:
        return found_E
    adjacency_VV = adjacency_of(graph)
    scale_V = 1 / np.sqrt(np.maximum(degrees_of(adjacency_VV), 1))
    back_V, (u_E, v_E) = scale_V * (adjacency_VV @ scale_V), pairs_E2.T
    along_E = back_V[u_E] + back_V[v_E] - scale_V[u_E] * scale_V[v_E]
    return np.maximum(found_E - along_E, 0)
