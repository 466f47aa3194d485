import pytest
import torch
from pydantic import ValidationError
from torch import nn

from assay.cell import TrainingSettings
from assay.training.execution import Execution
from assay.training.loop import Training
from assay.training.selection import BestWeights
from tests.training.toy import ToyTask, toy_cell

LOOKS = {"validations": 20, "schedule": "constant", "learning_rate": 0.05, "ema_decay": 0.0}


class Overfitting(ToyTask):
    """Its validation rises again from step 30 on."""

    looked: int = 0

    def validate(self, model, data, stage):
        self.looked += 1
        return {"loss": abs(self.looked - 10) + 1.0}


def training_of(cell, directory, task_class=Overfitting, watch=lambda row: None, looked=0):
    directory.mkdir(parents=True, exist_ok=True)
    task = task_class(cell)
    task.looked = looked
    execution = Execution(checkpoint_seconds=0)
    return Training(task, cell, task.data(), execution, directory, watch)


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_weights_are_those_of_the_best_look(tmp_path):
    cell = toy_cell(budget={"steps": 60}, training={**LOOKS, "weights": "best"})
    seen = {}
    training = training_of(cell, tmp_path / "best")
    training.watch = lambda row: seen.update({row.meter.step: weights(training.average.model)})

    training.run()

    assert training.best.step == 30
    assert training.best.value == 1.0
    assert same(weights(training.result), seen[30])
    assert not same(weights(training.result), seen[60])


def test_by_default_they_are_those_of_the_end(tmp_path):
    training = training_of(toy_cell(budget={"steps": 60}, training=LOOKS), tmp_path)

    training.run()

    assert training.result is training.average.model


@pytest.mark.parametrize("until", [0.3, 0.7])
def test_a_resumed_run_remembers_the_best_look(tmp_path, until):
    cell = toy_cell(budget={"steps": 60}, training={**LOOKS, "weights": "best"})
    whole = training_of(cell, tmp_path / "whole")
    whole.run()
    part = training_of(cell, tmp_path / "parts")
    part.run(until)

    rest = training_of(cell, tmp_path / "parts", looked=part.task.looked)
    rest.run()

    assert rest.meter.step == 60
    assert rest.best.state() == whole.best.state()
    assert same(weights(rest.result), weights(whole.result))


def test_of_several_stages_only_the_last_is_looked_at(tmp_path):
    cell = toy_cell("staged", budget={"steps": 60}, training={**LOOKS, "weights": "best"})

    training = training_of(cell, tmp_path)
    training.run()

    assert training.best.step > 30


def test_a_higher_figure_may_be_the_better_one():
    source, best = nn.Linear(1, 1), None
    for better, expected in (("higher", 2), ("lower", 1)):
        best = BestWeights(source, "val/x", better)
        for step, value in enumerate([0.5, 0.2, 0.9, 0.9]):
            best.consider(source, {"val/x": value}, step)
        assert best.step == expected


def test_what_is_never_looked_at_is_refused():
    with pytest.raises(ValidationError, match="set validations to 1 or more"):
        TrainingSettings(weights="best", validations=0)


def test_nothing_is_shared_between_budgets():
    shared = {"schedule": "constant", "warmup_steps": 5}

    assert toy_cell(budget={"steps": 60}, training=shared).trunk is not None
    assert toy_cell(budget={"steps": 60}, training={**shared, "weights": "best"}).trunk is None
