"""Floors as models: they learn nothing, are asked for what models are asked for, judged as those.

    rewired             a training graph of the size, its edges swapped, all degrees kept
    erdos_renyi         a training graph of the size, as many edges between any of its nodes
    erdos_renyi_joined  the same, joined to one piece as graphs of models are
    copy_train          a training graph of the size
    nearest             a training graph of the size, of the environment nearest to that asked for

They score the pairs of a given graph by what such a floor knows: the degrees in sight, the density,
how often training has an edge of that name, whether the nearest training graph has it.

Shapes: B graphs of a batch, G graphs, K training graphs, N nodes, P pairs of names.
"""

from abc import abstractmethod
from dataclasses import replace
from functools import cached_property
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.pathways import floors
from assay.pathways.batches import PathwayBatch
from assay.pathways.environment import normalised, physical
from assay.pathways.graphs import PathwayGraphs
from assay.pathways.model import Generated, ModelSettings, Outcome, PathwayModel, packed
from assay.pathways.named_pairs import pair_codes, pairs_of
from assay.store.texts import Texts
from assay.training.draws import Draws, fold

UNALIKE = 1.0
"""Squared distance of an entry that is asked for and not known, in units of its scale."""


class Floor(PathwayModel):
    """A model without parameters, and so without a stage."""

    Settings = ModelSettings
    learns = False

    def forward(self, batch: PathwayBatch, draws: Draws, step: int | None) -> Outcome:
        """Refuse: there is no stage."""
        raise NotImplementedError

    def generate(
        self, mask_BN: Tensor, environment_B4: Tensor, known_B4: Tensor, draws: Draws
    ) -> NoReturn:
        """Refuse: graphs are made of packed ones, by `sample`."""
        raise NotImplementedError

    @abstractmethod
    def made(self, graphs: PathwayGraphs, seed: int) -> PathwayGraphs:
        """Return what becomes of training graphs, with the nodes that they have."""

    def sample(
        self,
        sizes_G: NDArray[np.integer],
        environment_G4: NDArray[np.floating],
        known_G4: NDArray[np.bool_],
        seed: int,
    ) -> PathwayGraphs:
        """Return G graphs; where training has none of a size, of the nearest size it has."""
        chosen_G = self.chosen(np.asarray(sizes_G), environment_G4, known_G4, seed)
        templates = self.corpus.graphs.select(chosen_G)
        asked_G4 = np.where(known_G4, physical(environment_G4), 0)
        return replace(
            self.made(templates, fold(seed, "floor")),
            nodes=templates.nodes,
            compounds=templates.compounds,
            environment=asked_G4.astype(np.float32),
            environment_known=np.asarray(known_G4),
            ids=Texts.of(f"generated {k}" for k in range(len(chosen_G))),
        )

    def chosen(
        self,
        sizes_G: NDArray[np.integer],
        environment_G4: NDArray[np.floating],
        known_G4: NDArray[np.bool_],
        seed: int,
    ) -> NDArray[np.int64]:
        """Return the training graph of each: of those of its size any, drawn for it."""
        order_K, first_G, count_G = self._of_size(sizes_G)
        return order_K[first_G + self._bits(len(sizes_G), seed) % count_G]

    def _of_size(
        self, sizes_G: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return training graphs by size (K,), and where those of each size begin, how many."""
        of_train_K = self.corpus.graphs.node_counts
        order_K = np.argsort(of_train_K, kind="stable")
        there = np.unique(of_train_K)
        nearest_G = there[np.abs(sizes_G[:, None] - there).argmin(axis=1)]
        first_G = np.searchsorted(of_train_K[order_K], nearest_G, side="left")
        end_G = np.searchsorted(of_train_K[order_K], nearest_G, side="right")
        return order_K, first_G, end_G - first_G

    def _bits(self, count: int, seed: int) -> NDArray[np.int64]:
        draws = Draws(fold(seed, "training graphs"), 0, torch.arange(count))
        return draws.bits("chosen").numpy() & np.int64(2**62 - 1)


class Rewired(Floor):
    """Degrees, and nothing else."""

    def made(self, graphs: PathwayGraphs, seed: int) -> PathwayGraphs:
        """Return graphs whose edges have swapped ends."""
        return floors.rewired(graphs, seed)

    def edge_logits(self, batch: PathwayBatch) -> Tensor:
        """Return the log odds of at least one edge in the configuration model.

        With Poisson numbers of edges, of the mean that two degrees make: out(u) in(v) / E. Each
        degree is one of the edges in sight and of one node's share at the density of training.
        """
        A_BNN, mask_BN = batch.adjacency_BNN.float(), batch.mask_BN
        share_B1 = self.corpus.density * (mask_BN.sum(1, keepdim=True) - 1).clamp(min=1)
        gives_BN, takes_BN = (A_BNN.sum(dim) + share_B1 for dim in (2, 1))
        total_B = (gives_BN * mask_BN).sum(1)
        rate_BNN = gives_BN[:, :, None] * takes_BN[:, None, :] / total_B[:, None, None]
        return rate_BNN.expm1().log()


class ErdosRenyi(Floor):
    """The number of edges, and nothing else."""

    def made(self, graphs: PathwayGraphs, seed: int) -> PathwayGraphs:
        """Return graphs of as many edges, anywhere."""
        return floors.erdos_renyi(graphs, seed)

    def edge_logits(self, batch: PathwayBatch) -> Tensor:
        """Return the log odds of the density, of every pair."""
        density = torch.tensor(self.corpus.density, device=batch.mask_BN.device)
        return density.logit().expand(batch.adjacency_BNN.shape)


class ErdosRenyiJoined(ErdosRenyi):
    """The number of edges, and the way in which models' graphs are assembled."""

    def made(self, graphs: PathwayGraphs, seed: int) -> PathwayGraphs:
        """Return graphs of as many edges, anywhere, in one piece where they suffice."""
        return floors.erdos_renyi_joined(graphs, seed)


class CopyTrain(Floor):
    """Training, by heart."""

    def made(self, graphs: PathwayGraphs, seed: int) -> PathwayGraphs:
        """Return the graphs themselves."""
        return graphs

    def edge_logits(self, batch: PathwayBatch) -> Tensor:
        """Return the log odds that training graphs with both compounds have such an edge.

        Two graphs more have the density of all: what training has nowhere is as likely as any pair.
        """
        codes_P, both_P, edges_P = self._pairs
        code_BNN = pair_codes(batch, len(self.corpus.names))
        place_BNN = np.searchsorted(codes_P, code_BNN)
        known_BNN = codes_P[place_BNN] == code_BNN
        both_BNN = np.where(known_BNN, both_P[place_BNN], 0)
        edges_BNN = np.where(known_BNN, edges_P[place_BNN], 0)
        return log_odds_of(both_BNN, edges_BNN, self.corpus.density)

    @cached_property
    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return what `pairs_of` does, with an end that no pair comes after."""
        codes_P, both_P, edges_P = pairs_of(self.corpus.graphs)
        end = np.iinfo(np.int64).max
        return np.append(codes_P, end), np.append(both_P, 0), np.append(edges_P, 0)


class Nearest(Floor):
    """The training graph that comes nearest to what is asked for, or to what is in sight."""

    def made(self, graphs: PathwayGraphs, seed: int) -> PathwayGraphs:
        """Return the graphs themselves."""
        return graphs

    def chosen(
        self,
        sizes_G: NDArray[np.integer],
        environment_G4: NDArray[np.floating],
        known_G4: NDArray[np.bool_],
        seed: int,
    ) -> NDArray[np.int64]:
        """Return the training graph of each: of its size, the nearest environment, any of equals.

        Nearest by the squared distance of the entries that are asked for; `UNALIKE` is that of one
        that the training graph does not know.
        """
        train = self.corpus.graphs
        there_K4 = np.asarray(train.environment_known)
        of_train_K4 = normalised(train.environment, there_K4)
        order_K, first_G, count_G = self._of_size(sizes_G)
        bits_G = self._bits(len(sizes_G), seed)
        found = []
        for k, (first, count) in enumerate(zip(first_G, count_G, strict=True)):
            some = order_K[first : first + count]
            apart = (of_train_K4[some] - environment_G4[k]) ** 2
            apart = np.where(there_K4[some], apart, UNALIKE)[:, known_G4[k]].sum(axis=1)
            equal = some[apart <= apart.min() + 1e-6]
            found.append(equal[bits_G[k] % len(equal)])
        return np.asarray(found, np.int64)

    def edge_logits(self, batch: PathwayBatch) -> Tensor:
        """Return the log odds of edges by the one training graph that is nearest to what is seen.

        By `assay.pathways.floors.nearest`. Two graphs more have the density of all.
        """
        V = len(self.corpus.names)
        asked = seen_graphs(batch, self)
        found = floors.nearest(asked, self.corpus.graphs)
        code_BNN = pair_codes(batch, V)
        both_BNN, edges_BNN = np.zeros_like(code_BNN), np.zeros_like(code_BNN)
        for k in range(len(batch)):
            codes_P, _, edges_P = pairs_of(found.select([k]))
            both_BNN[k] = np.isin(code_BNN[k], codes_P)
            edges_BNN[k] = np.isin(code_BNN[k], codes_P[edges_P > 0])
        return log_odds_of(both_BNN, edges_BNN, self.corpus.density)


def log_odds_of(both: NDArray, edges: NDArray, density: float) -> Tensor:
    """Return log odds of edges seen so often in so many graphs, and in two more of the density."""
    chance = (edges + 2 * density) / (both + 2)
    return torch.from_numpy(np.log(chance / (1 - chance)).astype(np.float32))


def seen_graphs(batch: PathwayBatch, model: PathwayModel) -> PathwayGraphs:
    """Return a batch's graphs, packed, with the edges that it shows."""
    seen = Generated(
        batch.compounds_BN, batch.adjacency_BNN, batch.reversible_BNN, batch.reactions_BNN
    )
    environment, known = batch.environment_B4.cpu().numpy(), batch.known_B4.cpu().numpy()
    return packed(seen, batch.mask_BN, environment, known, model.corpus)
