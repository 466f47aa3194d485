"""The audit of a drill finds every broken promise: each is broken here by hand."""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from assay.cell import Cell
from assay.cluster import publish
from assay.cluster.drills import suite as drill_suite
from assay.cluster.drills.audit import Account, Expectation, audit, difference
from assay.result import write_json
from assay.runner import cell_directory, run_cell
from assay.store import sets
from assay.tracking import Destination, Runs, Tracker
from assay.training.execution import Execution

RULES = ({"when": {"process": "diffusion"}, "set": {"training.batch_size": 400}},)
LABEL = "gnn-diffusion"


@pytest.fixture(scope="module")
def cell(prepared_mini) -> Cell:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(prepared_mini))
        patch.delenv("ASSAY_DATA", raising=False)
        cells = drill_suite.suite(RULES).cells(sets.open_set("mini").digest)
        yield next(cell for cell in cells if cell.label == LABEL)


@pytest.fixture(scope="module")
def sound(cell, tmp_path_factory) -> Path:
    """A run store with one finished cell, published and tracked."""
    storage = tmp_path_factory.mktemp("sound")
    run_cell(cell, Execution(), storage, lambda report: None)
    tracker = Tracker(destination(storage), storage)
    tracker.begin()
    tracker.mirror([cell.key])
    tracker.end("FINISHED")
    folder = publish.default_folder(storage, "drill")
    publish.publish(drill_suite.suite(RULES), [cell.key], storage, folder)
    write_json(folder / "reference.json", {})
    return storage


@pytest.fixture
def store(sound, tmp_path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "store"))


def destination(storage: Path) -> Destination:
    return Destination.of(storage, "drill", "a drill")


def account_of(store: Path, sound: Path, cell: Cell, *, seen=None, tolerance=None) -> Account:
    expected = Expectation((cell,), frozenset(), tolerance or {})
    return audit(store, sound, expected, seen or {}, destination(store).uri)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_an_equal_run_store_keeps_every_promise(store, sound, cell):
    account = account_of(store, sound, cell)
    assert account.broken == []
    assert account.bit_equal
    assert account.deviation == 0


def test_a_lost_result_is_found(store, sound, cell):
    (cell_directory(store, cell.key) / "result.json").unlink()
    account = account_of(store, sound, cell)
    assert account.lost == 1
    assert "its result is lost" in account.broken[0]


def test_a_result_that_was_written_again_is_found(store, sound, cell):
    path = cell_directory(store, cell.key) / "result.json"
    first = path.stat()
    content = path.read_bytes()
    path.rename(path.with_name("old"))
    path.write_bytes(content)
    seen = {cell.key: (first.st_ino, first.st_mtime_ns)}
    assert account_of(store, sound, cell, seen=seen).recomputed == 1


def test_one_bit_of_the_weights_is_found(store, sound, cell):
    (path,) = cell_directory(store, cell.key).glob("checkpoints/*/ema.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    account = account_of(store, sound, cell)
    assert not account.bit_equal
    assert account.broken


def test_a_deviation_within_the_tolerance_is_told_but_breaks_nothing(store, sound, cell):
    path = cell_directory(store, cell.key) / "metrics.jsonl"
    row = path.read_text().splitlines()[0]
    name = '"train/loss": '
    start = row.index(name) + len(name)
    value = row[start:].split(",")[0].rstrip("}")
    replace(path, name + value, f"{name}{float(value) * (1 + 1e-6)!r}")
    shutil.copy(path, publish.default_folder(store, "drill") / f"{cell.key}.metrics.jsonl")

    account = account_of(store, sound, cell, tolerance={cell.key: 1e-5})
    assert account.broken == []
    assert not account.bit_equal
    assert 0 < account.deviation < 1e-5
    assert account_of(store, sound, cell).broken


def test_a_second_folder_of_a_cell_is_found(store, sound, cell):
    directory = cell_directory(store, cell.key)
    shutil.copytree(directory, directory.with_name(f"{cell.key}.20260101T000000"))
    assert account_of(store, sound, cell).duplicated == 1


def test_a_result_that_is_not_published_is_found(store, sound, cell):
    (publish.default_folder(store, "drill") / f"{cell.key}.json").unlink()
    assert account_of(store, sound, cell).broken == [
        f"{LABEL}: {cell.key}.json is not published as it is"
    ]


def test_a_failure_that_was_not_expected_is_found(store, sound, cell):
    (cell_directory(store, cell.key) / "failure.json").write_text("{}")
    assert account_of(store, sound, cell).broken == [f"{LABEL}: a failure.json is there"]


def test_a_held_lock_is_found(store, sound, cell):
    with FileLock(cell_directory(store, cell.key).with_suffix(".lock")):
        account = account_of(store, sound, cell)
    assert account.broken == [f"{cell.key}.lock: the lock is still held"]


def test_a_run_left_running_is_found(store, sound, cell):
    runs = Runs(destination(store))
    child = runs.child(cell.key)
    assert child is not None
    runs.client.update_run(child.info.run_id, status="RUNNING")
    account = account_of(store, sound, cell)
    assert account.left_running == 1
    assert f"MLflow: {LABEL} has RUNNING" in account.broken[0]


def test_a_second_run_of_a_cell_is_found(store, sound, cell):
    runs = Runs(destination(store))
    run = runs.client.create_run(runs.experiment, tags={"assay.cell_key": cell.key})
    runs.client.set_terminated(run.info.run_id, "FINISHED")
    assert account_of(store, sound, cell).duplicated == 1


def test_a_step_that_was_logged_twice_is_found(store, sound, cell):
    runs = Runs(destination(store))
    child = runs.child(cell.key)
    assert child is not None
    runs.client.log_metric(child.info.run_id, "train/loss", 1.0, step=1)
    account = account_of(store, sound, cell)
    assert account.broken == [f"MLflow: {LABEL}: train/loss has steps twice or out of order"]


def test_differences_are_relative_and_infinite_where_shapes_differ():
    assert difference({"a": [1.0, 200.0]}, {"a": [1.0, 200.0]}) == 0
    assert difference({"a": [1.0, 202.0]}, {"a": [1.0, 200.0]}) == pytest.approx(0.01)
    assert difference(1e-3, 0.0) == pytest.approx(1e-3)
    assert difference({"a": 1}, {"b": 1}) == float("inf")
    assert difference([1], [1, 2]) == float("inf")
