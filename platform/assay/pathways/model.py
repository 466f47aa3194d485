"""The contract of a model of pathways: what the task, the evaluation and the tests ask of it.

A model is a `PathwayModel`: it is trained by `forward`, scores the pairs of given graphs by
`edge_logits`, and makes new graphs by `generate`. It is called by `model(batch, draws, step)` in
training and in evaluation alike, and answers with the same `Outcome`; nothing that it returns is
there in one mode only. Every draw comes from `Draws`, so that a step does not depend on how it is
cut into micro-batches, or by whom it is computed.

Shapes: B graphs of a batch, G graphs, N nodes (padded), L latent entries, V compounds.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.config import Settings
from assay.errors import ConfigError
from assay.pathways.batches import PathwayBatch, of_like_sizes
from assay.pathways.corpus import Corpus
from assay.pathways.environment import physical
from assay.pathways.graphs import UNKNOWN, PathwayGraphs
from assay.store.texts import Texts
from assay.training.draws import Draws

DRAWN_AT_ONCE = 128
"""Graphs of one batch of `sample`, at most."""


class Outcome(NamedTuple):
    """What a model says of a batch, in training and in evaluation.

    A tuple, in which FSDP2 finds the tensors that a backward pass begins at.
    """

    total: Tensor
    """() what is minimised: the sum of the losses, each by its weight."""
    losses: Mapping[str, Tensor]
    """() each, by name, not weighted: a mean per entry (node, pair, latent entry) within each
    graph, and then the mean over the graphs of the batch. A term of weight 0 is not computed, and
    is not here."""
    latent: Tensor | None
    """(B, L) the mean of what stands for a whole graph; None of a model that has no such thing."""


@dataclass(frozen=True)
class Generated:
    """New graphs, dense; what lies beyond a graph's nodes is ignored."""

    compounds_BN: Tensor
    """int64: positions in `Corpus.names`; UNKNOWN where a model gives a node no name."""
    adjacency_BNN: Tensor
    """bool: an edge leads from the row's node to the column's; the diagonal is ignored."""
    reversible_BNN: Tensor
    """bool."""
    reactions_BNN: Tensor
    """int64: positions in REACTION_CLASSES; 0 is unknown."""


class ModelSettings(Settings):
    """What any model can be told; a model's own settings derive from it."""

    @property
    def passes_a_sample(self) -> int:
        """How often a new graph goes through the network, to plan what an evaluation costs."""
        return 1


class PathwayModel(nn.Module, ABC):
    """A generative model of directed metabolic graphs."""

    Settings: ClassVar[type[ModelSettings]]
    learns: ClassVar[bool] = True
    """False of what has no parameters, and so no stage of training."""

    def __init__(self, settings: ModelSettings, corpus: Corpus) -> None:
        """Build a model; torch's generator has been seeded.

        Args:
            settings: An instance of `Settings`.
            corpus: The compounds that graphs are made of, and figures of the training graphs.
        """
        super().__init__()
        self.settings, self.corpus = settings, corpus

    @property
    def device(self) -> torch.device:
        """Where the parameters are; the CPU if there are none."""
        return next((one.device for one in self.parameters()), torch.device("cpu"))

    @abstractmethod
    def forward(self, batch: PathwayBatch, draws: Draws, step: int | None) -> Outcome:
        """Return the losses of a batch, and what stands for its graphs.

        Args:
            batch: Real graphs.
            draws: One stream a graph: all that is random.
            step: Of training, for what is warmed up; None in evaluation, when all of it is.
        """

    @abstractmethod
    def edge_logits(self, batch: PathwayBatch) -> Tensor:
        """Return float (B, N, N): the log odds that an edge leads from the row to the column.

        Of given graphs, whose edges the model sees as far as the batch shows them: an edge that it
        hides is to be foretold. Deterministic. The diagonal and what is beyond a graph are ignored.
        """

    @abstractmethod
    def generate(
        self, mask_BN: Tensor, environment_B4: Tensor, known_B4: Tensor, draws: Draws
    ) -> Generated:
        """Return new graphs.

        Args:
            mask_BN: bool, the nodes that each graph is to have; they come first.
            environment_B4: float32, normalised; what is not known is 0 and says nothing.
            known_B4: bool.
            draws: One stream a graph.
        """

    def sizes(
        self, environment_G4: NDArray[np.floating], known_G4: NDArray[np.bool_], seed: int
    ) -> NDArray[np.int64]:
        """Return how many nodes each of G new graphs has, where the model is to say so itself.

        Graph k then is that of `sample` with the same seed.

        Raises:
            ConfigError: the model does not say how many.
        """
        raise ConfigError(
            "settings.sizes model: this model does not say how many nodes a graph has; use training"
        )

    @torch.no_grad()
    def sample(
        self,
        sizes_G: NDArray[np.integer],
        environment_G4: NDArray[np.floating],
        known_G4: NDArray[np.bool_],
        seed: int,
    ) -> PathwayGraphs:
        """Return G new graphs, in the form that metrics take; graph k depends on k and the seed.

        Args:
            sizes_G: Nodes of each.
            environment_G4: Normalised, as of `assay.pathways.environment.normalised`.
            known_G4: Which entries are asked for; the others are left open.
            seed: Of all draws.
        """
        device = self.device
        parts: list[PathwayGraphs] = []
        batches = of_like_sizes(sizes_G, DRAWN_AT_ONCE)
        for chosen in batches:
            sizes = torch.from_numpy(np.asarray(sizes_G, np.int64)[chosen]).to(device)
            known = torch.from_numpy(np.asarray(known_G4)[chosen])
            asked = torch.from_numpy(np.asarray(environment_G4, np.float32)[chosen]) * known
            mask_BN = torch.arange(int(sizes.max()), device=device) < sizes[:, None]
            draws = Draws(seed, 0, torch.from_numpy(chosen).to(device))
            made = self.generate(mask_BN, asked.to(device), known.to(device), draws)
            parts.append(packed(made, mask_BN, asked.numpy(), known.numpy(), self.corpus))
        return joined(parts).select(np.argsort(np.concatenate(batches)))


def packed(
    made: Generated,
    mask_BN: Tensor,
    environment_B4: NDArray[np.float32],
    known_B4: NDArray[np.bool_],
    corpus: Corpus,
) -> PathwayGraphs:
    """Return dense graphs as packed ones; `environment_B4` is normalised."""
    mask, B = mask_BN.cpu().numpy(), len(mask_BN)
    inside = mask[:, :, None] & mask[:, None, :] & ~np.eye(mask.shape[1], dtype=bool)
    owner, source, target = np.nonzero(made.adjacency_BNN.cpu().numpy() & inside)
    E = len(owner)
    return PathwayGraphs(
        node_counts=mask.sum(1),
        edge_counts=np.bincount(owner, minlength=B),
        nodes=made.compounds_BN.cpu().numpy()[mask].astype(np.int32),
        edges=np.stack([source, target]).astype(np.int32),
        main=np.ones(E, np.bool_),
        reversible=made.reversible_BNN.cpu().numpy()[owner, source, target],
        reactions=np.full(E, UNKNOWN, np.int32),
        reaction_classes=made.reactions_BNN.cpu().numpy()[owner, source, target].astype(np.uint8),
        environment=np.where(known_B4, physical(environment_B4), 0).astype(np.float32),
        environment_known=known_B4,
        consumes_oxygen=np.full(B, UNKNOWN, np.int8),
        families=np.zeros(B, np.int32),
        split=np.zeros(B, np.uint8),
        ids=Texts.of([""] * B),
        compounds=corpus.names,
        reaction_names=Texts.of([]),
        family_names=Texts.of(["generated"]),
    )


def joined(parts: list[PathwayGraphs]) -> PathwayGraphs:
    """Return packed graphs that share their tables, one after the other, named by their number."""
    tables = ("ids", "compounds", "reaction_names", "family_names")
    arrays: dict[str, Any] = {
        one.name: np.concatenate([getattr(part, one.name) for part in parts], axis=-1)
        if one.name == "edges"
        else np.concatenate([getattr(part, one.name) for part in parts])
        for one in fields(PathwayGraphs)
        if one.name not in tables
    }
    ids = Texts.of(f"generated {k}" for k in range(sum(map(len, parts))))
    shared = {name: getattr(parts[0], name) for name in tables[1:]}
    return PathwayGraphs(**arrays, **shared, ids=ids)
