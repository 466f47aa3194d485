"""The pathways family: a model of directed metabolic graphs, judged by what it makes and foretells.

Shapes: G graphs.
"""

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from assay.cell import Cell
from assay.config import validate
from assay.pathways.batches import PathwayBatch, PathwayRecords, splits
from assay.pathways.compounds import FORMULA
from assay.pathways.corpus import Corpus
from assay.pathways.data.packing import compounds_of, graphs_of, labels_of
from assay.pathways.evaluation import Linked, Oxygen, drawn_from, in_batches, latents, linked
from assay.pathways.figures import ReliabilityFile, latent_map, neighbours
from assay.pathways.graphs import PathwayGraphs
from assay.pathways.metrics import (
    calibration,
    conditional,
    discriminator,
    flux,
    isomorphism,
    links,
    mmd,
    validity,
)
from assay.pathways.metrics.atoms import HEAVY
from assay.pathways.metrics.evaluate import data_row, score
from assay.pathways.metrics.files import json_lines
from assay.pathways.metrics.networks import open_network
from assay.pathways.metrics.reference import Reference, open_reference
from assay.pathways.model import PathwayModel
from assay.pathways.settings import PathwaySettings, model_class, pathway_settings
from assay.result import write_bytes, write_json
from assay.store import sets
from assay.task import Batch, Estimate, Loss, Progress, Splits, Stage, Task
from assay.training.draws import Draws, fold
from assay.training.subset import that_are_used


class PathwaysTask(Task):
    """One model on one set of pathways."""

    def __init__(self, cell: Cell) -> None:
        """Open the data, and the metabolic model if one is asked for.

        Raises:
            ConfigError: the data set holds no pathways.
            MachineError: the metabolic model is not on this machine.
        """
        self.cell = cell
        self.chosen = cast(PathwaySettings, cell.settings)
        self.prepared = sets.open_set(cell.data.name)
        self._splits = splits(self.prepared)
        used = that_are_used(self._splits, cell).train
        self._used = cast(PathwayBatch, used.batch(np.arange(len(used)))).record_ids.numpy()
        self.train = graphs_of(self.prepared).select(self._used)
        self.corpus = Corpus.of(self.train, compounds_of(self.prepared))
        flux_of = self.chosen.flux
        self.network = open_network(flux_of.network) if flux_of is not None else None
        self.samples: PathwayGraphs | None = None
        self.linked: Linked | None = None

    @classmethod
    def protocol_of(cls, cell: Mapping[str, Any]) -> str:
        """Return the versions of everything that judges a cell."""
        versions = {
            "mmd": mmd.VERSION,
            "pgd": discriminator.VERSION,
            "validity": validity.VERSION,
            "vun": isomorphism.VERSION,
            "links": links.VERSION,
            "calibration": calibration.VERSION,
            "conditional": conditional.VERSION,
        }
        if cell["settings"].get("flux"):
            versions["flux"] = flux.VERSION
        return ", ".join(f"{name} {version}" for name, version in versions.items())

    @classmethod
    def reference_records(cls, cell: Mapping[str, Any]) -> int | None:
        """Return as many as a cell generates."""
        return cell["settings"].get("evaluation_graphs")

    @classmethod
    def settings(cls, variant: Mapping[str, str], given: Mapping[str, Any]) -> PathwaySettings:
        """Validate the family's part of a cell."""
        return pathway_settings(variant, given)

    @classmethod
    def of_evaluation(cls, variant: Mapping[str, str]) -> frozenset[str]:
        """Return what only the judgement depends on."""
        flux_keys = {f"settings.flux.{name}" for name in ("network", "mapping")}
        return frozenset({"settings.evaluation_graphs", "settings.flux", *flux_keys})

    def stages(self) -> Sequence[Stage]:
        """Return the one stage; none of a floor, which learns nothing."""
        learns = model_class(self.cell.variant["model"]).learns
        return (Stage("train"),) if learns else ()

    def data(self) -> Splits:
        """Return the splits, which share no family of pathways."""
        return self._splits

    def model(self, data: Splits) -> PathwayModel:
        """Return the model, which knows the compounds and figures of the training graphs."""
        return model_class(self.cell.variant["model"])(self.chosen.model, self.corpus)

    def workload(self, batch: Batch, step: int) -> Hashable:
        """Return the padded shape of the batch."""
        return tuple(cast(PathwayBatch, batch).mask_BN.shape)

    def loss(self, model: nn.Module, batch: Batch, stage: Stage, step: int) -> Loss:
        """Return the model's losses."""
        batch = cast(PathwayBatch, batch)
        draws = Draws(fold(self.cell.seed, "train"), step, batch.record_ids)
        outcome = model(batch, draws, step)
        return Loss(outcome.total, outcome.losses)

    def validate(self, model: nn.Module, data: Splits, stage: Stage) -> dict[str, float]:
        """Return losses and scores on the same validation graphs at every call.

        `loss` and its parts; `reconstruction_auc` and `reversed_edge_auc`; and `mmd`, the mean of
        four distances of as many generated graphs from those of the split.
        """
        network, count = cast(PathwayModel, model), self.chosen.validation_graphs
        records = cast(PathwayRecords, data.validation).first(count)
        figures = self._losses(network, records)
        seed = fold(self.cell.seed, "validate")
        for name, estimate in linked(network, records, seed).estimates(seed).items():
            if name.endswith("/auc"):
                figures[name.replace("/", "_")] = estimate.value
        made = self._sample(network, len(records), seed)
        return figures | {"mmd": mmd.glance(made, records.graphs)}

    def evaluate(self, model: nn.Module, data: Splits, progress: Progress) -> dict[str, Estimate]:
        """Return the protocols on fresh graphs, and on the model's scores of test graphs' pairs."""
        network, seed = cast(PathwayModel, model), fold(self.cell.seed, "evaluate")
        progress("sample", 0.0)
        self.samples = self._sample(network, self._count, seed)
        progress("score", 0.3)
        found = score(self.samples, self._real)
        progress("links", 0.5)
        self.linked = linked(network, cast(PathwayRecords, data.test), seed)
        found |= self.linked.estimates(seed)
        progress("environments", 0.8)
        found |= self._oxygen.of_model(network)
        return found | self._flux(self.samples)

    def evaluation_passes(self) -> float:
        """Return the passes over graphs: two sets of samples, and seven looks at the test split."""
        samples = 2 * self._count * self.chosen.model.passes_a_sample
        return samples + 7 * len(self._splits.test)

    def reference(self, data: Splits) -> dict[str, Estimate]:
        """Return the protocols on real graphs that no cell was trained on."""
        found = data_row(self._real, self._count) | self._oxygen.of_data()
        return found | self._flux(cast(PathwayRecords, data.test).graphs)

    def artifacts(self, model: nn.Module, data: Splits, directory: Path) -> None:
        """Write the judged graphs, `samples.jsonl`, and what the report draws (`figures`).

        The former is what `assay evaluate pathways` reads.
        """
        labels = labels_of(self.prepared)
        if self.samples is not None:
            write_bytes(directory / "samples.jsonl", json_lines(self.samples).encode())
            pairs = neighbours(self.samples, self.train, labels.select(self._used))
            write_json(directory / "neighbours.json", pairs)
        test, seed = cast(PathwayRecords, data.test), fold(self.cell.seed, "latents")
        latents_GL = latents(cast(PathwayModel, model), test, seed)
        if latents_GL is not None:
            drawn = latent_map(latents_GL, test.graphs, labels.select(test.record_ids))
            write_json(directory / "latents.json", drawn)
        if self.linked is not None:
            bins = {"bins": calibration.reliability(self.linked.held_out)}
            diagram = validate(ReliabilityFile, bins, "reliability.json")
            write_json(directory / "reliability.json", diagram)

    @property
    def _count(self) -> int:
        """How many graphs are generated."""
        return self.chosen.evaluation_graphs or len(self._splits.test)

    @cached_property
    def _real(self) -> Reference:
        return open_reference(self.cell.data.name)

    @property
    def _oxygen(self) -> Oxygen:
        features_VF = self.corpus.features_VF.numpy()
        return Oxygen(self._real, features_VF, self._count, fold(self.cell.seed, "evaluate"))

    def _flux(self, graphs: PathwayGraphs) -> dict[str, Estimate]:
        """Return what becomes of graphs in the metabolic model; nothing where none is given."""
        if self.network is None or self.chosen.flux is None:
            return {}
        atoms_VZ, known_V = self.corpus.atoms_VZ.numpy(), self.corpus.atoms_known_V.numpy()
        carbon = HEAVY.index(FORMULA.index("C"))
        told = zip(self.corpus.names, atoms_VZ[:, carbon].tolist(), known_V.tolist(), strict=True)
        carbons = {name: count for name, count, known in told if known}
        return flux.evaluate(self.network, graphs, self.chosen.flux.mapping, carbons)

    def _sample(self, network: PathwayModel, count: int, seed: int) -> PathwayGraphs:
        """Return graphs for the environments of training graphs, and their sizes unless told."""
        asked = drawn_from(self.train, count, seed)
        if self.chosen.sizes == "model":
            asked = asked.sized_by(network, seed)
        return asked.sample(network, seed)

    def _losses(self, network: PathwayModel, records: PathwayRecords) -> dict[str, float]:
        """Return the mean losses of graphs, with the same draws at every call."""
        device, totals = network.device, dict[str, float]()
        for batch in in_batches(records):
            draws = Draws(fold(self.cell.seed, "validate"), 0, batch.record_ids.to(device))
            with torch.no_grad():
                outcome = network(batch.to(device), draws, None)
            for name, value in {"loss": outcome.total, **outcome.losses}.items():
                share = len(batch) / len(records)
                totals[name] = totals.get(name, 0.0) + float(value) * share
        return totals
