import json

from assay.cluster.trial import explain, kind_of, throttled
from assay.errors import MachineError, TrainingError


def test_a_known_fault_is_its_own_sentence(tmp_path):
    fault = MachineError("the disk is full; free some space")
    assert explain(fault, tmp_path) == "the disk is full; free some space"
    assert list(tmp_path.iterdir()) == []


def test_an_unforeseen_fault_keeps_its_traceback(tmp_path):
    try:
        json.loads("{")
    except ValueError as error:
        words = explain(error, tmp_path)
    assert words.startswith("JSONDecodeError: Expecting property name")
    assert str(tmp_path / "traceback.txt") in words
    assert "test_trial.py" in (tmp_path / "traceback.txt").read_text()


def test_a_loss_that_is_not_finite_is_a_kind_of_its_own():
    assert kind_of(TrainingError("loss nan at step 3")) == "not_finite"
    assert kind_of(MachineError("no space left")) == "error"


def test_reports_are_heard_once_a_second_and_at_every_change_of_phase():
    now, heard = [0.0], []
    report = throttled(lambda row: heard.append((row["phase"], now[0])), lambda: now[0])
    for now[0], phase in [(0.0, "data"), (0.1, "train"), (0.5, "train"), (1.2, "train"),
                          (1.3, "train"), (1.4, "done")]:  # fmt: skip
        report({"phase": phase})
    assert heard == [("data", 0.0), ("train", 0.1), ("train", 1.2), ("done", 1.4)]
