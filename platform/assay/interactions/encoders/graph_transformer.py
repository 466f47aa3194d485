"""Graph transformer: scaled dot products of neighbours, and the node itself beside them.

Source: Shi et al., "Masked label prediction", IJCAI 2021, equations 3 and 4, without the gate.
Shapes: V nodes, F features, D width, H heads, C channels of a head, A attributes of an edge.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch_geometric.nn import TransformerConv

from assay.interactions.encoder import Encoder, EncoderSettings
from assay.interactions.encoders.gat import AttentionSettings
from assay.interactions.messages import Visible


class GraphTransformerLayer(nn.Module):
    """PyG's layer; over a dense graph, attention to all nodes with a mask."""

    def __init__(self, inputs: int, outputs: int, settings: AttentionSettings) -> None:
        super().__init__()
        heads, attributes = settings.heads, len(settings.edges) or None
        self.conv = TransformerConv(
            inputs, outputs // heads, heads, beta=False, edge_dim=attributes
        )

    def forward(self, x_VF: Tensor, seen: Visible) -> Tensor:
        """Return (V, D); a node without neighbours sees itself alone."""
        if not seen.dense:
            return self.conv(x_VF, seen.edges(), seen.attributes())
        seen_VV, conv = seen.neighbours(), self.conv

        def heads(lin: nn.Module) -> Tensor:
            return lin(x_VF).view(len(x_VF), conv.heads, conv.out_channels).transpose(0, 1)

        has_V = seen_VV.any(1)
        # A row that sees nothing has no softmax: let it see all, and take nothing from it.
        mask_VV = seen_VV | ~has_V[:, None]
        parts = (heads(conv.lin_query), heads(conv.lin_key), heads(conv.lin_value))
        if conv.lin_edge is None:
            found_HVC = scaled_dot_product_attention(
                *(part[None] for part in parts), attn_mask=mask_VV
            )[0]
        else:
            found_HVC = self._of_edges(*parts, mask_VV, seen.attributes_AVV)
        found_VD = found_HVC.transpose(0, 1).flatten(1)
        return found_VD * has_V[:, None] + conv.lin_skip(x_VF)

    def _of_edges(
        self, q_HVC: Tensor, k_HVC: Tensor, v_HVC: Tensor, mask_VV: Tensor, told_AVV: Tensor
    ) -> Tensor:
        """Return (H, V, C), keys and values moved by what is told of an edge, linearly."""
        assert self.conv.lin_edge is not None
        weight_HCA = self.conv.lin_edge.weight.view(self.conv.heads, self.conv.out_channels, -1)
        asked_HVA = q_HVC @ weight_HCA
        scores_HVV = q_HVC @ k_HVC.mT + torch.einsum("hva,avw->hvw", asked_HVA, told_AVV)
        scores_HVV = scores_HVV / self.conv.out_channels**0.5
        share_HVV = scores_HVV.masked_fill(~mask_VV, -torch.inf).softmax(-1)
        told_HVA = torch.einsum("hvw,avw->hva", share_HVV, told_AVV)
        return share_HVV @ v_HVC + told_HVA @ weight_HCA.mT


class GraphTransformer(Encoder):
    """Layers of attention, each beside a linear map of the node itself."""

    Settings = AttentionSettings

    @classmethod
    def layer(cls, settings: EncoderSettings, inputs: int, outputs: int) -> nn.Module:
        """Return a layer of the graph transformer."""
        return GraphTransformerLayer(inputs, outputs, cast(AttentionSettings, settings))
