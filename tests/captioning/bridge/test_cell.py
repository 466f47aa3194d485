import json

from assay.captioning.task import CaptioningTask
from assay.cell import Cell
from assay.store import sets
from assay.training.execution import Execution
from assay.training.loop import Training
from tests.captioning.bridge.small import SCRATCH, SMALL


def test_a_cell_of_the_family_trains_is_judged_and_leaves_its_captions(mini_captions, tmp_path):
    cell = Cell.model_validate(
        {
            "family": "captioning",
            "variant": {"generator": "solid_bridge"},
            "data": {"name": "mini_captions", "digest": sets.open_set("mini_captions").digest},
            "seed": 0,
            "budget": {"steps": 6},
            "training": {"batch_size": 8, "records": 64, "validations": 1},
            "settings": {
                "generator": {**SMALL, "scratch": SCRATCH, "gate": {"required": False}},
                "evaluation_molecules": 4,
            },
        }
    )
    task = CaptioningTask(cell)
    data = task.data()
    training = Training(task, cell, data, Execution(), tmp_path, lambda row: None)
    training.run()

    found = task.evaluate(training.result, data, lambda *_: None)
    task.artifacts(training.result, data, tmp_path)

    assert found["sacrebleu/bleu"].n == 4
    lines = (tmp_path / "captions.jsonl").read_text().splitlines()
    assert [set(json.loads(line)) for line in lines] == [{"smiles", "prediction", "reference"}] * 4
