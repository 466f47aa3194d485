"""GraphSAGE: the mean of the neighbours beside the node itself.

Source: Hamilton et al., "Inductive representation learning on large graphs", NeurIPS 2017,
algorithm 1. Shapes: V nodes, F features, D width.
"""

from torch import Tensor, nn
from torch_geometric.nn import SAGEConv

from assay.interactions.encoder import Encoder, EncoderSettings
from assay.interactions.encoders.gcn import GCNSettings
from assay.interactions.messages import Visible


class SAGESettings(GCNSettings):
    """As for the GCN; size l has those of the official ogbl-ddi example."""


class SAGELayer(nn.Module):
    """PyG's layer; its product with the graph is one of matrices."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = SAGEConv(inputs, outputs)

    def forward(self, x_VF: Tensor, seen: Visible) -> Tensor:
        """Return (V, D): D⁻¹ A x W + b + x W'."""
        return self.conv.lin_l(seen.means(x_VF)) + self.conv.lin_r(x_VF)


class SAGE(Encoder):
    """Layers of x ← mean(x) W + b + x W'."""

    Settings = SAGESettings

    @classmethod
    def layer(cls, settings: EncoderSettings, inputs: int, outputs: int) -> nn.Module:
        """Return a layer of GraphSAGE."""
        return SAGELayer(inputs, outputs)
