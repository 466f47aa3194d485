"""The habitability family: modalities of planets are joined, and foretell what lives there.

Shapes: N records of a split.
"""

import json
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from assay.cell import Cell
from assay.habitability.data.batches import (
    MultiModalBatch,
    PlanetRecords,
    Tokenize,
    folds_in,
    splits,
    tokenize_bytes,
)
from assay.habitability.data.modalities import MODALITIES
from assay.habitability.data.samples import pathways_in, planets_of, texts_in
from assay.habitability.encoders.language import check_lengths, tokenizer_of
from assay.habitability.evaluation import Answers, answers, controlled, judged, told_by_experts
from assay.habitability.figures import planet_file
from assay.habitability.fusions.floor import Floor
from assay.habitability.fusions.fusion import Fusion
from assay.habitability.fusions.training_mean import TrainingMean
from assay.habitability.metrics import habitability, modalities, told
from assay.habitability.metrics.modalities import Control
from assay.habitability.metrics.units import Units
from assay.habitability.model import HabitabilityModel, Negatives, Outcome
from assay.habitability.model_settings import ModelSettings
from assay.habitability.pull import pulls
from assay.habitability.settings import (
    HabitabilitySettings,
    fusion_class,
    habitability_settings,
)
from assay.habitability.stages import EXPERTS, FUSION, stages_of
from assay.habitability.targets import Averages, in_batches
from assay.pathways.corpus import Corpus
from assay.pathways.data.packing import compounds_of, graphs_of
from assay.result import write_bytes
from assay.store import sets
from assay.task import Batch, Estimate, Loss, Progress, Splits, Stage, Task
from assay.training.draws import Draws, fold
from assay.training.subset import Subset, that_are_used

BYTES, NODES = 64, 8
"""By which texts and networks are told apart where FLOPs are counted."""
PULLED = 64
"""Validation planets by which losses are seen to pull."""


class HabitabilityTask(Task):
    """One way of joining modalities on one set of planets."""

    reference_name = "training mean"
    chosen_by = ("mae", "lower")

    def __init__(self, cell: Cell) -> None:
        """Open the data.

        Raises:
            ConfigError: the data set holds no planets, or not the fold that is asked for.
            DataError: a description is longer than the language model reads, or there is none.
            MachineError: a language model needs a package that is missing.
        """
        self.cell = cell
        self.chosen = cast(HabitabilitySettings, cell.settings)
        self.fusion = fusion_class(cell.variant["fusion"])
        self.packed = planets_of(sets.open_set(cell.data.name))
        self._splits = splits(self.packed, self._tokenize(), self.chosen.fold)
        self.used = that_are_used(self._splits, cell).train
        self.groups_M = Units.of(list(texts_in(self.packed, "groups"))).of_N
        self.graph_of_M = np.asarray(self.packed.arrays["graph_of"], np.int64)
        self.answers: Answers | None = None
        self.control: Control | None = None

    @classmethod
    def reference_split(cls, cell: Mapping[str, Any]) -> str:
        """Return the test split; of a cell with a fold, those of all folds."""
        return "test" if cell["settings"].get("fold") is None else "every fold's test"

    @classmethod
    def protocol_of(cls, cell: Mapping[str, Any]) -> str:
        """Return the versions of everything that judges a cell."""
        versions = {
            "habitability": habitability.VERSION,
            "told": told.VERSION,
            "modalities": modalities.VERSION,
        }
        return ", ".join(f"{name} {version}" for name, version in versions.items())

    @classmethod
    def settings(cls, variant: Mapping[str, str], given: Mapping[str, Any]) -> HabitabilitySettings:
        """Validate the family's part of a cell."""
        return habitability_settings(variant, given)

    def stages(self) -> Sequence[Stage]:
        """Return those of the schedule, or the one; none of a floor, which has no gradients."""
        model = self.chosen.model
        return stages_of(model.schedule) if isinstance(model, ModelSettings) else ()

    def data(self) -> Splits:
        """Return the splits, which share no planet."""
        return self._splits

    def model(self, data: Splits) -> nn.Module:
        """Return the model, which knows the means of the training planets that it may see."""
        if not issubclass(self.fusion, Fusion):
            return self.fusion.of(self.averages, self.used)
        settings = cast(ModelSettings, self.chosen.model)
        return HabitabilityModel(settings, self.fusion, self.corpus, self.averages, self.cell.seed)

    def workload(self, batch: Batch, step: int) -> Hashable:
        """Return how many planets there are, and roughly how long texts and networks are."""
        batch = cast(MultiModalBatch, batch)
        graphs: Any = batch.bio_graphs
        nodes = int((graphs.ptr[1:] - graphs.ptr[:-1]).max())
        return len(batch), batch.input_ids.shape[1] // BYTES, nodes // NODES

    def loss(self, model: nn.Module, batch: Batch, stage: Stage, step: int) -> Loss:
        """Return the stage's losses, their parts and the weights that they have."""
        found = self._outcome(model, cast(MultiModalBatch, batch), "train", step, stage)
        weights = {f"weight/{name}": value for name, value in found.weights.items()}
        return Loss(found.total, {**found.losses, **found.parts, **weights})

    def validate(self, model: nn.Module, data: Splits, stage: Stage) -> dict[str, float]:
        """Return losses and scores on the same validation planets at every call.

        `loss`, the stage's losses and their parts; `mae`, `r2` and `ece` of habitability, of
        experts each one's too; and, of the first planets and where encoders learn by what is
        joined, what weighted losses are and how they pull (`assay.habitability.pull`).
        """
        network = cast(HabitabilityModel, model)
        records = cast(PlanetRecords, data.validation).first(self.chosen.validation_planets)
        figures = self._losses(network, records, stage)
        if stage.name == EXPERTS:
            return figures | told_by_experts(network, records)
        given = self._answers(network, records)
        figures |= habitability.scores(given.label_N, given.expected_N, given.habitable_N)
        if stage.name == FUSION:
            return figures
        batch = records.first(PULLED).batch(np.arange(min(PULLED, len(records))))
        batch = batch.to(network.device)
        draws = Draws(fold(self.cell.seed, "validate"), 0, batch.record_ids)
        return figures | pulls(network, batch, draws, self._negatives(batch, "validate", 0))

    def evaluate(self, model: nn.Module, data: Splits, progress: Progress) -> dict[str, Estimate]:
        """Return what is told of the test planets; intervals are over planets, with all guests.

        And by how much the error rises where a modality is missing, or is another planet's.
        """
        network = cast(HabitabilityModel, model)
        self.answers = self._answers(network, data.test, progress)
        units, seed = self._units, fold(self.cell.seed, "evaluate") % 2**32
        found = judged(self.answers, self._floor, units, self._bistable, seed)
        reads = self.fusion.reads
        self.control = controlled(network, self.answers, reads, units, seed, progress)
        return found | self.control.estimates

    def evaluation_passes(self) -> float:
        """Return the passes over the test split: two readings, and looks at what was read."""
        looks = 2 ** len(MODALITIES) + len(MODALITIES) * modalities.PERMUTATIONS
        return (2 + 0.1 * looks) * len(self._splits.test)

    def reference(self, data: Splits) -> dict[str, Estimate]:
        """Return what the training mean scores, a floor.

        Of a cell with a fold, all folds are scored at once, each by the mean of those that a model
        is trained on then. The rule itself, given what it was made from, is right by construction:
        no ceiling to learn anything from.
        """
        parts = [self] if self.chosen.fold is None else self._of_all_folds()
        floor = Answers.joined([part._floor for part in parts])
        units = Units.of(np.concatenate([part.groups_M[part._test_rows] for part in parts]))
        bistable_N = np.concatenate([part._bistable for part in parts])
        return judged(floor, floor, units, bistable_N, fold(self.cell.seed, "evaluate") % 2**32)

    def artifacts(self, model: nn.Module, data: Splits, directory: Path) -> None:
        """Write what was foretold, how surely, and which modalities it took.

        `predictions.jsonl` has a test record a line, `planets.json` the first of them with what was
        read (`assay.habitability.figures`), `reliability.json` bins; `modalities.json` has the 2^M
        sets of modalities, and the rises of the error.
        """
        if self.answers is None or self.control is None:
            return
        lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in self._lines())
        write_bytes(directory / "predictions.jsonl", lines.encode())
        bins = habitability.reliability(self.answers.label_N, self.answers.habitable_N)
        for name, plain in {"reliability": bins, "modalities": self.control.plain()}.items():
            write_bytes(directory / f"{name}.json", json.dumps(plain, indent=1).encode())
        given = self.answers
        shown = planet_file(self.packed, self._test_rows, given.expected_N, given.habitable_N)
        write_bytes(directory / "planets.json", shown.model_dump_json().encode())

    def _of_all_folds(self) -> list["HabitabilityTask"]:
        """Return the task of every fold."""
        cells = [
            self.cell.model_copy(update={"settings": self.chosen.model_copy(update={"fold": k})})
            for k in range(1, folds_in(self.packed) + 1)
        ]
        return [type(self)(cell) for cell in cells]

    def _tokenize(self) -> Tokenize:
        """Return bytes as tokens, or those of the language model, into which all texts fit."""
        model = self.chosen.model
        weights = model.language_model if isinstance(model, ModelSettings) else None
        if weights is None:
            return tokenize_bytes
        found = tokenizer_of(weights)
        texts, names = (list(texts_in(self.packed, name)) for name in ("descriptions", "names"))
        check_lengths(texts, names, found)
        return found

    @cached_property
    def corpus(self) -> Corpus:
        """The compounds, and the networks of the training planets that the cell uses."""
        inside = pathways_in(self.packed)
        graphs = graphs_of(inside)
        drawn = np.unique(self.graph_of_M[self._training_rows])
        drawn = drawn[drawn >= 0]
        # A set of planets without networks still has the table of compounds, and some graph.
        train = graphs.select(drawn) if len(drawn) else graphs
        return Corpus.of(train, compounds_of(inside))

    @cached_property
    def averages(self) -> Averages:
        """The means of the training planets that the cell uses."""
        return Averages.of(self.used, self.corpus)

    @property
    def _training_rows(self) -> NDArray[np.int64]:
        """Where the training planets that the cell uses are in the packed set."""
        rows = cast(PlanetRecords, self._splits.train).records
        return rows[self.used.chosen] if isinstance(self.used, Subset) else rows

    def _outcome(
        self,
        model: nn.Module,
        batch: MultiModalBatch,
        purpose: str,
        step: int | None,
        stage: Stage,
    ) -> Outcome:
        draws = Draws(fold(self.cell.seed, purpose), step or 0, batch.record_ids)
        if stage.name == EXPERTS:
            return model(batch, draws, step, None, alone=True)
        return model(batch, draws, step, self._negatives(batch, purpose, step or 0))

    def _negatives(self, batch: MultiModalBatch, purpose: str, step: int) -> Negatives | None:
        """Return training planets, the same for whoever computes which part of a step."""
        if len(self.fusion.reads) < 2:
            return None
        count = cast(ModelSettings, self.chosen.model).negatives
        whole = Draws(fold(self.cell.seed, purpose), step, torch.zeros(1, dtype=torch.int64))
        places = whole.bits("negatives", count)[0] % len(self.used)
        other = cast(MultiModalBatch, self.used.batch(places.numpy()))
        rows_B, rows_N = batch.record_ids.cpu().numpy()[:, None], other.record_ids.numpy()
        graph_B, graph_N = self.graph_of_M[rows_B], self.graph_of_M[rows_N]
        alike_BN = (self.groups_M[rows_B] == self.groups_M[rows_N]) | (
            (graph_B == graph_N) & (graph_N >= 0)
        )
        device = batch.record_ids.device
        return Negatives(other.to(device), torch.from_numpy(alike_BN).to(device))

    @torch.no_grad()
    def _losses(
        self, network: HabitabilityModel, records: PlanetRecords, stage: Stage
    ) -> dict[str, float]:
        """Return the mean losses of planets, with the same draws at every call."""
        totals = dict[str, float]()
        for batch in in_batches(records):
            found = self._outcome(network, batch.to(network.device), "validate", None, stage)
            for name, value in {"loss": found.total, **found.losses, **found.parts}.items():
                share = len(batch) / len(records)
                totals[name] = totals.get(name, 0.0) + float(value) * share
        return totals

    def _answers(
        self,
        network: HabitabilityModel | Floor,
        records: Any,
        progress: Progress = lambda phase, fraction: None,
    ) -> Answers:
        return answers(
            network, network.device, records, self.corpus, self.averages.spread_C,
            lambda fraction: progress("foretell", fraction),
        )  # fmt: skip

    @cached_property
    def _floor(self) -> Answers:
        """What the training mean says of the test planets."""
        return self._answers(TrainingMean(self.averages), self._splits.test)

    @property
    def _test_rows(self) -> NDArray[np.int64]:
        return cast(PlanetRecords, self._splits.test).records

    @property
    def _units(self) -> Units:
        """The test records, a planet in all its guises and with all its guests as one."""
        return Units.of(self.groups_M[self._test_rows])

    @property
    def _bistable(self) -> NDArray[np.bool_]:
        return np.asarray(self.packed.arrays["bistable"])[self._test_rows] == 1

    def _lines(self) -> list[dict[str, Any]]:
        """Return what was foretold of each test planet."""
        given = cast(Answers, self.answers)
        names, groups = (
            list(texts_in(self.packed, kind).select(self._test_rows))
            for kind in ("names", "groups")
        )
        return [
            {
                "record": int(record),
                "planet": names[k],
                "group": groups[k],
                "habitability": round(float(given.label_N[k]), 6),
                "foretold": round(float(given.expected_N[k]), 6),
                "habitable": round(float(given.habitable_N[k]), 6),
                "modalities": [m for m, has in zip(MODALITIES, given.presence_NM[k], strict=True)
                               if has],
                "bistable": bool(self._bistable[k]),
            }
            for k, record in enumerate(self._test_rows)
        ]  # fmt: skip
