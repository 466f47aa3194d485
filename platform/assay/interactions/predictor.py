"""The model: what nodes are given, an encoder over the graph, and a decoder that scores pairs.

Shapes: V nodes, F columns of what nodes are given, D width, P pairs.
"""

from typing import cast

import torch
from torch import Tensor, nn

from assay.interactions.encoder import Encoder
from assay.interactions.features.treatment import TreatedFeatures
from assay.interactions.messages import Messages
from assay.interactions.pair_products import pair_products
from assay.interactions.sampling import Part
from assay.interactions.settings import DecoderSettings
from assay.training.dropout import Dropout

SCORED_AT_ONCE = 1 << 14
"""Pairs, where no gradient is asked for."""


class Nodes(nn.Module):
    """What the encoder is given of every node: features, a learned row, or both."""

    def __init__(
        self, n_nodes: int, features: TreatedFeatures | None, ids: int, orthogonal: bool = False
    ) -> None:
        super().__init__()
        self.features = features
        self.ids = nn.Embedding(n_nodes, ids) if ids else None
        if self.ids is not None:
            init = nn.init.orthogonal_ if orthogonal else nn.init.xavier_uniform_
            init(self.ids.weight)
        self.columns = ids + (features.proj.out_features if features is not None else 0)
        """F."""

    def forward(self, nodes_N: Tensor | None = None) -> Tensor:
        """Return (V, F), or (N, F) of some nodes."""
        parts = [] if self.features is None else [self.features(nodes_N)]
        if self.ids is not None:
            parts.append(self.ids.weight if nodes_N is None else self.ids(nodes_N))
        return torch.cat(parts, dim=1)


class HadamardDecoder(nn.Module):
    """Scores a pair from the product of its nodes' features, entry by entry: symmetric."""

    def __init__(self, inputs: int, settings: DecoderSettings) -> None:
        super().__init__()
        width, self.residual = settings.width or inputs, settings.residual
        widths = [inputs] + [width] * (settings.layers - 1)
        self.hidden = nn.ModuleList(nn.Linear(before, width) for before in widths[:-1])
        names = (f"decoder {number}" for number in range(settings.layers - 1))
        self.dropouts = nn.ModuleList(Dropout(settings.dropout, name) for name in names)
        self.last = nn.Linear(widths[-1], 1)

    def forward(self, h_VD: Tensor, pairs_P2: Tensor, rows_P: Tensor) -> Tensor:
        """Return (P,) logits.

        Args:
            h_VD: Of nodes.
            pairs_P2: int64, pairs of rows of `h_VD`.
            rows_P: int64, a number for each pair, for the draws of dropout.
        """
        x = pair_products(h_VD, pairs_P2)
        for layer, dropout in zip(self.hidden, self.dropouts, strict=True):
            y = cast(Dropout, dropout).of_relu(layer(x), rows_P)
            x = x + y if self.residual and x.shape == y.shape else y
        return self.last(x).squeeze(-1).float()


class LinkPredictor(nn.Module):
    """Scores pairs of nodes."""

    def __init__(
        self, nodes: Nodes, encoder: Encoder, decoder: HadamardDecoder, messages: Messages
    ) -> None:
        super().__init__()
        self.nodes, self.encoder, self.decoder = nodes, encoder, decoder
        self.messages = messages

    def forward(
        self, pairs_P2: Tensor, hidden_B2: Tensor | None = None, part: Part | None = None
    ) -> Tensor:
        """Return (P,) logits of int64 pairs (P, 2), from one pass over the whole graph or a part.

        Args:
            pairs_P2: Pairs of nodes.
            hidden_B2: int64, edges that pass no messages this time; None if all do.
            part: The neighbourhood of the pairs, if the pass is over no more than that; edges that
                are hidden are not in it.
        """
        u_P, v_P = pairs_P2.unbind(1)
        rows_P = torch.minimum(u_P, v_P) * self.messages.n_nodes + torch.maximum(u_P, v_P)
        if part is None:
            everyone_V = torch.arange(self.messages.n_nodes, device=pairs_P2.device)
            h_VD = self.encoder(self.nodes(), self.messages.without(hidden_B2), everyone_V)
        else:
            nodes_N = part.nodes_N
            h_VD = self.encoder(self.nodes(nodes_N), part.messages.without(None), nodes_N)
            pairs_P2 = part.local(pairs_P2)
        if torch.is_grad_enabled():
            return self.decoder(h_VD, pairs_P2, rows_P)
        parts = zip(pairs_P2.split(SCORED_AT_ONCE), rows_P.split(SCORED_AT_ONCE), strict=True)
        return torch.cat([self.decoder(h_VD, pairs, rows) for pairs, rows in parts])
