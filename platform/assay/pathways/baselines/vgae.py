"""Variational graph autoencoder with an inner product: Kipf, Welling (2016).

`depth` graph convolutions and a linear one give each node a latent (the paper has one and a linear
one), the inner product of two latents is the log odds of their edge. It is the same from either
end: such a model cannot tell an edge from its reverse, and its reversed-edge AUC is one half by
construction.

Beyond the paper, as this data asks for it: a constant beside the product, so that training begins
at the density of the data; compounds and kinds of edges, read from a node's latent and from what
the graph is asked to be.

Shapes: B graphs, N nodes (padded), L latent entries, D width.
"""

import math

import torch
from torch import Tensor, nn

from assay.pathways.baselines.convolution import Convolutions, symmetric
from assay.pathways.baselines.heads import PairHead
from assay.pathways.baselines.one_shot import Decoded, OneShot
from assay.pathways.batches import PathwayBatch
from assay.pathways.corpus import Corpus
from assay.pathways.encoder import Gaussian
from assay.pathways.graphs import REACTION_CLASSES
from assay.pathways.model import ModelSettings
from assay.training.draws import Draws

LARGEST_LOG_VARIANCE = 8.0
"""Whatever the encoder says, and with the other sign the least."""


class VGAE(OneShot):
    """Latents of nodes, and inner products."""

    directed = False

    def __init__(self, settings: ModelSettings, corpus: Corpus) -> None:
        """Build the convolutions and the readings of latents."""
        super().__init__(settings, corpus)
        width, L = self.own.width, self.own.latents
        self.convolutions = Convolutions(width, self.own.depth, relations=1)
        self.latent = nn.Linear(width, 2 * L)
        self.constant = nn.Parameter(torch.tensor(math.log(corpus.density / (1 - corpus.density))))
        self.state = nn.Sequential(nn.Linear(L + width, width), nn.SiLU(), nn.Linear(width, width))
        self.kinds = PairHead(width, 1 + len(REACTION_CLASSES))

    def encode(self, batch: PathwayBatch, told_BD: Tensor) -> Gaussian:
        """Return (B, N, L) latents of nodes."""
        A_BNN = symmetric(batch)
        x_BND = A_BNN @ self.convolutions(self.seen(batch, told_BD), (A_BNN,))
        return gaussian(self.latent(x_BND))

    def decode(self, latent: Tensor, mask_BN: Tensor, told_BD: Tensor) -> Decoded:
        """Return what latents (B, N, L) stand for."""
        inner_BNN = latent @ latent.mT
        # A product of matrices rounds (u, v) and (v, u) apart, and that would be a direction.
        inner_BNN = (inner_BNN + inner_BNN.mT) / 2
        told_BND = told_BD.unsqueeze(1).expand(-1, latent.shape[1], -1)
        x_BND = self.state(torch.cat([latent, told_BND], -1))
        reversible_BNN, *reactions = self.kinds(x_BND).unbind(-1)
        reactions_BNNR = torch.stack(reactions, -1)
        return Decoded(inner_BNN + self.constant, reversible_BNN, reactions_BNNR, x_BND)

    def prior(self, draws: Draws, N: int) -> Tensor:
        """Return (B, N, L)."""
        return draws.normal("latent", N, self.own.latents)


def gaussian(both: Tensor) -> Gaussian:
    """Return the normals of (…, 2L): means, then log variances."""
    mean, log_variance = both.chunk(2, dim=-1)
    return Gaussian(mean, log_variance.clamp(-LARGEST_LOG_VARIANCE, LARGEST_LOG_VARIANCE))
