"""The captioning family: a generator says in words what a molecule is, and is judged by them."""

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from torch import nn

from assay.captioning.data.captions import CaptionRecords, captions_of, splits
from assay.captioning.generator import Corpus
from assay.captioning.metrics.evaluate import PROTOCOLS, score
from assay.captioning.metrics.pairs import pairs_of
from assay.captioning.retrieval import nearest_captions
from assay.captioning.rewriting import RewrittenRecords
from assay.captioning.settings import (
    CaptioningSettings,
    captioning_settings,
    generator,
    protocols_of,
)
from assay.cell import Cell
from assay.errors import DataError
from assay.result import write_bytes
from assay.store import sets
from assay.task import Batch, Estimate, Loss, Progress, Splits, Stage, Task
from assay.training.subset import that_are_used


class CaptioningTask(Task):
    """One generator on one set of molecules with captions."""

    reference_name = "caption of the nearest training molecule"

    def __init__(self, cell: Cell) -> None:
        """Open the data, and what the protocols need: its lack is told before hours are spent.

        Raises:
            DataError: an asset of a protocol is not prepared, or nothing is there to learn from.
            MachineError: a package is missing.
        """
        self.cell = cell
        self.chosen = cast(CaptioningSettings, cell.settings)
        self.texts = splits(captions_of(sets.open_set(cell.data.name)))
        names = protocols_of(self.chosen.protocols, cell.data.name)
        self.protocols = [PROTOCOLS[name]() for name in names]
        train = that_are_used(self.texts, cell).train
        corpus = Corpus.of(train)
        if not len(corpus):
            raise DataError(
                f"{cell.data.name}: holds no captions to learn from here ({self.texts.description})"
                "; choose captions_pool, or give the captions for training with --source"
            )
        network = generator(cell.variant["generator"])
        self.generator = network(self.chosen.generator, cell.seed, corpus)
        self.written: list[dict[str, str]] = []

    @classmethod
    def protocol_of(cls, cell: Mapping[str, Any]) -> str:
        """Return the versions of the protocols that judge a cell."""
        names = protocols_of(cell["settings"].get("protocols"), cell["data"]["name"])
        of_captions = [f"{name} {_version(name)}" for name in names]
        return ", ".join(
            filter(None, [*of_captions, generator(cell["variant"]["generator"]).protocol])
        )

    @classmethod
    def reference_records(cls, cell: Mapping[str, Any]) -> int | None:
        """Return as many as a cell is judged by."""
        return cell["settings"].get("evaluation_molecules")

    @classmethod
    def settings(cls, variant: Mapping[str, str], given: Mapping[str, Any]) -> CaptioningSettings:
        """Validate the family's part of a cell."""
        return captioning_settings(variant, given)

    @classmethod
    def of_evaluation(cls, variant: Mapping[str, str]) -> frozenset[str]:
        """Return what only the captions of the test split, or their scores, depend on."""
        own = generator(variant["generator"]).Settings
        keys = {
            key
            for name in own.of_evaluation
            for key in _leaves(own.model_fields[name].annotation, f"settings.generator.{name}")
        }
        return frozenset(
            keys | {f"settings.{each}" for each in ("protocols", "evaluation_molecules", "smiles")}
        )

    def stages(self) -> Sequence[Stage]:
        """Return the generator's stages."""
        return self.generator.stages(that_are_used(self._splits, self.cell).train)

    def data(self) -> Splits:
        """Return the splits as the generator reads them."""
        return self._splits

    def model(self, data: Splits) -> nn.Module:
        """Return the generator's model."""
        return self.generator.model()

    def workload(self, batch: Batch, step: int) -> Hashable:
        """Return what the generator says."""
        return self.generator.workload(batch, step)

    def loss(self, model: nn.Module, batch: Batch, stage: Stage, step: int) -> Loss:
        """Return the loss of the stage."""
        return self.generator.loss(model, batch, stage, step)

    def validate(self, model: nn.Module, data: Splits, stage: Stage) -> dict[str, float]:
        """Return the loss of the stage on the same validation records at every call."""
        return self.generator.validate(model, data.validation, stage)

    def evaluate(self, model: nn.Module, data: Splits, progress: Progress) -> dict[str, Estimate]:
        """Return the protocols on captions of the test split, none left out.

        A molecule without a caption scores as one with an empty caption. What the generator calls a
        ceiling is scored beside, under its name, and so is what it measures of its model.
        """
        places = np.arange(self._judged)
        captions = self.generator.captions(model, data.test, places, progress)
        smiles, references = self._test
        self.written = [
            {"smiles": molecule, "prediction": caption, "reference": reference}
            for molecule, caption, reference in zip(smiles, captions, references, strict=True)
        ]
        found = self._score(captions)
        for name, texts in self.generator.ceilings(model, data.test, places, progress).items():
            found |= {f"{name}/{metric}": each for metric, each in self._score(texts).items()}
        return {**found, **self.generator.estimates(model, data.test, places, progress)}

    def evaluation_passes(self) -> float:
        """Return what the generator says of a caption, for all that are judged."""
        return self._judged * self.generator.passes()

    def reference(self, data: Splits) -> dict[str, Estimate]:
        """Return the protocols on the caption of the nearest training molecule, the floor.

        By Morgan fingerprints and Tanimoto similarity, among all training captions.
        """
        train = cast(CaptionRecords, self.texts.train)
        found = nearest_captions(self._test[0], train.smiles, train.captions)
        return self._score(found)

    def artifacts(self, model: nn.Module, data: Splits, directory: Path) -> None:
        """Write the judged captions as `captions.jsonl`: smiles, prediction, reference a line."""
        lines = [json.dumps(each, ensure_ascii=False) + "\n" for each in self.written]
        write_bytes(directory / "captions.jsonl", "".join(lines).encode())

    @cached_property
    def _splits(self) -> Splits:
        """Tokenise once."""
        test, writing = cast(CaptionRecords, self.texts.test), self.chosen.smiles
        texts = {
            "train": self.texts.train,
            "validation": self.texts.validation,
            "test": test if writing == "given" else RewrittenRecords(test, writing),
        }
        made = {name: self.generator.records(records) for name, records in texts.items()}
        note = self.generator.note(made["train"])
        about = "; ".join(filter(None, [self.texts.description, note]))
        return replace(self.texts, **made, description=about)

    @property
    def _judged(self) -> int:
        """How many molecules are captioned."""
        most = self.chosen.evaluation_molecules
        return len(self.texts.test) if most is None else min(most, len(self.texts.test))

    @property
    def _test(self) -> tuple[list[str], list[str]]:
        """SMILES and references of the molecules that are judged."""
        test = cast(CaptionRecords, self.texts.test)
        return test.smiles[: self._judged], test.captions[: self._judged]

    def _score(self, captions: Sequence[str]) -> dict[str, Estimate]:
        smiles, references = self._test
        pairs, _ = pairs_of(captions, references, smiles)
        return score(pairs, self.protocols).estimates


def _version(name: str) -> str:
    protocol = PROTOCOLS[name]
    # That of sacrebleu is a signature of its settings; the others' asks for no assets.
    return getattr(protocol, "version", None) or protocol().version


def _leaves(annotation: Any, key: str) -> list[str]:
    """Return the dotted keys of settings below `key`, or the key itself."""
    fields = getattr(annotation, "model_fields", None)
    if fields is None:
        return [key]
    return [leaf for n, f in fields.items() for leaf in _leaves(f.annotation, f"{key}.{n}")]
