"""Graph convolutional network: neighbours are averaged, weighted by both degrees.

Source: Kipf and Welling, "Semi-supervised classification with graph convolutional networks", ICLR
2017, equations 2 and 8. Shapes: V nodes, F features, D width.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn
from torch_geometric.nn import GCNConv

from assay.config import Size
from assay.interactions.encoder import Encoder, EncoderSettings
from assay.interactions.messages import Visible


class GCNSettings(EncoderSettings):
    """Width and number of layers; size l has those of the official ogbl-ddi example."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 32, "depth": 2},
        "s": {"width": 64, "depth": 2},
        "m": {"width": 128, "depth": 2},
        "l": {"width": 256, "depth": 2},
        "xl": {"width": 512, "depth": 3},
    }


class GCNLayer(nn.Module):
    """PyG's layer; its product with the graph is one of matrices."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = GCNConv(inputs, outputs)

    def forward(self, x_VF: Tensor, seen: Visible) -> Tensor:
        """Return (V, D): Â (x W) + b."""
        return seen.normalised(self.conv.lin(x_VF)) + self.conv.bias


class GCN(Encoder):
    """Layers of x ← Â (x W) + b."""

    Settings = GCNSettings

    @classmethod
    def layer(cls, settings: EncoderSettings, inputs: int, outputs: int) -> nn.Module:
        """Return a graph convolution."""
        return GCNLayer(inputs, outputs)
