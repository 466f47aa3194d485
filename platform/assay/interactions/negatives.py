"""Pairs that are no edge, drawn for training: uniform, exact, and the same on any machine.

Shapes: V nodes, E edges, B records, n negatives of a record.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from assay.errors import DataError
from assay.interactions.data.links import Graph
from assay.training.draws import Draws

_COARSE = float(1 << 20)
"""`Draws.uniform` has 24 bits, the last one rounded: too few for the pairs of some thousand nodes.
So one number chooses among these many equal parts, and a second one within the part."""


@dataclass(frozen=True)
class NonEdges:
    """The pairs u < v of nodes with edges that are none themselves, numbered without being listed.

    Pair (u, v) has the code v(v - 1)/2 + u. With the edges' codes ascending, code_e - e pairs that
    are no edge come before edge e; so a search among these E numbers turns the rank of a pair
    that is no edge into its code. Nothing is rejected, and memory is that of the edges.
    """

    count: int
    before_E: Tensor
    """int64 (E,), ascending: how many pairs that are no edge come before each edge."""
    nodes_V: Tensor
    """int64, ascending: the nodes that have an edge. A node without any is unseen, and what is
    unseen in training is not trained on."""

    @classmethod
    def of(cls, graph: Graph) -> Self:
        """Number the pairs of `graph`.

        Raises:
            DataError: every pair is an edge.
        """
        nodes_V = graph.edges_E2.unique()
        u_E, v_E = torch.searchsorted(nodes_V, graph.edges_E2).unbind(1)
        codes_E = (v_E * (v_E - 1) // 2 + u_E).sort().values
        E = len(codes_E)
        V = len(nodes_V)
        count = V * (V - 1) // 2 - E
        if count == 0:
            raise DataError(
                f"links: all {E:,} pairs of the {V:,} nodes are training edges: no "
                "pair is left as a negative; use a graph with fewer edges"
            )
        return cls(count, codes_E - torch.arange(E), nodes_V)

    def to(self, device: torch.device) -> Self:
        """Return the same on `device`."""
        nodes_V = self.nodes_V.to(device)
        return replace(self, before_E=self.before_E.to(device), nodes_V=nodes_V)

    def pairs(self, ranks: Tensor) -> Tensor:
        """Return int64 (…, 2): the pairs u < v of the given ranks, int64 (…) in 0 … count - 1."""
        codes = ranks + torch.searchsorted(self.before_E, ranks, right=True)
        # Exact: 1 + 8·code is a perfect square at u = 0, and float64 holds it to V of 30 million.
        v = ((1 + (1 + 8 * codes.double()).sqrt()) / 2).floor().long()
        return self.nodes_V[torch.stack([codes - v * (v - 1) // 2, v], dim=-1)]

    def draw(self, draws: Draws, count: int) -> Tensor:
        """Return int64 (B, n, 2): `count` pairs for each record of `draws`, with replacement."""
        coarse_Bn, fine_Bn = draws.uniform("negatives", count, 2).double().unbind(-1)
        share_Bn = ((coarse_Bn * _COARSE).floor() + fine_Bn) / _COARSE
        return self.pairs((share_Bn * self.count).long().clamp(max=self.count - 1))
