"""How a graph is held while layers pass messages over it: a dense matrix, or lists of edges.

Shapes: V nodes, M directed edges, H heads, C channels of a head, D width.
"""

from typing import Self

import torch
from torch import Tensor, nn
from torch_geometric.utils import add_self_loops, to_undirected

from assay.interactions.data.links import Graph

DENSE_SHARE = 1 / 64
"""Of all pairs that are edges, from which products with a dense matrix are faster."""
MOST_DENSE_NODES = 8192
"""A dense float32 matrix of so many takes 256 MiB, and attention some of them a head."""


class Messages(nn.Module):
    """A graph's operators. They follow the model to its device and are part of no checkpoint."""

    edges_2M: Tensor
    """int64: source and target, every edge in both directions."""
    normalised_VV: Tensor
    """Â = D^-½ (A + I) D^-½, dense or CSR."""
    mean_VV: Tensor
    """D⁻¹ A, dense or CSR; the row of a node without neighbours is 0."""
    neighbours_VV: Tensor | None
    """bool A, where the graph is held densely."""

    def __init__(self, graph: Graph, dense: bool) -> None:
        super().__init__()
        self.n_nodes, self.dense = graph.n_nodes, dense
        edges_2M = to_undirected(graph.edges_E2.t().contiguous(), num_nodes=graph.n_nodes)
        looped_2M = add_self_loops(edges_2M, num_nodes=graph.n_nodes)[0]
        degree_V = torch.bincount(looped_2M[1], minlength=graph.n_nodes).float()
        scale_V = degree_V.rsqrt()
        source_M, target_M = looped_2M
        self._keep("normalised_VV", looped_2M, scale_V[source_M] * scale_V[target_M])
        self._keep("mean_VV", edges_2M, 1 / (degree_V - 1)[edges_2M[1]])
        self.register_buffer("edges_2M", edges_2M, persistent=False)
        neighbours_VV = None
        if dense:
            neighbours_VV = torch.zeros(graph.n_nodes, graph.n_nodes, dtype=torch.bool)
            neighbours_VV[edges_2M[1], edges_2M[0]] = True
        self.register_buffer("neighbours_VV", neighbours_VV, persistent=False)

    @classmethod
    def of(cls, graph: Graph) -> Self:
        """Hold a graph in the way that is faster for its density, where that fits."""
        V = graph.n_nodes
        share = len(graph.edges_E2) / max(1, V * (V - 1) // 2)
        return cls(graph, dense=share >= DENSE_SHARE and V <= MOST_DENSE_NODES)

    def _keep(self, name: str, edges_2M: Tensor, weight_M: Tensor) -> None:
        source_M, target_M = edges_2M
        V = self.n_nodes
        matrix = torch.sparse_coo_tensor(torch.stack([target_M, source_M]), weight_M, (V, V))
        held = matrix.to_dense() if self.dense else matrix.coalesce().to_sparse_csr()
        self.register_buffer(name, held, persistent=False)
