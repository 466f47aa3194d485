"""Learned queries that attend to the tokens of all modalities.

Jaegle et al., "Perceiver IO", ICLR 2022: queries read inputs of any kind and number by
cross-attention, and then attend to each other. A modality that is missing is masked. One of many
tokens has no more attention to begin with than one of a single token: a token's score is less the
logarithm of how many its modality has.

Shapes: B planets, T tokens, Q queries, D width, H heads.
"""

from typing import cast

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention

from assay.habitability.data.modalities import MODALITIES
from assay.habitability.encoded import Encoded
from assay.habitability.fusions.fusion import Fused, Fusion, alone
from assay.habitability.model_settings import ModelSettings
from assay.pathways.attention import Block


class CrossAttentionSettings(ModelSettings):
    """Of the queries."""

    queries: PositiveInt = 8


class Reading(nn.Module):
    """Queries read tokens, then attend to each other; each is added to what they were."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.of_queries = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.block = Block(width, heads, 0, None)

    def forward(self, z_BQD: Tensor, x_BTD: Tensor, prior_BT: Tensor) -> Tensor:
        """Return new queries; the prior is added to scores, -inf for what is not there."""
        q_BHQd = self._parted(self.query(self.of_queries(z_BQD)))
        # Without a norm, which would undo the gate of a token that is not certain.
        key_BTD, value_BTD = self.key_value(x_BTD).chunk(2, -1)
        found_BHQd = scaled_dot_product_attention(
            q_BHQd,
            self._parted(key_BTD),
            self._parted(value_BTD),
            prior_BT[:, None, None, :].to(q_BHQd.dtype),
        )
        z_BQD = z_BQD + self.out(found_BHQd.transpose(1, 2).flatten(2))
        everyone_BQ = torch.ones(z_BQD.shape[:2], dtype=torch.bool, device=z_BQD.device)
        return self.block(z_BQD, everyone_BQ, None, z_BQD[:, 0, :0])

    def _parted(self, x_BTD: Tensor) -> Tensor:
        return x_BTD.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class CrossAttention(Fusion):
    """Queries read all tokens, and one that is always there; together they are the state."""

    Settings = CrossAttentionSettings

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        own, D = cast(CrossAttentionSettings, settings), settings.width
        self.queries_QD = nn.Parameter(torch.randn(own.queries, D))
        self.kinds = nn.Embedding(len(MODALITIES), D)
        nn.init.normal_(self.kinds.weight, std=0.3)  # tokens are of order one
        self.nothing_D = nn.Parameter(torch.randn(D))
        """What there is to read of a planet without any modality."""
        self.readings = nn.ModuleList(Reading(D, settings.heads) for _ in range(settings.depth))
        self.join = nn.Linear(own.queries * D, D)

    def forward(self, encoded: Encoded) -> Fused:
        """Return one state a planet."""
        B = len(encoded.x_BTD)
        nothing_B1D = self.nothing_D.expand(B, 1, -1).to(encoded.x_BTD.dtype)
        x_BTD = torch.cat([nothing_B1D, encoded.x_BTD + self.kinds(encoded.of_T)], 1)
        prior_BT = pad(_prior(encoded), (1, 0))
        z_BQD = self.queries_QD.expand(B, -1, -1)
        for reading in self.readings:
            z_BQD = reading(z_BQD, x_BTD, prior_BT)
        return alone(self.join(z_BQD.flatten(1)))


def _prior(encoded: Encoded) -> Tensor:
    """Return (B, T): -log of how many tokens a token's modality has; -inf where it is not there."""
    own_TM = encoded.of_T[:, None] == torch.arange(len(MODALITIES), device=encoded.of_T.device)
    there_BT = encoded.there_BT
    counts_BM = (there_BT[:, :, None] & own_TM).sum(1)
    prior_BT = -counts_BM.clamp(min=1).float().log()[:, encoded.of_T]
    return prior_BT.masked_fill(~there_BT, -torch.inf)
