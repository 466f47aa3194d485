import json
from types import SimpleNamespace

import pytest
import torch
from filelock import FileLock

from assay import attempts, catalog, runner
from assay.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    MachineError,
    MemoryShortageError,
    NoProgressError,
    TrainingError,
)
from assay.result import read_metrics, read_result
from assay.runner import (
    Manner,
    cell_directory,
    evaluate_cell,
    finished,
    read_cell,
    run_cell,
    set_aside,
    train_until,
)
from assay.store import sets
from assay.training.execution import Execution
from assay.training.parallel import Workers
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


SHARED = {"schedule": "constant", "warmup_steps": 5}


def of_budget(steps):
    return toy_cell(budget={"steps": steps}, training=SHARED)


def test_a_larger_budget_says_what_it_took_over_and_costs_as_if_it_had_not(tmp_path):
    small, _ = run(of_budget(40), tmp_path)
    large, _ = run(of_budget(100), tmp_path)
    alone, _ = run(of_budget(100), tmp_path / "alone")

    shared = [each.provenance.shared_steps for each in (small, large, alone)]
    assert shared == [0, 32, 0]
    assert large.estimates == alone.estimates
    assert large.cost.flops == alone.cost.flops
    assert large.cost.records == 256


def test_fresh_begins_at_the_beginning(tmp_path):
    run(of_budget(40), tmp_path)

    large, _ = run(of_budget(100), tmp_path, fresh=True)

    assert large.provenance.shared_steps == 0
    assert any(".2" in path.name for path in tmp_path.glob("trunks/*/*"))


def test_other_code_begins_at_the_beginning(tmp_path, monkeypatch):
    run(of_budget(40), tmp_path)
    monkeypatch.setattr("assay.runner.code_digest", lambda: "another")

    assert run(of_budget(100), tmp_path)[0].provenance.shared_steps == 0


def test_who_stops_early_does_not_begin_further_on(tmp_path):
    run(of_budget(100), tmp_path)

    report = train_until(of_budget(200), Execution(), tmp_path, lambda report: None, 0.1)

    assert report.step == 20


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

    with pytest.raises(ConfigError, match="1 threads a cell; cpu, 2 threads cannot"):
        run_cell(cell, Execution(threads=2), tmp_path, lambda report: None)
    assert run(cell, tmp_path)[0].cost.training_seconds >= 0.1


def test_a_cell_whose_seconds_are_spent_is_evaluated_anywhere(tmp_path):
    cell = toy_cell(budget={"seconds": 0.1})
    train_until(cell, Execution(), tmp_path, lambda report: None, 1.0)

    result = run_cell(cell, Execution(threads=2), tmp_path, lambda report: None)

    assert result.provenance.threads == 1  # of whoever trained it


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
    other = SimpleNamespace(digest="1" * 16, name="line", source="elsewhere")
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


def losses(storage, cell):
    rows = read_metrics(cell_directory(storage, cell.key) / "metrics.jsonl")
    return [row["train/loss"] for row in rows]


@pytest.mark.parametrize("stops", [(0.5,), (0.1, 0.43, 0.97), (1.0,)])
def test_a_cell_that_is_trained_in_parts_ends_where_one_who_never_stopped_does(tmp_path, stops):
    cell = toy_cell("staged", budget={"steps": 60}, training={"validations": 3})
    whole, _ = run(cell, tmp_path / "whole")

    for stop in stops:
        report = train_until(cell, Execution(), tmp_path / "parts", lambda report: None, stop)
        assert report.step == -(-round(60 * stop * 100) // 100)
        assert report.metrics.keys() == {"val/loss"}
    parts, _ = run(cell, tmp_path / "parts")

    assert parts.estimates == whole.estimates
    assert parts.cost.flops == whole.cost.flops
    assert losses(tmp_path / "parts", cell) == losses(tmp_path / "whole", cell)


def test_a_cell_that_is_further_already_is_left_as_it_is(tmp_path):
    cell = toy_cell()
    run(cell, tmp_path)
    report = train_until(cell, Execution(), tmp_path, lambda report: None, 0.5)
    assert report.step == 40


def test_a_step_that_does_not_fit_is_done_in_smaller_parts_and_said_so(tmp_path):
    plain, small = toy_cell(), toy_cell(settings={"memory": 5})
    expected, _ = run(plain, tmp_path)

    result, reports = run(small, tmp_path)

    assert result.provenance.accumulation == 4  # of 16 records, 5 fit: 16, 8, 4
    assert {r.note for r in reports if r.metrics} == {"memory is short: 4 micro-batches"}
    assert losses(tmp_path, small) == pytest.approx(losses(tmp_path, plain), abs=1e-5)
    mse, reference = (r.estimates["toy/mse"].value for r in (result, expected))
    assert mse == pytest.approx(reference, abs=1e-5)


def test_a_cell_remembers_how_small_its_parts_must_be(tmp_path):
    small = toy_cell(settings={"memory": 8})
    train_until(small, Execution(), tmp_path, lambda report: None, 0.5)

    run(small, tmp_path, manner=Manner(series="next"))

    (line,) = attempts.read(cell_directory(tmp_path, small.key))
    assert line["accumulation"] == 2


def test_memory_for_less_than_one_record_ends_the_cell(tmp_path):
    with pytest.raises(MemoryShortageError, match="cannot be halved again"):
        run(toy_cell(settings={"memory": 0}), tmp_path)


def test_whoever_has_patience_waits_for_another_process_and_then_goes_on(tmp_path):
    cell = toy_cell()
    directory = cell_directory(tmp_path, cell.key)
    directory.parent.mkdir(parents=True)
    lock = FileLock(directory.with_suffix(".lock"))
    lock.acquire()
    phases = []

    def watch(report):
        phases.append(report.phase)
        lock.release()

    run_cell(cell, Execution(), tmp_path, watch, manner=Manner(patience=60))

    assert list(dict.fromkeys(phases)) == ["waiting", "data", "train", "evaluate", "done"]


def test_a_cell_that_kills_its_process_again_and_again_is_given_up(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def die(self, *args):
        raise Killed

    monkeypatch.setattr(ToyTask, "loss", die)
    manner = Manner(series="driver")
    for _ in range(attempts.TRIES):
        with pytest.raises(Killed):
            run(toy_cell(), tmp_path, manner=manner)
    with pytest.raises(NoProgressError, match="died 3 times at step 0"):
        run(toy_cell(), tmp_path, manner=manner)


def test_a_warning_that_the_machine_goes_saves_at_once(tmp_path):
    cell = toy_cell(budget={"steps": 40})
    asked = iter(range(1000))

    class Killed(BaseException):
        pass

    def warned():
        step = next(asked)
        if step == 20:
            raise Killed
        return step >= 17

    with pytest.raises(Killed):
        run(cell, tmp_path, manner=Manner(warned=warned))

    (saved,) = (cell_directory(tmp_path, cell.key) / "checkpoints").glob("step-*")
    assert saved.name == "step-000000018"


def test_what_is_set_aside_is_kept(tmp_path):
    cell = toy_cell()
    run(cell, tmp_path)
    set_aside([cell], tmp_path)
    assert finished(tmp_path, cell.key) is None
    (kept,) = cell_directory(tmp_path, cell.key).parent.glob(f"{cell.key}.2*")
    assert (kept / "result.json").exists()


def test_a_cell_that_another_process_runs_is_not_set_aside(tmp_path):
    cell = toy_cell()
    run(cell, tmp_path)
    lock = FileLock(cell_directory(tmp_path, cell.key).with_suffix(".lock"))
    with lock, pytest.raises(MachineError, match="is being run by another process"):
        set_aside([cell], tmp_path)
    assert finished(tmp_path, cell.key) is not None


def test_cells_are_set_aside_all_or_none(tmp_path):
    cells = [toy_cell(seed=seed) for seed in (0, 1)]
    for cell in cells:
        run(cell, tmp_path)
    lock = FileLock(cell_directory(tmp_path, cells[1].key).with_suffix(".lock"))
    with lock, pytest.raises(MachineError, match="is being run by another process"):
        set_aside(cells, tmp_path)
    assert all(finished(tmp_path, cell.key) for cell in cells)


def test_an_evaluation_apart_trains_nothing(tmp_path):
    cell = toy_cell()
    train_until(cell, Execution(), tmp_path, lambda report: None, 0.5)
    with pytest.raises(CheckpointError, match="no weights of the end of training"):
        evaluate_cell(cell, Execution(), tmp_path, lambda report: None)
    train_until(cell, Execution(), tmp_path, lambda report: None, 1.0)

    result = evaluate_cell(cell, Execution(threads=2), tmp_path, lambda report: None)

    assert result == finished(tmp_path, cell.key)
    assert result.cost.steps == 40


def test_the_way_to_a_rung_may_be_asked_for_any_number_of_times(tmp_path):
    cell, manner = toy_cell(), Manner(series="driver-50")

    steps = [
        train_until(cell, Execution(), tmp_path, lambda report: None, 0.5, manner=manner).step
        for _ in range(attempts.TRIES + 2)
    ]

    assert steps == [20] * (attempts.TRIES + 2)


class SecondOfTwo(Workers):
    """A worker that hears from the first one, at the third time of asking, that it may go on."""

    rank, count = 1, 2

    def __init__(self):
        self.answers = [False, False, True]

    def on_first(self, action):
        return self.answers.pop(0)


def test_all_workers_ask_together_while_another_process_has_the_cell(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "LOOK_SECONDS", 0.0)
    cell, second, reports = toy_cell(), SecondOfTwo(), []

    with runner._taken_up(cell, tmp_path, reports.append, Manner(patience=60), second):
        pass

    assert [report.phase for report in reports] == ["waiting", "waiting"]
    assert second.answers == []


@pytest.mark.parametrize(("device", "peak"), [("cpu", 700), ("NVIDIA H200", 500)])
def test_the_peak_of_a_gpu_is_not_that_of_an_evaluation_on_the_cpu(device, peak, monkeypatch):
    monkeypatch.setattr(runner, "peak_memory_bytes", lambda device: 700)
    training = SimpleNamespace(
        maker=SimpleNamespace(device=device), device=torch.device("cpu"), peak_memory=500
    )

    assert runner._peak_memory(training) == peak
