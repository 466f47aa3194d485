"""Judges a model of pathways: by its samples, by its scores of held-out edges, by what it obeys.

Shapes: B graphs of a batch, G graphs, N nodes of one, H wishes of a class.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from assay.pathways.batches import PathwayBatch, PathwayRecords, drawn_pairs, of_like_sizes
from assay.pathways.classifier import UptakeClassifier, oxygen_classes
from assay.pathways.environment import normalised
from assay.pathways.graphs import UNKNOWN, PathwayGraphs
from assay.pathways.metrics import calibration, links
from assay.pathways.metrics.conditional import balanced
from assay.pathways.metrics.links import Scored
from assay.pathways.metrics.reference import Reference
from assay.pathways.model import PathwayModel
from assay.pathways.named_pairs import pair_codes, pairs_of
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
    new: list[NDArray[np.bool_]]
    """G of (N, N), symmetric: pairs of named compounds that no training graph joins."""

    def estimates(self, seed: int) -> dict[str, Estimate]:
        """Return `reconstruction/…`, `reversed_edge/auc` and `calibration/ece`."""
        return (
            links.reconstruction(self.whole, seed)
            | links.reversed_edges(self.held_out, self.irreversible, seed, self.new)
            | calibration.evaluate(self.held_out, seed)
        )


@torch.no_grad()
def linked(model: PathwayModel, records: PathwayRecords, seed: int) -> Linked:
    """Score the pairs of a split's graphs; the seed chooses which edges are hidden together."""
    found = Linked([], [], [], [])
    codes_P, _, edges_P = pairs_of(model.corpus.graphs)
    V, joined_P = len(model.corpus.names), codes_P[edges_P > 0]
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
        code_BNN = pair_codes(batch, V)
        known_BNN = np.isin(code_BNN, joined_P) | (code_BNN == UNKNOWN)
        for k, N in enumerate(batch.mask_BN.sum(1).tolist()):
            edges_NN, whole_NN, held_NN, one_way_NN = (
                matrix[k, :N, :N].numpy()
                for matrix in (batch.adjacency_BNN, whole_BNN, held_BNN, one_way_BNN)
            )
            found.whole.append(Scored(edges_NN, whole_NN))
            found.held_out.append(Scored(edges_NN, held_NN))
            found.irreversible.append(one_way_NN)
            known_NN = known_BNN[k, :N, :N]
            found.new.append(~(known_NN | known_NN.T))
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
    """The question whether graphs take up O2 in air, and none where there is none.

    The judge has learnt from the validation split, which no model learns from: it has seen no
    graph that a model may have by heart.
    """

    reference: Reference
    features_VF: NDArray[np.float32]
    """Of the compounds that the reference names."""
    count: int
    """Graphs that are asked for."""
    seed: int

    @cached_property
    def judge(self) -> UptakeClassifier | None:
        """Learnt from real graphs; None where too little is recorded of them."""
        validation = self.reference.validation
        assert validation is not None, "a prepared set has splits"
        return UptakeClassifier.learnt(validation, self.features_VF)

    def of_model(self, model: PathwayModel) -> dict[str, Estimate]:
        """Return `conditional/fidelity`, and `conditional/shuffled`: for the wishes of others.

        The same sizes are asked for twice, from the same noise: in environments of aerobic test
        graphs and of others. A model that heeds no environment makes the same graphs twice, and
        has exactly one half.
        """
        wishes = self._wishes()
        if self.judge is None or wishes is None:
            return {}
        asked, sources_2H = wishes
        made = [one.sample(model, fold(self.seed, "oxygen")) for one in asked]
        found_G = np.concatenate([self.judge(graphs) for graphs in made])
        H = sources_2H.shape[1]
        wanted_2H = np.repeat([[0], [1]], H, axis=1)
        # Of the two graphs of one size the wishes change places, or stay.
        swapped_2H = wanted_2H ^ self._drawn("shuffled").integers(2, size=H)
        sources_G = sources_2H.reshape(-1)
        return {
            "conditional/fidelity": balanced(found_G, wanted_2H.reshape(-1), sources_G),
            "conditional/shuffled": balanced(found_G, swapped_2H.reshape(-1), sources_G),
        }

    def of_data(self) -> dict[str, Estimate]:
        """Return the same of real graphs, and how far the judge can be believed.

        `conditional/judge`: whether it finds what is recorded of them. `conditional/fidelity`: of
        those whose O2 is known, judged as generated ones are; `conditional/recorded`: as it is
        recorded of them. All of the training and test splits, whole families resampled.
        """
        if self.judge is None:
            return {}
        parts = [self._of_split(graphs) for graphs in (self.reference.train, self.reference.test)]
        found, recorded, wanted, families = np.concatenate(parts, axis=1)
        known, asked = recorded != UNKNOWN, wanted != UNKNOWN
        compared = {
            "conditional/judge": (found, recorded, known),
            "conditional/fidelity": (found, wanted, asked),
            "conditional/recorded": (recorded, wanted, asked & known),
        }
        return {
            name: balanced(one[there], other[there], families[there])
            for name, (one, other, there) in compared.items()
            if len(np.unique(other[there])) == 2
        }

    def _of_split(self, graphs: PathwayGraphs) -> NDArray[np.int64]:
        """Return (4, G): what is found, what is recorded, what the air asks for, the family."""
        assert self.judge is not None
        rows = self.judge(graphs), graphs.consumes_oxygen, oxygen_classes(graphs), graphs.families
        return np.stack([row.astype(np.int64) for row in rows])

    def _wishes(self) -> tuple[list[Asked], NDArray[np.int64]] | None:
        """Return H wishes without O2, H with, of the same sizes, and (2, H) whose environments.

        Sizes are of any test graphs, environments of those whose O2 is known, each in turn; None if
        a class has none.
        """
        test, H = self.reference.test, self.count // 2
        classes_G = oxygen_classes(test)
        of_class = [np.flatnonzero(classes_G == k) for k in (0, 1)]
        if not H or not all(map(len, of_class)):
            return None
        draw = self._drawn("wishes")
        sizes_H = np.resize(draw.permutation(test.node_counts), H)
        sources_2H = np.stack([draw.permutation(np.resize(some, H)) for some in of_class])
        asked = [replace(Asked.of(test.select(some)), sizes_G=sizes_H) for some in sources_2H]
        return asked, sources_2H

    def _drawn(self, name: str) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=fold(self.seed, name)))
