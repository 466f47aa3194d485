"""GraphVAE, one latent and one network for all of a graph: Simonovsky, Komodakis, ICANN 2018.

Graph convolutions and gated pooling encode a graph into one latent; a network of two layers makes
of it a whole adjacency matrix, with the kinds of edges and what names nodes, for as many nodes as
the largest training graph has. Its outputs have numbers, so it has to learn an order of nodes. The
paper matches the decoded graph with the real one at every step; here nodes come in one canonical
order (`breadth_first`), the paper's variant without matching. Directions are kept: the entries
(u, v) and (v, u) are outputs of their own.

Shapes: B graphs, N nodes (padded), M most nodes, L latent entries, D width, R classes of reactions.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from assay.config import Size
from assay.errors import DataError
from assay.pathways.baselines.convolution import Convolutions, directed
from assay.pathways.baselines.one_shot import Decoded, OneShot, OneShotSettings
from assay.pathways.baselines.ordering import breadth_first
from assay.pathways.baselines.vgae import gaussian
from assay.pathways.batches import PathwayBatch
from assay.pathways.corpus import Corpus
from assay.pathways.encoder import Gaussian
from assay.pathways.graphs import REACTION_CLASSES
from assay.pathways.model import ModelSettings
from assay.training.draws import Draws

OF_A_PAIR = 2 + len(REACTION_CLASSES)
"""Outputs: an edge, reversibility, classes of reactions."""


class GraphVAEMLPSettings(OneShotSettings):
    """As of the others; the latent is one of a graph, and wider."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 32, "depth": 2, "latents": 16},
        "s": {"width": 64, "depth": 2, "latents": 40},
        "m": {"width": 128, "depth": 3, "latents": 80},
        "l": {"width": 256, "depth": 4, "latents": 80},
    }


class GraphVAEMLP(OneShot):
    """One latent of a graph, and every pair an output of its own."""

    Settings = GraphVAEMLPSettings

    def __init__(self, settings: ModelSettings, corpus: Corpus) -> None:
        """Build the two networks, the second for graphs of as many nodes as training has."""
        super().__init__(settings, corpus)
        width, L, self.M = self.own.width, self.own.latents, corpus.most_nodes
        self.convolutions = Convolutions(width, self.own.depth, relations=4)
        self.gate, self.value = nn.Linear(width, width), nn.Linear(width, width)
        self.latent = nn.Linear(2 * width, 2 * L)
        self.hidden = nn.Sequential(
            nn.Linear(L + width, 2 * width), nn.ReLU(), nn.Linear(2 * width, 2 * width), nn.ReLU()
        )
        self.pairs = nn.Linear(2 * width, self.M * self.M * OF_A_PAIR)
        self.states = nn.Linear(2 * width, self.M * width)
        self.constant = nn.Parameter(torch.tensor(math.log(corpus.density / (1 - corpus.density))))

    def order(self, batch: PathwayBatch) -> Tensor:
        """Return the canonical order."""
        return breadth_first(batch)

    def encode(self, batch: PathwayBatch, told_BD: Tensor) -> Gaussian:
        """Return (B, L) latents of graphs, from gated sums over nodes (Li et al., ICLR 2016)."""
        x_BND = self.convolutions(self.seen(batch, told_BD), directed(batch))
        gated_BND = self.gate(x_BND).sigmoid() * self.value(x_BND) * batch.mask_BN.unsqueeze(-1)
        return gaussian(self.latent(torch.cat([gated_BND.sum(1), told_BD], -1)))

    def decode(self, latent: Tensor, mask_BN: Tensor, told_BD: Tensor) -> Decoded:
        """Return what latents (B, L) stand for.

        Raises:
            DataError: a graph has more nodes than the network has places.
        """
        B, N = mask_BN.shape
        if N > self.M:
            raise DataError(
                f"graph_vae_mlp: a graph has {N} nodes, and the largest training graph, whose "
                f"pairs are the network's outputs, {self.M}; train on larger graphs too, or leave "
                "the graph out"
            )
        hidden_BD = self.hidden(torch.cat([latent, told_BD], -1))
        pairs = self.pairs(hidden_BD).view(B, self.M, self.M, OF_A_PAIR)[:, :N, :N]
        return Decoded(
            edges_BNN=pairs[..., 0] + self.constant,
            reversible_BNN=pairs[..., 1],
            reactions_BNNR=pairs[..., 2:],
            states_BND=self.states(hidden_BD).view(B, self.M, -1)[:, :N],
        )

    def prior(self, draws: Draws, N: int) -> Tensor:
        """Return (B, L)."""
        return draws.normal("latent", self.own.latents)
