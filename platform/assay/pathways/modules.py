"""Modules of a pathway, and their decoding before that of their content.

A module is what several nodes are together: a cycle, a branch, a merging, a chain; and the nodes
that reactions of one class join, which share their co-metabolites (oxidoreductases NAD(P)H, kinases
and other transferases ATP …), for currency metabolites themselves are in no graph. A node may be
of several. The decoder first says which modules a graph has, then which nodes are of each, and
lets edges depend on the modules of their ends, direction included.

Shapes: B graphs, N nodes (padded), M modules, L latent entries, D width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from assay.pathways.batches import PathwayBatch
from assay.pathways.graphs import REACTION_CLASSES
from assay.pathways.means import mean

SHAPES = ("cycle", "branch", "merging", "chain")
MODULES = (*SHAPES, *REACTION_CLASSES[1:])


def memberships(batch: PathwayBatch) -> Tensor:
    """Return bool (B, N, M): which nodes of real graphs are of which modules.

    A cycle has three nodes or more, and no edge whose reverse is there too: those are none.
    """
    adjacency_BNN = batch.adjacency_BNN
    outgoing_BN, incoming_BN = adjacency_BNN.sum(2), adjacency_BNN.sum(1)
    cycle_BN = _closed(adjacency_BNN & ~adjacency_BNN.mT)
    branch_BN, merging_BN = outgoing_BN > 1, incoming_BN > 1
    chain_BN = batch.mask_BN & ~(cycle_BN | branch_BN | merging_BN)
    joined = [cycle_BN, branch_BN, merging_BN, chain_BN]
    for kind in range(1, len(REACTION_CLASSES)):
        of_kind_BNN = batch.reactions_BNN == kind
        joined.append(of_kind_BNN.any(1) | of_kind_BNN.any(2))
    return torch.stack(joined, -1)


@dataclass(frozen=True)
class DecodedModules:
    """What a graph is made of, from its latents."""

    present_BM: Tensor
    """Log odds that a graph has such a module."""
    members_BNM: Tensor
    """Log odds that a node is of it."""
    content_BND: Tensor
    """What a node is told by its modules."""
    edges_BNN: Tensor
    """What the modules of its ends add to the log odds of an edge."""


class ModuleDecoder(nn.Module):
    """From a graph's latents to its modules, and from them to what their nodes are."""

    def __init__(self, nodes: int, graph: int, width: int) -> None:
        """Build it for latents of nodes and of graphs of these widths."""
        super().__init__()
        self.present = nn.Sequential(
            nn.Linear(graph, width), nn.SiLU(), nn.Linear(width, len(MODULES))
        )
        self.members = nn.Sequential(
            nn.Linear(nodes + len(MODULES), width), nn.SiLU(), nn.Linear(width, len(MODULES))
        )
        self.content = nn.Linear(len(MODULES), width, bias=False)
        self.blocks = nn.Parameter(torch.zeros(len(MODULES), len(MODULES)))

    def forward(self, nodes_BNL: Tensor, graph_BL: Tensor) -> DecodedModules:
        """Return modules first, then their members."""
        present_BM = self.present(graph_BL)
        chance_BNM = present_BM.sigmoid().unsqueeze(1).expand(-1, nodes_BNL.shape[1], -1)
        members_BNM = self.members(torch.cat([nodes_BNL, chance_BNM], -1))
        belongs_BNM = members_BNM.sigmoid() * chance_BNM
        return DecodedModules(
            present_BM,
            members_BNM,
            self.content(belongs_BNM),
            belongs_BNM @ self.blocks @ belongs_BNM.mT,
        )


def loss(decoded: DecodedModules, batch: PathwayBatch) -> Tensor:
    """Return the cross-entropies of a graph's modules and, of those it has, of their members."""
    members_BNM = memberships(batch)
    present_BM = members_BNM.any(1)
    of_graph = binary_cross_entropy_with_logits(
        decoded.present_BM, present_BM.to(decoded.present_BM.dtype), reduction="none"
    )
    of_nodes = binary_cross_entropy_with_logits(
        decoded.members_BNM, members_BNM.to(decoded.members_BNM.dtype), reduction="none"
    )
    counted_BNM = batch.mask_BN.unsqueeze(-1) & present_BM.unsqueeze(1)
    return mean(of_graph, torch.ones_like(present_BM)) + mean(of_nodes, counted_BNM)


def _closed(edges_BNN: Tensor) -> Tensor:
    """Return bool (B, N): the nodes from which some way leads back to them."""
    reach_BNN = edges_BNN.to(torch.float32)
    for _ in range(max(1, edges_BNN.shape[1].bit_length())):
        reach_BNN = ((reach_BNN + reach_BNN @ reach_BNN) > 0).to(torch.float32)
    return reach_BNN.diagonal(dim1=1, dim2=2) > 0
