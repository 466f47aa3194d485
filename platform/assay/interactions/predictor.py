"""The model: learned nodes, an encoder over the graph, and a decoder that scores pairs.

Shapes: V nodes, D width, P pairs.
"""

from torch import Tensor, nn

from assay.interactions.encoder import Encoder


class HadamardDecoder(nn.Module):
    """Scores a pair from the product of its nodes' features, entry by entry: symmetric."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        hidden = [m for _ in range(layers - 1) for m in (nn.Linear(width, width), nn.ReLU())]
        self.network = nn.Sequential(*hidden, nn.Linear(width, 1))

    def forward(self, h_VD: Tensor, pairs_P2: Tensor) -> Tensor:
        """Return (P,) logits."""
        u_P, v_P = pairs_P2.unbind(1)
        return self.network(h_VD[u_P] * h_VD[v_P]).squeeze(-1)


class LinkPredictor(nn.Module):
    """Scores pairs of nodes that are known by nothing but their links."""

    def __init__(self, n_nodes: int, width: int, encoder: Encoder, decoder_layers: int) -> None:
        super().__init__()
        self.nodes = nn.Embedding(n_nodes, width)
        nn.init.xavier_uniform_(self.nodes.weight)
        self.encoder = encoder
        self.decoder = HadamardDecoder(width, decoder_layers)

    def forward(self, pairs_P2: Tensor) -> Tensor:
        """Return (P,) logits of int64 pairs (P, 2), from one pass over the whole graph."""
        return self.decoder(self.encoder(self.nodes.weight), pairs_P2)
