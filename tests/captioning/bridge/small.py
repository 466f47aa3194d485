"""Bridges of a few molecules whose groups their captions name."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from assay.captioning.bridge.settings import BridgeSettings
from assay.captioning.data.captions import CaptionBatch
from assay.captioning.data.mini_captions import enumerate_smiles
from assay.captioning.data.mini_wording import describe
from assay.captioning.generator import Corpus
from assay.captioning.graphs import Graphs
from assay.captioning.solid_bridge import SolidBridge
from assay.task import Splits

SMALL = {
    "encoder": {"size": "xs", "outputs": 32},
    "contrast": {"width": 32, "vocabulary": 300},
    "projector_width": 48,
    "context": 256,
    "decoding": {"most_tokens": 12},
    "validation_molecules": 16,
}
SCRATCH = {"width": 32, "depth": 2, "heads": 2, "vocabulary": 400}
OPEN = {"gate": {"required": False}}


class Few:
    """Records of a few molecules, as a split of a packed set hands them out."""

    lengths = None

    def __init__(self, smiles, captions):
        self.smiles, self.captions, self.graphs = smiles, captions, Graphs.of(smiles)

    @classmethod
    def of_mini(cls, every=11):
        smiles = enumerate_smiles()[::every]
        return cls(smiles, [describe(one) for one in smiles])

    def __len__(self):
        return len(self.smiles)

    def batch(self, indices):
        return CaptionBatch(
            record_ids=torch.from_numpy(np.asarray(indices)) + 1000,
            smiles=tuple(self.smiles[i] for i in indices),
            graphs=self.graphs.batch(indices),
            captions=tuple(self.captions[i] for i in indices),
        )


def settings_of(**changes):
    given = {**SMALL, **changes}
    if "language_model" not in given:
        given.setdefault("scratch", SCRATCH)
    return BridgeSettings.model_validate(given)


@dataclass
class Bridge:
    generator: SolidBridge
    records: Any
    model: Any
    stages: dict

    @classmethod
    def of(cls, few, seed=0, **changes):
        generator = SolidBridge(settings_of(**changes), seed, Corpus.of(few))
        records = generator.records(few)
        torch.manual_seed(seed)
        model = generator.model()
        stages = {stage.name: stage for stage in generator.stages(records)}
        return cls(generator, records, model, stages)

    def enter(self, name):
        stage = self.stages[name]
        for parameter, tensor in self.model.named_parameters():
            tensor.requires_grad_(stage.trainable(parameter))
        stage.opens(self.model)
        return stage

    def train(self, name, steps, batch_size=32, rate=3e-3, places=None):
        """Return the losses of some steps of a stage."""
        stage, random, losses = self.enter(name), np.random.default_rng(0), []
        learns = [p for p in self.model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(learns, lr=rate)
        for step in range(steps):
            n = len(stage.records)
            chosen = random.choice(n, batch_size, replace=False) if places is None else places
            loss = self.generator.loss(self.model, stage.records.batch(chosen), stage, step)
            optimizer.zero_grad()
            loss.total.backward()
            optimizer.step()
            losses.append(float(loss.total.detach()))
        return losses


class BridgeTask:
    """What the training loop asks of a task, of one generator and a few molecules."""

    chosen_by = ("loss", "lower")

    def __init__(self, few, settings, seed=0):
        self.generator = SolidBridge(settings, seed, Corpus.of(few))
        self.records = self.generator.records(few)
        self.workload, self.loss = self.generator.workload, self.generator.loss

    def data(self):
        return Splits(self.records, self.records, self.records, "a few")

    def model(self, data):
        return self.generator.model()

    def stages(self):
        return self.generator.stages(self.records)

    def validate(self, model, data, stage):
        return self.generator.validate(model, data.validation, stage)
