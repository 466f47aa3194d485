"""How a graph is held while layers pass messages over it: a dense matrix, or a sparse one.

Which one is chosen by the graph's density and size, here and nowhere else. Edges that are to be
foretold can be hidden for a pass, without building the matrix again.

Shapes: V nodes, E edges, M directed edges (2E), F features, A attributes of an edge, B hidden
edges.
"""

import warnings
from typing import Any, Self

import torch
from torch import Tensor

from assay.interactions.constant import Constant
from assay.interactions.data.links import Graph

DENSE_SHARE = 1 / 64
"""Of all pairs that are edges, from which products with a dense matrix are faster."""
MOST_DENSE_NODES = 8192
"""A dense float32 matrix of so many takes 256 MiB, and attention some of them a head."""


class Messages(Constant):
    """The adjacency matrix A of a graph. It follows the model to its device, in no checkpoint."""

    adjacency_VV: Tensor
    """0 and 1, float32: dense or CSR."""
    edges_2M: Tensor
    """int64: source and target, every edge in both directions, by target."""
    degrees_V: Tensor
    """float32."""
    attributes: Tensor | None
    """float32, what is told of edges: (A, V, V), target before source and 0 elsewhere, where the
    graph is dense; else (M, A)."""

    def __init__(self, graph: Graph, dense: bool, attributes_EA: Tensor | None = None) -> None:
        super().__init__()
        self.n_nodes, self.dense = graph.n_nodes, dense
        edges_2M = _both_ways(graph.edges_E2, graph.n_nodes)
        matrix = _matrix(edges_2M, graph.n_nodes)
        self.register_buffer("edges_2M", edges_2M, persistent=False)
        held = matrix.to_dense() if dense else matrix
        self.register_buffer("adjacency_VV", held, persistent=False)
        degrees_V = torch.bincount(edges_2M[1], minlength=graph.n_nodes).float()
        self.register_buffer("degrees_V", degrees_V, persistent=False)
        told = None if attributes_EA is None else _told(graph, edges_2M, attributes_EA, dense)
        self.register_buffer("attributes", told, persistent=False)
        self._halved: Tensor | None = None

    @classmethod
    def of(cls, graph: Graph, attributes_EA: Tensor | None = None) -> Self:
        """Hold a graph in the way that is faster for its density, where that fits.

        Args:
            graph: Of E edges.
            attributes_EA: What is told of each.
        """
        V = graph.n_nodes
        share = len(graph.edges_E2) / max(1, V * (V - 1) // 2)
        dense = share >= DENSE_SHARE and V <= MOST_DENSE_NODES
        return cls(graph, dense, attributes_EA)

    def without(self, hidden_B2: Tensor | None) -> "Visible":
        """Return what is seen when the given edges (B, 2) are hidden; None hides nothing."""
        return Visible(self, hidden_B2)

    def sums(self, x_VF: Tensor, exact: bool = False) -> Tensor:
        """Return (V, F) A x, in float32; in autocast's precision if A is dense, unless `exact`."""
        kind = x_VF.device.type
        lower = self.dense and torch.is_autocast_enabled(kind) and not exact
        x_VF = x_VF.to(torch.get_autocast_dtype(kind) if lower else torch.float32)
        return _product(self._adjacency_in(x_VF.dtype), x_VF)

    def _adjacency_in(self, dtype: torch.dtype) -> Tensor:
        if dtype == self.adjacency_VV.dtype:
            return self.adjacency_VV
        here = (dtype, self.adjacency_VV.device)
        if self._halved is None or (self._halved.dtype, self._halved.device) != here:
            self._halved = self.adjacency_VV.to(dtype)
        return self._halved


class Visible:
    """A graph less the edges that are hidden for this pass."""

    def __init__(self, messages: Messages, hidden_B2: Tensor | None) -> None:
        self._messages, self._hidden_2H, self._hidden = messages, None, None
        self.degrees_V = messages.degrees_V
        """float32."""
        if hidden_B2 is not None and len(hidden_B2):
            V = messages.n_nodes
            self._hidden_2H = _both_ways(hidden_B2, V)
            self._hidden = _matrix(self._hidden_2H, V)
            self.degrees_V = self.degrees_V - torch.bincount(self._hidden_2H[1], minlength=V)

    @property
    def dense(self) -> bool:
        """Whether attention should look at all pairs and mask those that are no edges."""
        return self._messages.dense

    def sums(self, x_VF: Tensor) -> Tensor:
        """Return (V, F): of each node, the sum over its neighbours."""
        if self._hidden is None:
            return self._messages.sums(x_VF)
        # Exactly, or else what is hidden would leave its rounding behind.
        found_VF = self._messages.sums(x_VF, exact=True)
        return found_VF - _product(self._hidden, x_VF.float())

    def normalised(self, x_VF: Tensor) -> Tensor:
        """Return (V, F) D^-½ (A + I) D^-½ x, with D the degrees that count a node itself."""
        scale_V1 = (self.degrees_V + 1).rsqrt()[:, None]
        scaled_VF = x_VF * scale_V1
        return (self.sums(scaled_VF) + scaled_VF) * scale_V1

    def means(self, x_VF: Tensor) -> Tensor:
        """Return (V, F) D⁻¹ A x; 0 for a node without neighbours."""
        return self.sums(x_VF) / self.degrees_V.clamp(min=1)[:, None]

    def neighbours(self) -> Tensor:
        """Return bool (V, V): who is whose neighbour, of a graph that is held densely."""
        found_VV = self._messages.adjacency_VV > 0
        if self._hidden_2H is not None:
            found_VV[self._hidden_2H[0], self._hidden_2H[1]] = False
        return found_VV

    def edges(self) -> Tensor:
        """Return int64 (2, M): source and target of the directed edges that are seen."""
        edges_2M = self._messages.edges_2M
        return edges_2M if self._hidden_2H is None else edges_2M[:, self._seen_M()]

    def attributes(self) -> Tensor | None:
        """Return (M, A) what is told of `edges`, of a graph that is held sparsely."""
        told_MA = self._messages.attributes
        return told_MA if told_MA is None or self._hidden_2H is None else told_MA[self._seen_M()]

    @property
    def attributes_AVV(self) -> Tensor:
        """(A, V, V) what is told of edges, of a graph that is held densely; hidden ones, too."""
        assert self._messages.attributes is not None, "nothing is told of edges"
        return self._messages.attributes

    def _seen_M(self) -> Tensor:
        """Return bool (M,): which directed edges are not hidden."""
        assert self._hidden_2H is not None
        V = self._messages.n_nodes
        every, hidden = (p[0] * V + p[1] for p in (self._messages.edges_2M, self._hidden_2H))
        return ~torch.isin(every, hidden)


class _Symmetric(torch.autograd.Function):
    """The product with a constant symmetric matrix, whose backward pass needs no transpose."""

    @staticmethod
    def forward(ctx: Any, matrix_VV: Tensor, x_VF: Tensor) -> Tensor:
        ctx.matrix_VV = matrix_VV
        return matrix_VV @ x_VF

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        (gradient_VF,) = gradients
        return None, ctx.matrix_VV @ gradient_VF


def _product(matrix_VV: Tensor, x_VF: Tensor) -> Tensor:
    with torch.autocast(x_VF.device.type, enabled=False):
        return _Symmetric.apply(matrix_VV, x_VF)


def _both_ways(edges_E2: Tensor, n_nodes: int) -> Tensor:
    """Return int64 (2, M), each pair once in both directions, by target and then source."""
    u_E, v_E = edges_E2.unbind(1)
    codes_M = torch.cat([v_E * n_nodes + u_E, u_E * n_nodes + v_E]).unique()
    return torch.stack([codes_M % n_nodes, codes_M // n_nodes])


def _told(graph: Graph, edges_2M: Tensor, attributes_EA: Tensor, dense: bool) -> Tensor:
    V, (u_E, v_E) = graph.n_nodes, graph.edges_E2.unbind(1)
    if dense:
        told_AVV = attributes_EA.new_zeros(attributes_EA.shape[1], V, V)
        told_AVV[:, u_E, v_E] = told_AVV[:, v_E, u_E] = attributes_EA.t()
        return told_AVV
    codes_M = edges_2M[1] * V + edges_2M[0]
    told_MA = attributes_EA.new_empty(len(codes_M), attributes_EA.shape[1])
    for codes_E in (u_E * V + v_E, v_E * V + u_E):
        told_MA[torch.searchsorted(codes_M, codes_E)] = attributes_EA
    return told_MA


def _matrix(edges_2M: Tensor, n_nodes: int) -> Tensor:
    """Return CSR (V, V), float32: a row a target; edges are in its order."""
    source_M, target_M = edges_2M
    counts_V = torch.bincount(target_M, minlength=n_nodes)
    crow = torch.cat([counts_V.new_zeros(1), counts_V.cumsum(0)])
    ones_M = torch.ones(len(source_M), device=edges_2M.device)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            crow, source_M, ones_M, (n_nodes, n_nodes), check_invariants=False
        )
