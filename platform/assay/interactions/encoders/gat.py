"""Graph attention network: how much a neighbour counts is learned from both ends.

Source: Veličković et al., "Graph attention networks", ICLR 2018, equations 1 to 5. Shapes: V
nodes, F features, D width, H heads, C channels of a head, A attributes of an edge.
"""

from collections.abc import Sequence
from typing import Self, cast

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch_geometric.nn import GATConv

from assay.config import choose
from assay.interactions.encoder import Encoder, EncoderSettings
from assay.interactions.encoders.gcn import GCNSettings
from assay.interactions.heuristics import HEURISTICS
from assay.interactions.messages import Visible


class AttentionSettings(GCNSettings):
    """As for the GCN, and heads; they share the width."""

    heads: PositiveInt = 2
    # Out of the cell where there are none: what was run before them keeps its key.
    edges: list[str] = Field(default=[], exclude_if=lambda names: not names)
    """What a layer is told of every edge: scores of it by heuristics over the training edges, as
    `assay.interactions.features.edges` has them."""

    @property
    def told_of_edges(self) -> Sequence[str]:
        """The heuristics."""
        return self.edges

    @model_validator(mode="after")
    def _known_and_each_once(self) -> Self:
        for name in self.edges:
            choose("heuristic", name, HEURISTICS)
        if len(set(self.edges)) < len(self.edges):
            raise ValueError("edges: one is given twice")
        return self

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not shared evenly by {self.heads} heads")
        return self


class GATLayer(nn.Module):
    """PyG's layer; over a dense graph, attention to all nodes with a mask."""

    def __init__(self, inputs: int, outputs: int, settings: AttentionSettings) -> None:
        super().__init__()
        heads, attributes = settings.heads, len(settings.edges) or None
        # To itself a node is an edge like the mean of all.
        self.conv = GATConv(inputs, outputs // heads, heads, edge_dim=attributes, fill_value=0.0)

    def forward(self, x_VF: Tensor, seen: Visible) -> Tensor:
        """Return (V, D); a node attends to itself, too."""
        if not seen.dense:
            return self.conv(x_VF, seen.edges(), seen.attributes())
        conv, V = self.conv, len(x_VF)
        assert conv.lin is not None, "source and target are of one kind"
        value_VHC = conv.lin(x_VF).view(V, conv.heads, conv.out_channels)
        of_source_HV = (value_VHC * conv.att_src).sum(-1).t()
        of_target_HV = (value_VHC * conv.att_dst).sum(-1).t()
        seen_VV = seen.neighbours() | torch.eye(V, dtype=torch.bool, device=x_VF.device)
        scores_HVV = of_target_HV[:, :, None] + of_source_HV[:, None]
        if conv.lin_edge is not None:
            weight_HCA = conv.lin_edge.weight.view(conv.heads, conv.out_channels, -1)
            of_edge_HA = torch.einsum("hca,hc->ha", weight_HCA, conv.att_edge[0])
            scores_HVV = scores_HVV + torch.einsum("ha,avw->hvw", of_edge_HA, seen.attributes_AVV)
        scores_HVV = leaky_relu(scores_HVV, 0.2)
        share_HVV = scores_HVV.masked_fill(~seen_VV, -torch.inf).softmax(-1)
        found_HVC = share_HVV @ value_VHC.transpose(0, 1)
        return found_HVC.transpose(0, 1).flatten(1) + conv.bias


class GAT(Encoder):
    """Layers of attention."""

    Settings = AttentionSettings

    @classmethod
    def layer(cls, settings: EncoderSettings, inputs: int, outputs: int) -> nn.Module:
        """Return a layer of graph attention."""
        return GATLayer(inputs, outputs, cast(AttentionSettings, settings))
