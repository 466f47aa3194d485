import json

import pytest

from assay.training.execution import Execution
from assay.training.loop import Training
from tests.training.toy import ToyTask, toy_cell


@pytest.mark.slow
def test_compiled_training_follows_the_eager_one(tmp_path):
    losses = {}
    for compiled in (False, True):
        directory = tmp_path / str(compiled)
        directory.mkdir()
        cell = toy_cell(budget={"steps": 30})
        task = ToyTask(cell)
        execution = Execution(compile=compiled)
        Training(task, cell, task.data(), execution, directory, lambda row: None).run()
        rows = (directory / "metrics.jsonl").read_text().splitlines()
        losses[compiled] = [json.loads(row)["train/loss"] for row in rows]

    assert losses[True] == pytest.approx(losses[False], rel=1e-4)
