import json
from types import SimpleNamespace

import pytest
from filelock import FileLock

from assay import catalog
from assay.errors import ConfigError, DataError, MachineError, TrainingError
from assay.result import read_metrics, read_result
from assay.run import cell_directory, finished, read_cell, run_cell
from assay.store import sets
from assay.training.loop import Execution
from tests.training.toy import ToyTask, toy_cell


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    """The toy family on a data set that needs no preparation."""
    families = {**catalog.FAMILIES, "toy": "tests.training.toy:ToyTask"}
    monkeypatch.setattr(catalog, "FAMILIES", families)
    packed = SimpleNamespace(digest="0" * 16)
    monkeypatch.setattr(sets, "prepare", lambda name: packed)


def run(cell, storage, **options):
    reports = []
    result = run_cell(cell, Execution(), storage, reports.append, **options)
    return result, reports


def test_a_cell_goes_from_definition_to_result(tmp_path):
    cell = toy_cell()

    result, reports = run(cell, tmp_path)

    directory = cell_directory(tmp_path, cell.key)
    assert read_result(directory / "result.json") == result == finished(tmp_path, cell.key)
    assert json.loads((directory / "cell.json").read_text()) == cell.model_dump(mode="json")
    assert (directory / "artifacts" / "note.txt").exists()
    assert len(read_metrics(directory / "metrics.jsonl")) == 40
    assert list(dict.fromkeys(r.phase for r in reports)) == ["data", "train", "evaluate", "done"]
    assert result.cost.steps == 40
    assert result.cost.samples == 640
    assert result.cost.flops > 0
    assert result.provenance.cell_key == cell.key
    assert result.provenance.code_digest


def test_the_same_key_is_never_computed_twice(tmp_path, monkeypatch):
    first, _ = run(toy_cell(), tmp_path)
    monkeypatch.setattr(ToyTask, "loss", None)

    second, reports = run(toy_cell(), tmp_path)

    assert second == first
    assert [report.phase for report in reports] == ["done"]


def test_fresh_computes_again_and_keeps_what_was_there(tmp_path):
    first, _ = run(toy_cell(), tmp_path)

    second, reports = run(toy_cell(), tmp_path, fresh=True)

    assert second.estimates == first.estimates
    assert {"train", "evaluate"} <= {report.phase for report in reports}
    kept = [p for p in (tmp_path / "cells").iterdir() if p.name.startswith(f"{toy_cell().key}.2")]
    assert len(kept) == 1
    assert read_result(kept[0] / "result.json") == first


def test_a_changed_protocol_evaluates_again_without_training_again(tmp_path, monkeypatch):
    first, _ = run(toy_cell(), tmp_path)
    monkeypatch.setattr(ToyTask, "protocol", "toy 2")
    monkeypatch.setattr(ToyTask, "loss", None)

    assert finished(tmp_path, toy_cell().key) is None
    second, reports = run(toy_cell(), tmp_path)

    assert second.provenance.protocol == "toy 2"
    assert second.cost.steps == first.cost.steps
    assert "train" not in {report.phase for report in reports}


def test_two_processes_never_run_one_cell(tmp_path):
    cell = toy_cell()
    (tmp_path / "cells").mkdir()
    with (
        FileLock(cell_directory(tmp_path, cell.key).with_suffix(".lock")),
        pytest.raises(MachineError, match="is being run by another process"),
    ):
        run(cell, tmp_path)


def test_seconds_are_spent_on_the_hardware_of_the_key_only(tmp_path):
    cell = toy_cell(budget={"seconds": 0.1})

    with pytest.raises(ConfigError, match="1 threads a cell; cpu, 2 cannot spend them"):
        run_cell(cell, Execution(threads=2), tmp_path, lambda report: None)
    assert run(cell, tmp_path)[0].cost.training_seconds >= 0.1


def test_a_store_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "cells").write_text("a file where a folder should be")

    with pytest.raises(MachineError, match="cannot be written"):
        run(toy_cell(), tmp_path)


def test_a_failed_cell_leaves_no_result(tmp_path):
    cell = toy_cell(settings={"poison_at": 5})

    with pytest.raises(TrainingError):
        run(cell, tmp_path)

    assert finished(tmp_path, cell.key) is None
    assert not (cell_directory(tmp_path, cell.key) / "result.json").exists()


def test_other_data_than_the_cell_names_is_refused(tmp_path, monkeypatch):
    manifest = SimpleNamespace(name="line", source="elsewhere")
    other = SimpleNamespace(digest="1" * 16, manifest=manifest)
    monkeypatch.setattr(sets, "prepare", lambda name: other)

    with pytest.raises(DataError, match="1111111111111111"):
        run(toy_cell(), tmp_path)


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda text: text[: len(text) // 2], "not readable as JSON"),
        (lambda text: text.replace('"seed": 0', '"seed": 7'), "does not hash to"),
        (lambda text: text.replace('"cost"', '"costs"'), "unknown key 'costs'"),
        (lambda text: text.replace('"better": "lower"', '"better": "odd"'), "better"),
    ],
)
def test_a_harmed_result_is_one_sentence(tmp_path, harm, sentence):
    run(toy_cell(), tmp_path)
    path = cell_directory(tmp_path, toy_cell().key) / "result.json"
    path.write_text(harm(path.read_text()))

    with pytest.raises(Exception, match=sentence) as error:
        finished(tmp_path, toy_cell().key)

    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_cells_yaml_without_a_digest_takes_the_prepared_one(tmp_path):
    path = tmp_path / "cell.yaml"
    path.write_text(
        "family: toy\nvariant: {model: plain}\ndata: {name: line}\nseed: 0\nbudget: {steps: 3}\n"
    )

    cell = read_cell(path, ("seed=4",))

    assert cell.data.digest == "0" * 16
    assert cell.seed == 4


def test_metrics_keep_every_whole_line_and_drop_a_torn_last_one(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step"')
    assert read_metrics(path) == [{"step": 1}, {"step": 2}]

    path.write_text('{"step": 1}\n{"ste\n{"step": 3}\n')
    with pytest.raises(DataError, match="line 2 is not JSON"):
        read_metrics(path)


def test_a_checkpoint_that_was_set_aside_is_named_in_the_result(tmp_path):
    cell = toy_cell()
    run(cell, tmp_path)
    directory = cell_directory(tmp_path, cell.key)
    (directory / "result.json").unlink()
    (newest,) = (directory / "checkpoints").glob("step-*")
    (newest / "model.safetensors").write_bytes(b"")

    result, _ = run(cell, tmp_path)

    assert result.provenance.quarantined == 1
    assert result.cost.steps == 40
