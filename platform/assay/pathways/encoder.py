"""The encoder of the Graph VAE: from a directed graph in an environment to latent Gaussians.

Three kinds of latents: of each node; local, the mean over nodes; global, by attention and maximum
over nodes. Those of nodes are what a variational graph autoencoder has (Kipf, Welling, 2016);
those of graphs say what belongs to no node.

Positions enter by pairs, Σₖ φ(λₖ) vₖ(u) v̄ₖ(v): no sign, phase or basis of eigenvectors that
coincide changes that (Huang et al., "On the stability of expressive positional encodings", ICLR
2024), so that there is nothing to flip. Those of the magnetic Laplacian tell directions.

Of graphs of many nodes only some pairs have features (`assay.pathways.candidates`): attention is
among all nodes still, and every other pair is one without an edge of which no positions are known.

Shapes: B graphs, N nodes (padded), F features, D width, C features of a pair, K eigenvectors, M
functions of eigenvalues, P listed pairs.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import EllipsisType
from typing import cast

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torchdiffeq import odeint

from assay.config import Settings
from assay.pathways.attention import Block, ListedPairs, Pairs
from assay.pathways.batches import PathwayBatch
from assay.pathways.candidates import Place, Sparsity, places_of, seen_pairs
from assay.pathways.compounds import CLASSES, FEATURES
from assay.pathways.conditions import EnvironmentVector, Way
from assay.pathways.encodings import Encodings, positions_of
from assay.pathways.graphs import REACTION_CLASSES

SPECTRAL = 4
"""Functions φ of an eigenvalue."""
REACTION = 4
"""Width of a reaction class."""


class LatentSettings(Settings):
    """Widths of the latents."""

    nodes: NonNegativeInt = 16
    """Of each node; without any a graph is its local and global latents, and its nodes are told
    apart by matching alone."""
    local: PositiveInt = 8
    """Of a graph, from the mean over its nodes."""
    globally: PositiveInt = 8
    """Of a graph, from attention to its nodes and their maximum."""


@dataclass(frozen=True)
class Gaussian:
    """Independent normal entries."""

    mean: Tensor
    log_variance: Tensor
    """Of the same shape."""

    def at(self, noise: Tensor) -> Tensor:
        """Return a draw, given standard normal noise of the same shape."""
        return self.mean + noise * (0.5 * self.log_variance).exp()

    def log_density(self, values_BL: Tensor) -> Tensor:
        """Return (B,) the log density of values, in nats."""
        spread_BL = (values_BL - self.mean) ** 2 * (-self.log_variance).exp()
        return -0.5 * (spread_BL + self.log_variance + math.log(2 * math.pi)).sum(-1)

    def kl(self) -> Tensor:
        """Return the divergence of each entry from a standard normal, in nats."""
        return 0.5 * (self.mean**2 + self.log_variance.exp() - 1 - self.log_variance)


@dataclass(frozen=True)
class Posterior:
    """What the encoder says of a batch."""

    nodes: Gaussian | None
    """(B, N, L); what is beyond a graph is not to be read. None where nodes have no latents."""
    graph: Gaussian
    """(B, L): local entries first, then global ones."""
    states_BND: Tensor
    """Of nodes, which the latents were read from."""


Kernel = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of two (B, N, K) and a weight (B, K, M), at some places: (…, M)."""


class PairFeatures(nn.Module):
    """What joins two nodes: edges either way, their kinds, and where the two stand."""

    def __init__(self, encodings: Encodings, width: int, hides: bool) -> None:
        """Build the networks.

        Args:
            encodings: Of the places of nodes.
            width: C.
            hides: Whether batches hide pairs, which are then told from pairs without an edge.
        """
        super().__init__()
        self.encodings = encodings
        self.reaction = nn.Embedding(len(REACTION_CLASSES), REACTION)
        self.phi = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(1, 16), nn.SiLU(), nn.Linear(16, SPECTRAL))
                for name in ("laplacian", "magnetic")
                if getattr(encodings, name)
            }
        )
        spectral = sum(SPECTRAL * (2 if name == "magnetic" else 1) for name in self.phi)
        self.out = nn.Linear(2 * (3 + REACTION) + spectral, width)
        self.hidden = nn.Linear(2, width, bias=False) if hides else None

    def forward(self, batch: PathwayBatch, listed_BNN: Tensor | None = None) -> Pairs:
        """Return (B, N, N, C), or the features of the pairs that are listed."""
        if listed_BNN is not None:
            return self._listed(batch, listed_BNN)
        forward = self._edges(batch, ...)
        back = [part.transpose(1, 2) for part in forward]
        found_BNNC = self.out(torch.cat([*forward, *back, *self._spectral(batch, _kernel)], dim=-1))
        return found_BNNC if self.hidden is None else found_BNNC + self.hidden(_marks(batch))

    def _listed(self, batch: PathwayBatch, listed_BNN: Tensor) -> ListedPairs:
        """Return the features of some pairs; the rest has those of no edge, or of a hidden pair."""
        place = graph_P, row_P, column_P = places_of(listed_BNN)
        forward, back = self._edges(batch, place), self._edges(batch, (graph_P, column_P, row_P))
        spectral = self._spectral(batch, partial(_kernel_at, place))
        found_PC = self.out(torch.cat([*forward, *back, *spectral], dim=-1))
        marked = None if self.hidden is None else (_marks(batch), self.hidden.weight.T)
        return ListedPairs(place, found_PC, self.out.bias, marked)

    def _edges(self, batch: PathwayBatch, at: Place | EllipsisType) -> list[Tensor]:
        """Return what the edges at some places of the matrices are, forward; or all of them."""
        adjacency = batch.adjacency_BNN[at]
        flags = [adjacency, batch.reversible_BNN[at], batch.main_BNN[at]]
        reactions = self.reaction(batch.reactions_BNN[at]) * adjacency.unsqueeze(-1)
        return [torch.stack(flags, -1).float(), reactions]

    def _spectral(self, batch: PathwayBatch, kernel: Kernel) -> list[Tensor]:
        if not self.phi:
            return []
        found = positions_of(batch.adjacency_BNN, batch.mask_BN, self.encodings)
        parts: list[Tensor] = []
        for name, phi in self.phi.items():
            values_BK = getattr(found, f"{name}_values_BK")
            v_BNK = getattr(found, f"{name}_BNK")
            weight_BKM = phi(values_BK.unsqueeze(-1)) * (values_BK >= 0).unsqueeze(-1)
            if v_BNK.is_complex():
                re, im = v_BNK.real, v_BNK.imag
                parts += [
                    kernel(re, re, weight_BKM) + kernel(im, im, weight_BKM),
                    kernel(im, re, weight_BKM) - kernel(re, im, weight_BKM),
                ]
            else:
                parts.append(kernel(v_BNK, v_BNK, weight_BKM))
        return parts


class NodeFeatures(nn.Module):
    """A compound as a vector: of its features and its class."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.Linear(len(FEATURES), width)
        self.kind = nn.Embedding(len(CLASSES), width)
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(width, width))

    def forward(self, features_F: Tensor, classes: Tensor) -> Tensor:
        """Return (…, D) of features (…, F) and classes (…)."""
        return self.mix(self.features(features_F) + self.kind(classes))


class Encoder(nn.Module):
    """Blocks of edge-aware attention, and three readings of what they leave."""

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        pairs: int,
        latents: LatentSettings,
        encodings: Encodings,
        environment: Way,
        ode_steps: int,
        sparsity: Sparsity,
        hides: bool,
    ) -> None:
        super().__init__()
        self.environment, self.latents, self.ode_steps = environment, latents, ode_steps
        self.sparsity = sparsity
        told = environment != "none"
        self.vector = EnvironmentVector(width) if told else None
        joins = width if environment in ("concatenation", "both") else 0
        self.nodes, self.pairs = NodeFeatures(width), PairFeatures(encodings, pairs, hides)
        self.start = nn.Linear(width + joins, width)
        condition = width if environment in ("film", "both") else None
        self.blocks = nn.ModuleList(
            Block(width, heads, pairs, condition) for _ in range(1 if ode_steps else depth)
        )
        self.norm = nn.LayerNorm(width)
        self.of_node = nn.Linear(width, 2 * latents.nodes) if latents.nodes else None
        self.attention = nn.Linear(width, 1)
        self.local = nn.Linear(width, 2 * latents.local)
        self.globally = nn.Linear(2 * width, 2 * latents.globally)

    def forward(self, batch: PathwayBatch, shift_BND: Tensor | None = None) -> Posterior:
        """Return the latents of a batch, by the edges that it shows.

        Args:
            batch: Graphs.
            shift_BND: What is added to the compounds' vectors.
        """
        condition_BD = self._condition(batch)
        x_BND = self.nodes(batch.features_BNF, batch.classes_BN)
        if shift_BND is not None:
            x_BND = x_BND + shift_BND
        if self.environment in ("concatenation", "both"):
            x_BND = torch.cat([x_BND, condition_BD.unsqueeze(1).expand_as(x_BND)], -1)
        x_BND, pairs = self.start(x_BND), self.pairs(batch, seen_pairs(batch, self.sparsity))
        if self.ode_steps:
            x_BND = self._flow(x_BND, batch.mask_BN, pairs, condition_BD)
        else:
            for block in self.blocks:
                x_BND = block(x_BND, batch.mask_BN, pairs, condition_BD)
        return self.read(self.norm(x_BND), batch.mask_BN)

    def _flow(self, x_BND: Tensor, mask_BN: Tensor, pairs: Pairs, condition_BD: Tensor) -> Tensor:
        """Return the states at time 1 of dx/dt = block(x) - x, by Runge and Kutta's fourth order.

        Chen et al., "Neural ordinary differential equations", NeurIPS 2018; on graphs, Poli et
        al., "Graph neural ordinary differential equations" (2019).
        """
        block = self.blocks[0]
        found = odeint(
            lambda time, x: block(x, mask_BN, pairs, condition_BD) - x,
            x_BND,
            torch.tensor([0.0, 1.0], device=x_BND.device),
            method="rk4",
            options={"step_size": 1 / self.ode_steps},
        )
        return cast(Tensor, found)[-1]

    def read(self, x_BND: Tensor, mask_BN: Tensor) -> Posterior:
        """Return the latents of nodes and graphs, from states of nodes."""
        there_BN1 = mask_BN.unsqueeze(-1)
        mean_BD = (x_BND * there_BN1).sum(1) / there_BN1.sum(1)
        share_BN1 = self.attention(x_BND).masked_fill(~there_BN1, -torch.inf).softmax(1)
        most_BD = x_BND.masked_fill(~there_BN1, -torch.inf).amax(1)
        whole_BD = torch.cat([(share_BN1 * x_BND).sum(1), most_BD], -1)
        local, globally = _gaussian(self.local(mean_BD)), _gaussian(self.globally(whole_BD))
        return Posterior(
            None if self.of_node is None else _gaussian(self.of_node(x_BND)),
            Gaussian(
                torch.cat([local.mean, globally.mean], -1),
                torch.cat([local.log_variance, globally.log_variance], -1),
            ),
            x_BND,
        )

    def _condition(self, batch: PathwayBatch) -> Tensor:
        if self.vector is None:
            return batch.environment_B4[:, :0]
        return self.vector(batch.environment_B4, batch.known_B4)


def _gaussian(both: Tensor) -> Gaussian:
    mean, log_variance = both.chunk(2, dim=-1)
    return Gaussian(mean, log_variance.clamp(-8, 8))


def _marks(batch: PathwayBatch) -> Tensor:
    """Return float (B, N, N, 2): whether an edge is hidden, and whether its reverse is."""
    return torch.stack([batch.hidden_BNN, batch.hidden_BNN.mT], -1).float()


def _kernel(a_BNK: Tensor, b_BNK: Tensor, weight_BKM: Tensor) -> Tensor:
    """Return (B, N, N, M): Σₖ a(u, k) b(v, k) weight(k, m)."""
    return torch.einsum("buk,bvk,bkm->buvm", a_BNK, b_BNK, weight_BKM)


def _kernel_at(place: Place, a_BNK: Tensor, b_BNK: Tensor, weight_BKM: Tensor) -> Tensor:
    """Return (P, M): the same at some pairs."""
    graph_P, row_P, column_P = place
    both_PK = a_BNK[graph_P, row_P] * b_BNK[graph_P, column_P]
    return (both_PK.unsqueeze(1) @ weight_BKM[graph_P]).squeeze(1)
