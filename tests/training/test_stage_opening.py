from dataclasses import replace

import pytest

from assay.errors import TrainingError
from assay.training.execution import Execution
from assay.training.loop import Training
from tests.training.toy import ToyTask, toy_cell


class Watched(ToyTask):
    """Notes with which model, and after how many steps, each of its stages is opened."""

    def __init__(self, cell, refused=None):
        super().__init__(cell)
        self.opened, self.refused, self.training = [], refused, None

    def stages(self):
        return [replace(s, opens=self.opening(s.name)) for s in super().stages()]

    def opening(self, name):
        def opens(model):
            if name == self.refused:
                raise TrainingError("not yet")
            assert model is self.training.model
            self.opened.append((name, self.training.meter.step))

        return opens


def training_of(directory, refused=None):
    cell = toy_cell("staged", budget={"steps": 20})
    task = Watched(cell, refused)
    task.training = Training(
        task, cell, task.data(), Execution(checkpoint_seconds=0), directory, lambda row: None
    )
    return task


def test_each_stage_is_opened_once_and_before_its_first_step(tmp_path):
    task = training_of(tmp_path)
    names = [stage.name for stage in task.stages()]

    task.training.run()

    assert [name for name, _ in task.opened] == names
    assert task.opened[0] == (names[0], 0)
    assert 0 < task.opened[1][1] < 20


def test_a_stage_that_is_resumed_is_not_opened_again(tmp_path):
    task = training_of(tmp_path)
    task.training.run(0.9)
    again = training_of(tmp_path)

    again.training.run()

    assert again.training.meter.step == 20
    assert again.opened == []


def test_a_stage_that_refuses_ends_training_before_its_first_step(tmp_path):
    task = training_of(tmp_path, refused=training_of(tmp_path).stages()[1].name)

    with pytest.raises(TrainingError, match="not yet"):
        task.training.run()

    assert task.training.meter.step < 20
