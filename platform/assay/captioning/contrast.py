"""Contrast of molecules and captions: a graph lies near its own text and far from the others.

Source: van den Oord, Li and Vinyals, "Representation learning with contrastive predictive coding",
arXiv:1807.03748 (2018), in both directions as in Radford et al., "Learning transferable visual
models from natural language supervision", ICML 2021; of molecules Edwards et al., EMNLP 2021.

The other captions of a batch are the negatives, so the loss depends on how a step is cut into
micro-batches: each part contrasts its own.

Shapes: B pairs, D width, O width of the shared space.
"""

import math
from collections.abc import Sequence

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from assay.captioning.encoder import GraphEncoder
from assay.captioning.graphs import GraphBatch
from assay.captioning.subwords import TokenBatch
from assay.config import Settings

MOST_SCALE = 100.0
"""Of cosines, that is the least temperature is 0.01, as in CLIP."""


class ContrastSettings(Settings):
    """Of the text encoder and the objective."""

    width: PositiveInt = 128
    """Of a subword's embedding and of the hidden layer."""
    vocabulary: int = Field(default=2048, ge=256)
    """Subwords at most; fewer where the captions do not hold so many."""
    temperature: float = Field(default=0.07, gt=1 / MOST_SCALE, le=1)
    """To begin with; it is learned."""


class TextEncoder(nn.Module):
    """A bag of subwords: the mean of their embeddings, and a small network."""

    def __init__(self, settings: ContrastSettings, subwords: int, outputs: int) -> None:
        """Embed `subwords` tokens into `outputs` columns."""
        super().__init__()
        D = settings.width
        self.subwords = nn.EmbeddingBag(subwords, D, mode="mean")
        self.mlp = nn.Sequential(
            nn.LayerNorm(D), nn.Linear(D, 2 * D), nn.GELU(), nn.Linear(2 * D, outputs)
        )

    def forward(self, texts: TokenBatch) -> Tensor:
        """Return (B, O); a text without a token is given what a mean of 0 gives."""
        return self.mlp(self.subwords(texts.tokens_T, texts.first_B))


class Contrast(nn.Module):
    """Both encoders and the learned temperature."""

    def __init__(
        self, graphs: GraphEncoder, texts: TextEncoder, settings: ContrastSettings
    ) -> None:
        """Join two encoders whose outputs are equally wide."""
        super().__init__()
        self.graphs, self.texts = graphs, texts
        of_most = 1 / (settings.temperature * MOST_SCALE)
        self.raw_scale = nn.Parameter(torch.tensor(math.log(of_most / (1 - of_most))))

    @property
    def scale(self) -> Tensor:
        """Return what cosines are multiplied by: bounded, and never cut off from its gradient."""
        return MOST_SCALE * self.raw_scale.sigmoid()

    def forward(
        self,
        graphs: GraphBatch,
        record_ids: Tensor,
        texts: TokenBatch,
        captions: Sequence[str],
    ) -> Tensor:
        """Return the loss of B molecules and their captions.

        Args:
            graphs: B molecules.
            record_ids: (B,) int64, for the encoder's dropout.
            texts: The captions' tokens.
            captions: (B,) by which two that read alike are known to be no negatives.
        """
        return info_nce(
            self.graphs(graphs, record_ids).molecules_BO,
            self.texts(texts),
            self.scale,
            alike(captions).to(record_ids.device),
        )


def info_nce(
    x_BO: Tensor, y_BO: Tensor, scale: Tensor | float, alike_BB: Tensor | None = None
) -> Tensor:
    """Return the mean cross-entropy of finding y by x and x by y, among the B of the batch.

    With s = scale · cos(x_i, y_j):  -(log softmax_j s_ii + log softmax_i s_ii) / 2.

    Args:
        x_BO: Embeddings.
        y_BO: Those that belong to them, row by row.
        scale: 1 / temperature.
        alike_BB: bool, which pairs off the diagonal are left out, being no negatives.
    """
    score_BB = scale * normalize(x_BO, dim=1) @ normalize(y_BO, dim=1).t()
    if alike_BB is not None:
        own_BB = torch.eye(len(score_BB), dtype=torch.bool, device=score_BB.device)
        score_BB = score_BB.masked_fill(alike_BB & ~own_BB, -torch.inf)
    own_B = torch.arange(len(score_BB), device=score_BB.device)
    return (cross_entropy(score_BB, own_B) + cross_entropy(score_BB.t(), own_B)) / 2


def alike(captions: Sequence[str]) -> Tensor:
    """Return bool (B, B): which captions are the same text."""
    number = {caption: place for place, caption in enumerate(dict.fromkeys(captions))}
    of_B = torch.tensor([number[caption] for caption in captions])
    return of_B[:, None] == of_B
