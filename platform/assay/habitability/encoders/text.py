"""Descriptions: a small Transformer over bytes, four to a token.

A byte is embedded with the two after it, by a hash, so that a few hundred descriptions suffice for
words to be told apart: Bojanowski et al., "Enriching word vectors with subword information", TACL
2017.

Shapes: B planets, T bytes (padded), t tokens, D width.
"""

import math

import torch
from torch import Tensor, nn

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.encoders.encoder import Encoder, Tokens
from assay.habitability.sketches import runs
from assay.pathways.attention import Block

BYTES_A_TOKEN = 4
_REACH = 7
"""Bytes that a token sees before attention."""
_BUCKETS = 2048
"""Of runs of three bytes."""
_VOCABULARY = 257
"""Bytes, and padding."""
_SPREAD = 0.03
"""Of what is drawn for bytes and runs to begin with: a few dozen steps of learning move
them by more. Drawn of order one, they hid for a hundred steps what was learned."""


class TextEncoder(Encoder):
    """Bytes, convolved to tokens, and blocks of attention."""

    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.bytes = nn.Embedding(_VOCABULARY, width)
        self.runs = nn.Embedding(_BUCKETS, width)
        self.patch = nn.Conv1d(width, width, _REACH, stride=BYTES_A_TOKEN, padding=_REACH // 2)
        self.blocks = nn.ModuleList(Block(width, heads, 0, None) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        for table in (self.bytes, self.runs):
            nn.init.normal_(table.weight, std=_SPREAD)

    def forward(self, batch: MultiModalBatch) -> Tokens:
        """Return tokens in the order of the text; how far it is padded changes none of them."""
        there_BT1 = batch.attention_mask.unsqueeze(-1)
        ids_BT = batch.input_ids * batch.attention_mask
        bytes_BTD = (self.bytes(ids_BT) + self.runs(runs(ids_BT, _BUCKETS))) * there_BT1
        x_BtD = self.patch(bytes_BTD.mT).mT
        # What is said counts more than where.
        x_BtD = x_BtD + 0.1 * _SPREAD * _positions(x_BtD)
        mask_Bt = batch.attention_mask[:, ::BYTES_A_TOKEN]
        # Of a planet without a description attention sees one token, which nobody reads.
        seen_Bt = mask_Bt.clone()
        seen_Bt[:, 0] = True
        for block in self.blocks:
            x_BtD = block(x_BtD, seen_Bt, None, x_BtD[:, 0, :0])
        return Tokens(self.norm(x_BtD), mask_Bt)


def _positions(x_BtD: Tensor) -> Tensor:
    """Return (t, D): sines and cosines (Vaswani et al., NeurIPS 2017, section 3.5)."""
    t, D = x_BtD.shape[1:]
    place_t1 = torch.arange(t, device=x_BtD.device).unsqueeze(1)
    rate_d = torch.exp(torch.arange(0, D, 2, device=x_BtD.device) * (-math.log(1e4) / D))
    return torch.cat([(place_t1 * rate_d).sin(), (place_t1 * rate_d).cos()], 1)[:, :D]
