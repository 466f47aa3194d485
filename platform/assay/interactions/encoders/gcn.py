"""Graph convolutional network: neighbours are averaged, weighted by both degrees.

Source: Kipf and Welling, "Semi-supervised classification with graph convolutional networks", ICLR
2017, equations 2 and 8. Shapes: V nodes, D width.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from assay.config import Size
from assay.interactions.data.links import Graph
from assay.interactions.encoder import Encoder, EncoderSettings


class GCNSettings(EncoderSettings):
    """Width and number of layers; size l has those of the official ogbl-ddi example."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 32, "depth": 2},
        "s": {"width": 64, "depth": 2},
        "m": {"width": 128, "depth": 2},
        "l": {"width": 256, "depth": 2},
        "xl": {"width": 512, "depth": 3},
    }


class GCN(Encoder):
    """Layers of x ← Â (x W + b), with ReLU between them."""

    Settings = GCNSettings
    propagation_VV: Tensor

    def __init__(self, settings: EncoderSettings, graph: Graph) -> None:
        super().__init__(settings, graph)
        # Made anew from the data, so no part of a checkpoint.
        self.register_buffer("propagation_VV", propagation(graph), persistent=False)
        layers = [nn.Linear(settings.width, settings.width) for _ in range(settings.depth)]
        for layer in layers:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.layers = nn.ModuleList(layers)

    def forward(self, x_VD: Tensor) -> Tensor:
        """Return (V, D); the last layer has no activation."""
        for k, layer in enumerate(self.layers):
            x_VD = self.propagation_VV @ layer(x_VD if k == 0 else x_VD.relu())
        return x_VD


def propagation(graph: Graph) -> Tensor:
    """Return Â = D^-½ (A + I) D^-½ as a dense float32 (V, V); D are the degrees, self included."""
    adjacency_VV = torch.eye(graph.n_nodes)
    u_E, v_E = graph.edges_E2.unbind(1)
    adjacency_VV[u_E, v_E] = adjacency_VV[v_E, u_E] = 1.0
    scale_V = adjacency_VV.sum(1).rsqrt()
    return scale_V[:, None] * adjacency_VV * scale_V
