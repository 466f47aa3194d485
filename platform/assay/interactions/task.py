"""The interactions family: an encoder of a graph, trained on its edges, judged by unseen ones.

Shapes: B edges of a batch, n negatives of an edge, P pairs, N negatives of a split, M of both.
"""

import io
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import softplus

from assay.cell import Cell
from assay.config import digest16
from assay.errors import TrainingError
from assay.interactions import hard_negatives, metrics
from assay.interactions.data.links import (
    HeldOut,
    LinkBatch,
    fixed_negatives,
    links_of,
    splits,
    training_graph,
)
from assay.interactions.features.edges import edge_attributes
from assay.interactions.features.sources import node_features
from assay.interactions.features.structures import known_structures, smiles_of, unreadable
from assay.interactions.features.treatment import TreatedFeatures
from assay.interactions.heuristics import HEURISTICS, Heuristic, paths_of_length_3
from assay.interactions.messages import Messages
from assay.interactions.negatives import NonEdges
from assay.interactions.predictor import HadamardDecoder, LinkPredictor, Nodes
from assay.interactions.sampling import Neighbours
from assay.interactions.settings import LinkSettings, encoder, link_settings
from assay.result import write_bytes
from assay.store import sets
from assay.store.kept import kept
from assay.task import Batch, Estimate, Loss, Progress, Records, Splits, Stage, Task
from assay.training.draws import Draws, fold


class InteractionsTask(Task):
    """One encoder on one graph."""

    reference_name = "paths of length 3"
    chosen_by = ("hits_at_20", "higher")

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.chosen = cast(LinkSettings, cell.settings)
        self.packed = links_of(sets.open_set(cell.data.name))
        self.graph = training_graph(self.packed)
        self.non_edges = NonEdges.of(self.graph)
        self.neighbours = Neighbours.of(self.graph)
        self.known_V = known_structures(self.packed, self.chosen.features)
        self.scores: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    @classmethod
    def protocol_of(cls, cell: Mapping[str, Any]) -> str:
        """Return the versions of OGB's protocol and of that of hard negatives."""
        return f"ogb {metrics.VERSION}, heart {hard_negatives.VERSION}"

    @classmethod
    def reference_settings(cls, cell: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the table of structures, which tells edges apart."""
        return {"structures": cell["settings"]["features"]["structures"]}

    @classmethod
    def settings(cls, variant: Mapping[str, str], given: Mapping[str, Any]) -> LinkSettings:
        """Validate the family's part of a cell."""
        return link_settings(variant, given)

    @classmethod
    def of_evaluation(cls, variant: Mapping[str, str]) -> frozenset[str]:
        """Return the table of structures where nodes are given none: it tells edges apart alone."""
        alone = variant.get("nodes") == "ids"
        return frozenset({"settings.features.structures"} if alone else ())

    def stages(self) -> Sequence[Stage]:
        """Return the one stage."""
        return (Stage("train"),)

    def data(self) -> Splits:
        """Return the edges' splits; the description names structures that do not parse."""
        found = splits(self.packed)
        remark = unreadable(smiles_of(self.packed, self.chosen.features))
        return replace(found, description="; ".join(filter(None, [found.description, remark])))

    def model(self, data: Splits) -> LinkPredictor:
        """Return the encoder over the training edges, between nodes and the decoder."""
        chosen, width = self.chosen, self.chosen.network.width
        # Whoever makes features may draw; the network's own draws must not depend on it.
        with torch.random.fork_rng():
            features = node_features(self.packed, chosen.features)
        treated = None
        if features is not None:
            seed = fold(self.cell.seed, "features")
            treated = TreatedFeatures(features, width, chosen.features.missing, seed)
        ids = chosen.features.ids or (0 if treated is not None else width)
        nodes = Nodes(self.graph.n_nodes, treated, ids, chosen.network.init == "orthogonal")
        network, names = encoder(self.cell.variant["encoder"]), chosen.network.told_of_edges
        told_EA = edge_attributes(self.graph, names) if names else None
        return LinkPredictor(
            nodes,
            network(chosen.network, nodes.columns),
            HadamardDecoder(width, chosen.decoder),
            Messages.of(self.graph, told_EA),
        )

    def workload(self, batch: Batch, step: int) -> Hashable:
        """Return the number of edges: the graph is the same in every step."""
        return len(batch)

    def loss(self, model: nn.Module, batch: Batch, stage: Stage, step: int) -> Loss:
        """Return the cross-entropy of each edge and of its own negatives."""
        return self._loss(model, cast(LinkBatch, batch), fold(self.cell.seed, "train"), step)

    def validate(self, model: nn.Module, data: Splits, stage: Stage) -> dict[str, float]:
        """Return the loss on validation edges and the same negatives at every call, and Hits@20."""
        batch = cast(LinkBatch, data.validation.batch(np.arange(len(data.validation))))
        batch = batch.to(next(model.parameters()).device)
        with torch.no_grad():
            loss = self._loss(model, batch, fold(self.cell.seed, "validate"), 0)
        figures = {"loss": loss.total, **loss.parts}
        hits = metrics.evaluate(*self._score(model, data.validation, "validation"))
        return {name: float(value) for name, value in figures.items()} | {
            name.rpartition("/")[2]: estimate.value for name, estimate in hits.items()
        }

    def evaluate(self, model: nn.Module, data: Splits, progress: Progress) -> dict[str, Estimate]:
        """Return the OGB protocol on the test edges, and their ranks among hard negatives."""
        self.scores = self._score(model, data.test, "test")
        progress("score", 0.5)

        hard = self._among_hard_negatives(
            lambda pairs_N2: self._scores(model, torch.from_numpy(pairs_N2), "test"), data
        )
        progress("score", 1.0)
        return metrics.evaluate(*self.scores, self._known(data.test)) | hard

    def evaluation_passes(self) -> float:
        """Return the pairs to score, over those of an edge's loss; passes over the graph aside."""
        pairs = 2 * self.packed.counts[2] + len(fixed_negatives(self.packed, "test"))
        pairs += self.graph.n_nodes * hard_negatives.CANDIDATES
        return pairs / (1 + self.chosen.negatives)

    def reference(self, data: Splits) -> dict[str, Estimate]:
        """Return the protocol on a heuristic's scores, the floor: data has no row of its own.

        And the Hits@20 of the other heuristics, each under its own name.
        """
        edges_P2, negatives_N2 = _edges(data.test), fixed_negatives(self.packed, "test")
        pairs_M2, P = torch.cat([edges_P2, negatives_N2]).numpy(), len(edges_P2)

        def scores_of(heuristic: Heuristic) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            scores_M = heuristic(self.graph, pairs_M2)
            return scores_M[:P], scores_M[P:]

        floors = {
            f"floor/{name}": metrics.hits_at_k(*scores_of(heuristic), k=20)
            for name, heuristic in HEURISTICS.items()
            if heuristic is not paths_of_length_3  # the row's own
        }
        pos, neg = scores_of(paths_of_length_3)
        hard = self._among_hard_negatives(
            lambda pairs_N2: paths_of_length_3(self.graph, pairs_N2), data
        )
        return metrics.evaluate(pos, neg, self._known(data.test)) | hard | floors

    def artifacts(self, model: nn.Module, data: Splits, directory: Path) -> None:
        """Write the evaluated scores as `scores.npz`: `pos` and `neg`, float32, in file order."""
        if self.scores is not None:
            pos, neg = self.scores
            content = io.BytesIO()
            np.savez_compressed(content, pos=pos, neg=neg)
            write_bytes(directory / "scores.npz", content.getvalue())

    def _loss(self, model: nn.Module, batch: LinkBatch, seed: int, step: int) -> Loss:
        self.non_edges = self.non_edges.to(batch.pairs_B2.device)
        draws = Draws(seed, step, batch.record_ids)
        negatives_Bn2 = self.non_edges.draw(draws, self.chosen.negatives)
        hidden_B2 = batch.pairs_B2 if self.chosen.masked and model.training else None
        # One call of the model, and so one pass over the graph, for both.
        pairs_P2 = torch.cat([batch.pairs_B2, negatives_Bn2.flatten(0, 1)])
        part = None
        if self.chosen.neighbours and model.training:
            self.neighbours = self.neighbours.to(pairs_P2.device)
            part = self.neighbours.around(pairs_P2, self.chosen.neighbours, seed, step, hidden_B2)
        scores_P = model(pairs_P2, hidden_B2, part)
        edges, negatives = scores_P.tensor_split([len(batch)])
        parts = {"edges": softplus(-edges).mean(), "negatives": softplus(negatives).mean()}
        return Loss(parts["edges"] + parts["negatives"], parts)

    def _known(self, records: Records) -> NDArray[np.integer] | None:
        """Return, of each edge, how many of its nodes have a known structure; None if all have."""
        known_V = self.known_V
        return None if known_V.all() else known_V[_edges(records).numpy()].sum(axis=1)

    def _score(
        self, model: nn.Module, records: Records, split: HeldOut
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the scores of a split's edges and of its fixed negatives.

        Raises:
            TrainingError: a score is not finite.
        """
        edges_P2 = _edges(records)
        pairs = torch.cat([edges_P2, fixed_negatives(self.packed, split)])
        scores = self._scores(model, pairs, split)
        return scores[: len(edges_P2)], scores[len(edges_P2) :]

    def _scores(self, model: nn.Module, pairs_P2: Tensor, split: HeldOut) -> NDArray[np.float32]:
        pairs_P2 = pairs_P2.to(next(model.parameters()).device)
        # In bfloat16 most scores would tie with others, and a tie is no hit.
        with torch.no_grad(), torch.autocast(pairs_P2.device.type, enabled=False):
            scores_P = model(pairs_P2).float().cpu()
        wild = int((~scores_P.isfinite()).sum())
        if wild:
            raise TrainingError(
                f"the model's {split} scores: {wild:,} of {len(scores_P):,} are not finite; lower "
                "training.learning_rate"
            )
        return scores_P.numpy()

    def _among_hard_negatives(
        self, score: Callable[[NDArray[np.integer]], NDArray[np.floating]], data: Splits
    ) -> dict[str, Estimate]:
        """Return the protocol's estimates; nothing where unseen nodes give heuristics no hold."""
        edges_P2 = _edges(data.test).numpy()
        if not np.isin(edges_P2, self.graph.edges_E2.numpy()).all():
            return {}
        return hard_negatives.evaluate(score, edges_P2, self._candidates())

    def _candidates(self) -> NDArray[np.int64]:
        """Return the hard negatives of every node; the data alone decides, so they are kept."""
        made_of = {
            "data": self.packed.digest,
            "version": hard_negatives.VERSION,
            "count": hard_negatives.CANDIDATES,
        }
        edges_E2 = np.asarray(self.packed.arrays["edges"])
        found = kept(
            "hard_negatives",
            digest16(made_of),
            lambda: torch.from_numpy(hard_negatives.candidates(self.graph, edges_E2)),
        )
        return found.numpy()


def _edges(records: Records) -> Tensor:
    """Return int64 (P, 2): all edges of a split, in its order."""
    return cast(LinkBatch, records.batch(np.arange(len(records)))).pairs_B2
