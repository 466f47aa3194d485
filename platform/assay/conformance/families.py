"""What a family must satisfy, shown on one cell of it."""

import math
import tempfile
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from assay import catalog
from assay.cell import Budget, Cell
from assay.conformance.checks import require
from assay.errors import AssayError
from assay.result import Result
from assay.runner import run_cell, train_until
from assay.task import Batch, Splits, Task
from assay.training.draws import fold
from assay.training.execution import Execution
from assay.training.subset import that_are_used

STEPS = 6
"""Of the trainings: what holds of six steps holds of many."""


class FamilyUnderTest:
    """A cell of the family, with a budget of a few steps."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell.model_copy(update={"budget": Budget(steps=STEPS), "hardware": None})
        self.task: Task = catalog.family(cell.family)(self.cell)

    @cached_property
    def data(self) -> Splits:
        """The splits, as the loop sees them."""
        return that_are_used(self.task.data(), self.cell)

    def model(self) -> nn.Module:
        """Return a fresh model, as the loop begins with it."""
        torch.manual_seed(fold(self.cell.seed, "model"))
        return self.task.model(self.data)

    def batch(self, count: int | None = None) -> Batch:
        """Return the first training records."""
        size = min(self.cell.training.batch_size, len(self.data.train)) if count is None else count
        return self.data.train.batch(np.arange(size))


def data_and_model_are_functions_of_the_cell(subject: FamilyUnderTest) -> None:
    """The same cell sees the same records and begins with the same weights."""
    again = FamilyUnderTest(subject.cell)
    for split in ("train", "validation", "test"):
        here, there = len(getattr(subject.data, split)), len(getattr(again.data, split))
        require(here == there, f"{split} has {here:,} records, and {there:,} when made again")
    here, there = subject.model().state_dict(), again.model().state_dict()
    off = [name for name in here if not torch.equal(here[name], there[name])]
    require(here.keys() == there.keys() and not off, f"weights begin otherwise: {off[:1]}")


def unknown_settings_are_refused(subject: FamilyUnderTest) -> None:
    """A misspelt key has no silent effect."""
    plain = subject.cell.settings.model_dump(mode="json")
    try:
        type(subject.task).settings(subject.cell.variant, {**plain, "no_such_setting": 1})
    except (AssayError, ValueError):  # pydantic's own is a ValueError
        return
    require(False, "settings take a key that does not exist")


def the_loss_is_finite_and_every_trained_parameter_has_a_gradient(subject: FamilyUnderTest) -> None:
    """In its stage, each parameter that learns is reached."""
    for stage in subject.task.stages():
        model = subject.model()
        records = subject.data.train if stage.records is None else stage.records
        size = min(subject.cell.training.batch_size, len(records))
        stage.opens(model)
        loss = subject.task.loss(model, records.batch(np.arange(size)), stage, 0)
        require(loss.total.ndim == 0, f"stage {stage.name}: the loss is no scalar")
        require(torch.isfinite(loss.total), f"stage {stage.name}: the loss is not finite")
        loss.total.backward()
        silent = [n for n, p in model.named_parameters() if stage.trainable(n) and p.grad is None]
        require(not silent, f"stage {stage.name}: no gradient reaches {', '.join(silent[:3])}")


def a_replayed_step_has_the_same_loss(subject: FamilyUnderTest) -> None:
    """Draws are functions of seed, step and record, never of a generator's running state."""
    stages = subject.task.stages()
    if not stages or stages[0].records is not None:
        return
    model, batch = subject.model(), subject.batch()
    losses = []
    for state in (1, 2):
        torch.manual_seed(state)
        losses.append(float(subject.task.loss(model, batch, stages[0], 3).total.detach()))
    require(losses[0] == losses[1], "a step's loss depends on a generator's running state")


def halves_of_a_training_are_the_whole(subject: FamilyUnderTest) -> None:
    """2N steps = N + a stop + N, bit for bit on the CPU."""
    if not subject.task.stages():
        return
    with tempfile.TemporaryDirectory() as folder:
        parts = Path(folder) / "parts"
        train_until(subject.cell, Execution(), parts, lambda report: None, 0.5)
        halves = run_cell(subject.cell, Execution(), parts, lambda report: None)
        whole = run_cell(subject.cell, Execution(), Path(folder) / "whole", lambda report: None)
    require(halves.provenance.resumed == 1, "the second half did not carry on from the first")
    off = [n for n, each in whole.estimates.items() if halves.estimates.get(n) != each]
    require(not off, f"{off[:1]} is another when the training was stopped in between")


def the_evaluation_is_made_of_estimates(subject: FamilyUnderTest) -> None:
    """Under `protocol/metric`, with intervals that hold the value, the same every time."""
    with tempfile.TemporaryDirectory() as folder:
        found: Result = run_cell(subject.cell, Execution(), Path(folder), lambda report: None)
    require(found.estimates, "nothing is measured")
    for name, each in found.estimates.items():
        require("/" in name, f"{name}: is no protocol/metric")
        require(each.low <= each.value <= each.high, f"{name} lies outside its interval")
    protocol = type(subject.task).protocol_of(subject.cell.model_dump(mode="json"))
    require(found.provenance.protocol == protocol, "the result is of another protocol")


def validation_is_finite(subject: FamilyUnderTest) -> None:
    """Cheap figures, during training."""
    for stage in subject.task.stages():
        model = subject.model()
        stage.opens(model)
        with torch.no_grad():
            figures = subject.task.validate(model, subject.data, stage)
        wild = [name for name, value in figures.items() if not math.isfinite(value)]
        require(not wild, f"stage {stage.name}: {wild[:1]} is not finite")


CHECKS = (
    data_and_model_are_functions_of_the_cell,
    unknown_settings_are_refused,
    the_loss_is_finite_and_every_trained_parameter_has_a_gradient,
    a_replayed_step_has_the_same_loss,
    validation_is_finite,
    halves_of_a_training_are_the_whole,
    the_evaluation_is_made_of_estimates,
)
