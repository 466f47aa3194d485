"""The neighbourhood of a batch, for graphs whose nodes do not fit into a step.

A few neighbours of each node, a few of each of those, and so on, as many steps as the encoder has
layers. What a node draws is a function of seed, step and node, so that a resumed run samples alike.
A node also sees those who drew it, so that a micro-batch, or a worker's part, has a neighbourhood
of its own: training depends on how many parts a step is done in. PyG's loader does the same from a
generator's state, and needs a compiled library that is not to be had everywhere.

Source: Hamilton et al., "Inductive representation learning on large graphs", NeurIPS 2017,
algorithm 2. Where a layer weighs by degrees, as the GCN's does, they are those within the part.
Shapes: V nodes of the graph, S nodes asked for, N nodes of the part, F neighbours of a
node, B pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from assay.interactions.data.links import Graph
from assay.interactions.messages import Messages
from assay.training.draws import Draws


@dataclass(frozen=True)
class Part:
    """Some nodes of a graph and some edges among them."""

    nodes_N: Tensor
    """int64, ascending: which nodes of the graph they are."""
    messages: Messages

    def local(self, pairs_B2: Tensor) -> Tensor:
        """Return pairs of nodes of the graph, all of them here, by their place in the part."""
        return torch.searchsorted(self.nodes_N, pairs_B2)


@dataclass(frozen=True)
class Neighbours:
    """Who is whose neighbour, in lists that stand one behind the other."""

    n_nodes: int
    begin_V: Tensor
    """int64 (V + 1,): where a node's list begins."""
    lists_M: Tensor
    """int64: the neighbours of node 0, then those of node 1, and so on."""

    @classmethod
    def of(cls, graph: Graph) -> Self:
        """Make the lists of a graph."""
        u_E, v_E = graph.edges_E2.unbind(1)
        source_M, target_M = torch.cat([u_E, v_E]), torch.cat([v_E, u_E])
        order_M = torch.argsort(source_M * graph.n_nodes + target_M)
        counts_V = torch.bincount(source_M, minlength=graph.n_nodes)
        begin_V = torch.cat([counts_V.new_zeros(1), counts_V.cumsum(0)])
        return cls(graph.n_nodes, begin_V, target_M[order_M])

    def to(self, device: torch.device) -> Self:
        """Return the same on `device`."""
        lists_M = self.lists_M.to(device)
        return replace(self, begin_V=self.begin_V.to(device), lists_M=lists_M)

    def sample(self, nodes_S: Tensor, count: int, seed: int, step: int) -> Tensor:
        """Return int64 (·, 2): each node with `count` of its neighbours, or with all of fewer.

        Drawn with replacement, and a pair may come several times.
        """
        begin_S1 = self.begin_V[nodes_S][:, None]
        degree_S1 = self.begin_V[nodes_S + 1][:, None] - begin_S1
        drawn_SF = (Draws(seed, step, nodes_S).uniform("neighbours", count) * degree_S1).long()
        place_F = torch.arange(count, device=nodes_S.device)
        offset_SF = torch.where(degree_S1 <= count, place_F, drawn_SF.clamp(max=degree_S1 - 1))
        there_SF = offset_SF < degree_S1
        found_SF = self.lists_M[(begin_S1 + offset_SF).clamp(max=len(self.lists_M) - 1)]
        pairs_SF2 = torch.stack([nodes_S[:, None].expand_as(found_SF), found_SF], dim=-1)
        return pairs_SF2[there_SF]

    def around(
        self,
        pairs_B2: Tensor,
        counts: Sequence[int],
        seed: int,
        step: int,
        hidden_B2: Tensor | None,
    ) -> Part:
        """Return the neighbourhood of all nodes of some pairs.

        Args:
            pairs_B2: int64.
            counts: How many neighbours of a node are taken at the first step, the second, …
            seed: With `step`, decides which.
            step: Of training.
            hidden_B2: Edges that are left out of it.
        """
        V, known_N = self.n_nodes, pairs_B2.unique()
        front_S, codes = known_N, [pairs_B2.new_empty(0)]
        for count in counts:
            low, high = self.sample(front_S, count, seed, step).sort(dim=1).values.unbind(1)
            codes.append(low * V + high)
            reached = torch.cat([low, high]).unique()
            front_S = reached[~torch.isin(reached, known_N)]
            known_N = torch.cat([known_N, front_S]).sort().values
        codes_E = torch.cat(codes).unique()
        if hidden_B2 is not None:
            low, high = hidden_B2.sort(dim=1).values.unbind(1)
            codes_E = codes_E[~torch.isin(codes_E, low * V + high)]
        edges_E2 = torch.stack([codes_E // V, codes_E % V], dim=1)
        local = Graph(len(known_N), torch.searchsorted(known_N, edges_E2))
        return Part(known_N, Messages.of(local))
