"""Graph attention network: how much a neighbour counts is learned from both ends.

Source: Veličković et al., "Graph attention networks", ICLR 2018, equations 1 to 5. Shapes: V
nodes, F features, D width, H heads, C channels of a head.
"""

from typing import Self, cast

import torch
from pydantic import PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch_geometric.nn import GATConv

from assay.interactions.encoder import Encoder, EncoderSettings
from assay.interactions.encoders.gcn import GCNSettings
from assay.interactions.messages import Visible


class AttentionSettings(GCNSettings):
    """As for the GCN, and heads; they share the width."""

    heads: PositiveInt = 2

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not shared evenly by {self.heads} heads")
        return self


class GATLayer(nn.Module):
    """PyG's layer; over a dense graph, attention to all nodes with a mask."""

    def __init__(self, inputs: int, outputs: int, heads: int) -> None:
        super().__init__()
        self.conv = GATConv(inputs, outputs // heads, heads)

    def forward(self, x_VF: Tensor, seen: Visible) -> Tensor:
        """Return (V, D); a node attends to itself, too."""
        if not seen.dense:
            return self.conv(x_VF, seen.edges())
        conv, V = self.conv, len(x_VF)
        assert conv.lin is not None, "source and target are of one kind"
        value_VHC = conv.lin(x_VF).view(V, conv.heads, conv.out_channels)
        of_source_HV = (value_VHC * conv.att_src).sum(-1).t()
        of_target_HV = (value_VHC * conv.att_dst).sum(-1).t()
        seen_VV = seen.neighbours() | torch.eye(V, dtype=torch.bool, device=x_VF.device)
        scores_HVV = leaky_relu(of_target_HV[:, :, None] + of_source_HV[:, None], 0.2)
        share_HVV = scores_HVV.masked_fill(~seen_VV, -torch.inf).softmax(-1)
        found_HVC = share_HVV @ value_VHC.transpose(0, 1)
        return found_HVC.transpose(0, 1).flatten(1) + conv.bias


class GAT(Encoder):
    """Layers of attention."""

    Settings = AttentionSettings

    @classmethod
    def layer(cls, settings: EncoderSettings, inputs: int, outputs: int) -> nn.Module:
        """Return a layer of graph attention."""
        return GATLayer(inputs, outputs, cast(AttentionSettings, settings).heads)
