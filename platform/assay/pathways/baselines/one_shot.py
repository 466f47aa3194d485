"""A variational autoencoder that decodes a whole graph at once: what three baselines are.

Each says how a graph becomes a latent and a latent a graph; how it is trained, scored and drawn
from is the same for all, and the same as of the Graph VAE: edges hidden from the encoder, weights,
free bits, spanning trees.

Shapes: B graphs, N nodes (padded), L latent entries, D width, R classes of reactions.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, cast

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from assay.config import Size, SizedSettings
from assay.pathways import assembly
from assay.pathways.baselines import heads
from assay.pathways.baselines.convolution import Unseen
from assay.pathways.batches import PathwayBatch, drawn_pairs
from assay.pathways.corpus import Corpus
from assay.pathways.encoder import Gaussian, NodeFeatures
from assay.pathways.model import Generated, ModelSettings, Outcome, PathwayModel
from assay.pathways.objective import Kullback, Weights
from assay.training.draws import Draws

Share = Annotated[float, Field(ge=0, lt=1)]


class OneShotSettings(SizedSettings, ModelSettings):
    """Of any of the three."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 32, "depth": 2},
        "s": {"width": 64, "depth": 2},
        "m": {"width": 128, "depth": 3},
        "l": {"width": 256, "depth": 4},
    }
    width: PositiveInt
    depth: PositiveInt
    """Layers of the encoder."""
    latents: PositiveInt = 16
    """Entries, of each node or of the graph."""
    hidden: Share = 0.2
    """Of the pairs of a graph, whose edges the encoder does not see."""
    balance: Annotated[float, Field(ge=0, le=1)] = 0.5
    """How edges, which are few, are weighted: (non-edges / edges) to this power."""
    connected: bool = True
    """Whether generated graphs begin as a weakly spanning tree of the most likely edges."""
    kl: PositiveFloat = Weights().kl
    """Weight of the divergence of the latents, a mean per entry; that of edges is 1."""
    kullback: Kullback = Kullback()


@dataclass(frozen=True)
class Decoded:
    """A graph as log odds and logits."""

    edges_BNN: Tensor
    """Log odds of an edge from the row to the column."""
    reversible_BNN: Tensor
    """Log odds that it is reversible."""
    reactions_BNNR: Tensor
    """Logits of its reaction's class."""
    states_BND: Tensor
    """What nodes' compounds are read from."""


class OneShot(PathwayModel):
    """What is the same for all."""

    Settings: ClassVar[type[ModelSettings]] = OneShotSettings
    directed: ClassVar[bool] = True
    """Whether scores of an edge and of its reverse can differ."""

    def __init__(self, settings: ModelSettings, corpus: Corpus) -> None:
        """Build what tells of conditions and what names nodes."""
        super().__init__(settings, corpus)
        own = self.own = cast(OneShotSettings, settings)
        self.told = heads.Told(own.width)
        self.compounds = heads.Compounds(own.width, corpus)
        self.nodes = NodeFeatures(own.width)
        self.unseen = Unseen(own.width) if own.hidden else None
        self.edge_weight = ((1 - corpus.density) / corpus.density) ** own.balance

    @abstractmethod
    def encode(self, batch: PathwayBatch, told_BD: Tensor) -> Gaussian:
        """Return the latents, (B, N, L) of nodes or (B, L) of graphs, of the edges in sight."""

    def seen(self, batch: PathwayBatch, told_BD: Tensor) -> Tensor:
        """Return (B, N, D): nodes as an encoder begins with them, told what is hidden from it."""
        x_BND = self.nodes(batch.features_BNF, batch.classes_BN) + told_BD.unsqueeze(1)
        return x_BND if self.unseen is None else self.unseen(x_BND, batch)

    @abstractmethod
    def decode(self, latent: Tensor, mask_BN: Tensor, told_BD: Tensor) -> Decoded:
        """Return the graphs that latents stand for."""

    @abstractmethod
    def prior(self, draws: Draws, N: int) -> Tensor:
        """Return standard normal latents of graphs of at most N nodes."""

    def order(self, batch: PathwayBatch) -> Tensor | None:
        """Return int64 (B, N), the nodes in the order in which they are decoded; None: it is none.

        Of the edges in sight alone.
        """
        return None

    def forward(self, batch: PathwayBatch, draws: Draws, step: int | None) -> Outcome:
        """Return the weighted terms of the objective."""
        own, seen = self.own, batch
        if own.hidden:
            seen = batch.without(drawn_pairs(batch, draws, "hidden") < own.hidden)
        if (order_BN := self.order(seen)) is not None:
            batch, seen = batch.renumbered(order_BN), seen.renumbered(order_BN)
        told_BD = self.told(batch.environment_B4, batch.known_B4, batch.mask_BN)
        posterior = self.encode(seen, told_BD)
        noise = draws.normal("latent", *posterior.mean.shape[1:])
        decoded = self.decode(posterior.at(noise), batch.mask_BN, told_BD)
        found = {
            "edges": heads.edge_loss(decoded.edges_BNN, batch, self.edge_weight),
            "compounds": self.compounds.loss(decoded.states_BND, batch, draws),
            "types": heads.reversible_loss(decoded.reversible_BNN, batch)
            + heads.reaction_loss(decoded.reactions_BNNR, batch),
            "kl": divergence(posterior, batch.mask_BN, own.kullback.free_bits),
        }
        weights = {**heads.WEIGHTS, "kl": own.kl * self._warmth(step)}
        total = heads.weighted(found, weights)
        return Outcome(total, found, over_nodes(posterior.mean, batch.mask_BN))

    def edge_logits(self, batch: PathwayBatch) -> Tensor:
        """Return what is decoded from the latents' means."""
        order_BN = self.order(batch)
        if order_BN is not None:
            batch = batch.renumbered(order_BN)
        told_BD = self.told(batch.environment_B4, batch.known_B4, batch.mask_BN)
        posterior = self.encode(batch, told_BD)
        logits_BNN = self.decode(posterior.mean, batch.mask_BN, told_BD).edges_BNN
        return logits_BNN if order_BN is None else heads.numbered_back(logits_BNN, order_BN)

    def generate(
        self, mask_BN: Tensor, environment_B4: Tensor, known_B4: Tensor, draws: Draws
    ) -> Generated:
        """Return graphs of latents from the prior."""
        told_BD = self.told(environment_B4, known_B4, mask_BN)
        N, ways_BNN = mask_BN.shape[1], None
        decoded = self.decode(self.prior(draws, N), mask_BN, told_BD)
        if not self.directed:
            ways_BNN = assembly.drawn_ways(draws, N, self.corpus.both_ways)
        return Generated(
            compounds_BN=self.compounds.drawn(decoded.states_BND, mask_BN, draws),
            adjacency_BNN=assembly.likely_edges(
                decoded.edges_BNN, heads.inside(mask_BN), self.own.connected, ways_BNN
            ),
            reversible_BNN=decoded.reversible_BNN > 0,
            reactions_BNN=heads.likely_reactions(decoded.reactions_BNNR),
        )

    def _warmth(self, step: int | None) -> float:
        warmup = self.own.kullback.warmup_steps
        return 1.0 if step is None or step >= warmup else step / warmup


def divergence(posterior: Gaussian, mask_BN: Tensor, free_bits: float) -> Tensor:
    """Return the mean divergence of a latent entry; below `free_bits` an entry costs that much."""
    return over_nodes(posterior.kl(), mask_BN).clamp(min=free_bits).mean()


def over_nodes(values: Tensor, mask_BN: Tensor) -> Tensor:
    """Return (B, L): the mean over a graph's nodes of (B, N, L); what has no nodes as it is."""
    if values.dim() == 2:
        return values
    there_BN1 = mask_BN.unsqueeze(-1)
    return (values * there_BN1).sum(1) / there_BN1.sum(1)
