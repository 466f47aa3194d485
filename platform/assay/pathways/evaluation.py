"""Judges a model of pathways: by its samples, by its scores of held-out edges, by what it obeys.

Shapes: B graphs of a batch, G graphs, N nodes of one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from assay.pathways.batches import PathwayBatch, PathwayRecords, drawn_pairs, of_like_sizes
from assay.pathways.classifier import OxygenClassifier, oxygen_classes
from assay.pathways.environment import normalised
from assay.pathways.graphs import UNKNOWN, PathwayGraphs
from assay.pathways.metrics import calibration, links
from assay.pathways.metrics.conditional import ceiling, fidelity
from assay.pathways.metrics.links import Scored
from assay.pathways.metrics.reference import Reference
from assay.pathways.model import PathwayModel
from assay.task import Estimate
from assay.training.draws import Draws, fold

FOLDS = 5
"""Every edge is hidden once, with one fifth of the others."""
AT_ONCE = 64
"""Graphs of one batch, at most."""


@dataclass(frozen=True)
class Asked:
    """What graphs are asked for."""

    sizes_G: NDArray[np.int64]
    environment_G4: NDArray[np.float32]
    """Normalised."""
    known_G4: NDArray[np.bool_]

    @classmethod
    def of(cls, graphs: PathwayGraphs) -> Self:
        """Return the sizes and environments of real graphs."""
        known = np.asarray(graphs.environment_known)
        return cls(graphs.node_counts, normalised(graphs.environment, known), known)

    def sized_by(self, model: PathwayModel, seed: int) -> Self:
        """Return the same with the sizes that the model gives the graphs of `sample`.

        Raises:
            ConfigError: it gives none.
        """
        return replace(self, sizes_G=model.sizes(self.environment_G4, self.known_G4, seed))

    def sample(self, model: PathwayModel, seed: int) -> PathwayGraphs:
        """Return a graph for each."""
        return model.sample(self.sizes_G, self.environment_G4, self.known_G4, seed)


def drawn_from(train: PathwayGraphs, count: int, seed: int) -> Asked:
    """Return the sizes and environments of `count` training graphs, drawn with repetition."""
    generator = np.random.Generator(np.random.Philox(key=fold(seed, "asked")))
    return Asked.of(train.select(generator.integers(len(train), size=count)))


@dataclass(frozen=True)
class Linked:
    """Real graphs with a model's scores of all their ordered pairs, as log odds."""

    whole: list[Scored]
    """G, scored with every edge in sight: how well a graph is rebuilt."""
    held_out: list[Scored]
    """G, every pair scored while it was hidden, with a fifth of the others."""
    irreversible: list[NDArray[np.bool_]]
    """G of (N, N): the edges that are not reversible."""

    def estimates(self, seed: int) -> dict[str, Estimate]:
        """Return `reconstruction/…`, `reversed_edge/auc` and `calibration/ece`."""
        return (
            links.reconstruction(self.whole, seed)
            | links.reversed_edges(self.held_out, self.irreversible, seed)
            | calibration.evaluate(self.held_out, seed)
        )


@torch.no_grad()
def linked(model: PathwayModel, records: PathwayRecords, seed: int) -> Linked:
    """Score the pairs of a split's graphs; the seed chooses which edges are hidden together."""
    found = Linked([], [], [])
    for batch in in_batches(records):
        draws = Draws(seed, 0, batch.record_ids)
        fold_BNN = (drawn_pairs(batch, draws, "folds") * FOLDS).long()
        batch = batch.to(model.device)
        whole_BNN = model.edge_logits(batch).float().cpu()
        held_BNN = torch.zeros_like(whole_BNN)
        for k in range(FOLDS):
            hidden_BNN = fold_BNN == k
            logits_BNN = model.edge_logits(batch.without(hidden_BNN.to(batch.mask_BN.device)))
            held_BNN = torch.where(hidden_BNN, logits_BNN.float().cpu(), held_BNN)
        batch = batch.to(torch.device("cpu"))
        one_way_BNN = batch.adjacency_BNN & ~batch.reversible_BNN
        for k, N in enumerate(batch.mask_BN.sum(1).tolist()):
            edges_NN, whole_NN, held_NN, one_way_NN = (
                matrix[k, :N, :N].numpy()
                for matrix in (batch.adjacency_BNN, whole_BNN, held_BNN, one_way_BNN)
            )
            found.whole.append(Scored(edges_NN, whole_NN))
            found.held_out.append(Scored(edges_NN, held_NN))
            found.irreversible.append(one_way_NN)
    return found


@torch.no_grad()
def latents(model: PathwayModel, records: PathwayRecords, seed: int) -> NDArray[np.float32] | None:
    """Return (G, L): the `Outcome.latent` of a split's graphs, in their order; None without any.

    As in training: of a graph that a model hides edges from, with those hidden that the seed says.
    """
    found: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    for batch in in_batches(records) if model.learns else ():
        draws = Draws(seed, 0, batch.record_ids.to(model.device))
        latent_BL = model(batch.to(model.device), draws, None).latent
        if latent_BL is None:
            return None
        found.append((batch.record_ids.numpy(), latent_BL.float().cpu().numpy()))
    if not found:
        return None
    ids_G = np.concatenate([ids for ids, _ in found])
    place_G = np.argsort(ids_G)[np.searchsorted(np.sort(ids_G), records.record_ids)]
    return np.concatenate([latent_BL for _, latent_BL in found])[place_G]


def in_batches(records: PathwayRecords) -> Iterator[PathwayBatch]:
    """Yield the graphs of a split in batches of like sizes."""
    for indices in of_like_sizes(records.lengths, AT_ONCE):
        yield records.batch(indices)


@dataclass(frozen=True)
class Oxygen:
    """The question whether graphs fit the O2 that they are asked for."""

    reference: Reference
    features_VF: NDArray[np.float32]
    """Of the compounds that the reference names."""
    count: int
    """Graphs that are asked for."""
    seed: int

    @cached_property
    def classifier(self) -> OxygenClassifier | None:
        """Learnt from the real graphs of the training split; None where they tell too little."""
        train, validation = self.reference.train, self.reference.validation
        assert validation is not None, "a prepared set has splits"
        return OxygenClassifier.learnt(train, validation, self.features_VF)

    def of_model(self, model: PathwayModel) -> dict[str, Estimate]:
        """Return `conditional/fidelity`, and `conditional/shuffled`: for the wishes of others.

        Sizes and environments are those of test graphs, as many aerobic as not.
        """
        graphs, classes_G = self._of_each_class(self.count // 2)
        if self.classifier is None or not len(graphs):
            return {}
        made = Asked.of(graphs).sample(model, fold(self.seed, "oxygen"))
        generator = np.random.Generator(np.random.Philox(key=fold(self.seed, "shuffled")))
        found = fidelity(made, classes_G, self.classifier)
        control = fidelity(made, generator.permutation(classes_G), self.classifier)
        return found | {"conditional/shuffled": control["conditional/fidelity"]}

    def of_data(self) -> dict[str, Estimate]:
        """Return `conditional/fidelity` of the real test graphs, the ceiling."""
        classes_G = oxygen_classes(self.reference.test)
        known = np.flatnonzero(classes_G != UNKNOWN)
        if self.classifier is None or len(np.unique(classes_G[known])) < 2:
            return {}
        return ceiling(self.reference.test.select(known), classes_G[known], self.classifier)

    def _of_each_class(self, count: int) -> tuple[PathwayGraphs, NDArray[np.int64]]:
        """Return `count` test graphs of each class, repeated in turn; none if a class has none."""
        test = self.reference.test
        classes_G = oxygen_classes(test)
        of_class = [np.flatnonzero(classes_G == k) for k in (0, 1)]
        if not all(map(len, of_class)):
            count = 0
        chosen = np.concatenate([np.resize(some, count) for some in of_class]).astype(np.int64)
        return test.select(chosen), classes_G[chosen]
