"""MLflow is a view of the files: whatever is done twice, or stopped in between, ends the same."""

import json
import multiprocessing
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from assay.tracking import Destination, Runs, Tracker
from assay.tracking.audit import recorded_runs
from assay.tracking.destination import this_process
from tests.tracking import toy

DEAD = "elsewhere-is-not-here:1:0.00"


def directory_of(tmp_path: Path, cell) -> Path:
    return tmp_path / "cells" / cell.key


def complete(runs: Runs, directory: Path) -> None:
    runs.complete(directory / "result.json", directory / "metrics.jsonl")


def curve(runs: Runs, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in runs.client.get_metric_history(run_id, name)]


def statuses(runs: Runs) -> list[str]:
    return sorted(run.info.status for run in runs.children())


def test_a_finished_cell_is_one_child_below_the_suite(runs, tmp_path):
    cell = toy.cell()
    directory = directory_of(tmp_path, cell)
    result = toy.write_finished(directory, cell)
    parent = runs.begin_suite()

    complete(runs, directory)

    (child,) = runs.children()
    assert child.info.status == "FINISHED"
    assert child.info.run_name == "gnn-diffusion-s0"
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.tags["assay.cell_key"] == cell.key
    assert child.data.tags["assay.architecture"] == "gnn"
    assert child.data.tags["assay.git_commit"] == "c" * 40
    assert child.data.params == {
        "family": "toy", "architecture": "gnn", "process": "diffusion", "data": "mini",
        "seed": "0", "size": "xs", "network": "size=xs, width=4", "budget": "6,400 samples",
        "batch_size": "64", "learning_rate": "0.001",
    }  # fmt: skip
    assert child.data.metrics["final/edm/validity"] == 0.5
    assert child.data.metrics["final/edm/validity_low"] == 0.4
    assert child.data.metrics["final/edm/validity_high"] == 0.6
    assert child.data.metrics["cost/parameters"] == 1000
    assert child.data.metrics["cost/samples_per_second"] == result.cost.samples_per_second
    assert curve(runs, child.info.run_id, "train/loss") == [(s, 1 / s) for s in range(1, 11)]
    (data,) = child.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("mini", ("ab" * 32)[:36])


def test_the_whole_cell_and_its_result_are_artifacts(runs, tmp_path):
    cell = toy.cell()
    directory = directory_of(tmp_path, cell)
    toy.write_finished(directory, cell)
    complete(runs, directory)
    run_id = runs.children()[0].info.run_id

    kept = {item.path for item in runs.client.list_artifacts(run_id)}
    copy = Path(runs.client.download_artifacts(run_id, "cell.json", str(tmp_path)))

    assert kept == {"cell.json", "result.json"}
    assert json.loads(copy.read_text()) == cell.model_dump(mode="json")


def test_a_finished_cell_says_where_its_weights_are(runs, tmp_path):
    trained, floor = toy.cell(), toy.cell(seed=1)
    for cell in (trained, floor):
        toy.write_finished(directory_of(tmp_path, cell), cell)
    weights = directory_of(tmp_path, trained) / "checkpoints" / "step-000000010"
    for each in (weights.with_name("step-000000005"), weights):
        each.mkdir(parents=True)
    for cell in (trained, floor):
        complete(runs, directory_of(tmp_path, cell))

    tags = runs.child(trained.key).data.tags
    assert tags["assay.checkpoint"] == str(weights)
    assert f"`{weights}`" in tags["mlflow.note.content"]
    described = runs.child(floor.key).data.tags
    assert "assay.checkpoint" not in described
    assert f"assay show {directory_of(tmp_path, floor)}" in described["mlflow.note.content"]


def test_mirroring_twice_changes_nothing(runs, target, tmp_path):
    cell = toy.cell()
    directory = directory_of(tmp_path, cell)
    toy.write_finished(directory, cell)
    complete(runs, directory)
    (before,) = runs.children()

    again = Runs(target)
    again.begin_suite()
    complete(again, directory)

    (after,) = again.children()
    assert after.to_dictionary() == before.to_dictionary()
    assert len(curve(again, after.info.run_id, "train/loss")) == 10


def test_the_same_suite_finds_its_parent_again(target):
    first = Runs(target).begin_suite()
    Runs(target).end_suite("FINISHED")
    second = Runs(target).begin_suite()
    assert second.info.run_id == first.info.run_id
    assert Runs(target).parent().info.status == "RUNNING"


def test_an_interrupted_child_carries_on_beyond_its_last_step(runs, target, tmp_path):
    cell = toy.cell()
    plain, directory = cell.model_dump(mode="json"), directory_of(tmp_path, cell)
    dead = Runs(replace(target, owner=DEAD))
    run_id = dead.begin(plain, cell.key, {})
    toy.write_rows(directory, range(1, 7))
    dead.log_rows(run_id, [{"step": s, "seconds": s / 10, "train/loss": 1 / s} for s in (1, 2, 3)])

    # The process was killed here; a checkpoint at step 2 makes step 3 be computed again.
    assert runs.begin(plain, cell.key, {}) == run_id
    rows = [{"step": s, "seconds": s / 9, "train/loss": 1 / s} for s in (3, 4, 5)]
    runs.log_rows(run_id, rows)

    assert curve(runs, run_id, "train/loss") == [(s, 1 / s) for s in (1, 2, 3, 4, 5)]
    assert statuses(runs) == ["RUNNING"]
    assert runs.children()[0].data.tags["assay.owner"] == this_process()


def test_steps_that_are_done_again_and_faster_do_not_go_back_in_time(runs, target):
    cell = toy.cell()
    run_id = runs.begin(cell.model_dump(mode="json"), cell.key, {})
    runs.log_rows(run_id, [{"step": s, "seconds": 10.0 * s, "train/loss": 1.0} for s in (1, 2, 3)])

    again = [{"step": s, "seconds": 10.0 + s, "train/loss": 1.0} for s in (2, 3, 4, 5)]
    Runs(target).log_rows(run_id, again)

    points = runs.client.get_metric_history(run_id, "train/loss")
    assert [point.step for point in points] == [1, 2, 3, 4, 5]
    begun = runs.client.get_run(run_id).info.start_time
    assert [point.timestamp - begun for point in points] == [10_000, 20_000, 30_000, 30_000, 30_000]


def test_a_mirrored_child_equals_one_that_was_recorded_live(runs, tmp_path):
    live, mirrored = toy.cell(seed=1), toy.cell(seed=2)
    for cell in (live, mirrored):
        toy.write_finished(directory_of(tmp_path, cell), cell)
    run_id = runs.begin(live.model_dump(mode="json"), live.key, {})
    runs.log_rows(run_id, [{"step": 1, "seconds": 0.1, "train/loss": 1.0, "val/loss": 2.0}])

    complete(runs, directory_of(tmp_path, live))
    complete(runs, directory_of(tmp_path, mirrored))

    one, other = runs.child(live.key), runs.child(mirrored.key)
    assert one.data.metrics == other.data.metrics
    for name in ("train/loss", "val/loss"):
        points = curve(runs, one.info.run_id, name)
        assert points == curve(runs, other.info.run_id, name)
        assert len(points) == 10


def test_a_result_that_was_evaluated_anew_replaces_the_final_values(runs, tmp_path):
    cell = toy.cell()
    directory = directory_of(tmp_path, cell)
    result = toy.write_finished(directory, cell)
    complete(runs, directory)
    better = result.estimates["edm/validity"].model_copy(update={"value": 0.55})
    changed = result.model_copy(update={"estimates": {"edm/validity": better}})
    time.sleep(0.01)
    (directory / "result.json").write_text(changed.model_dump_json())

    complete(runs, directory)

    (child,) = runs.children()
    assert child.data.metrics["final/edm/validity"] == 0.55
    assert child.info.status == "FINISHED"


def test_no_orphan_stays_running(runs, target, tmp_path):
    finished, lost, ours = toy.cell(seed=1), toy.cell(seed=2), toy.cell(seed=3)
    gone = Runs(replace(target, owner=this_process().rpartition(":")[0] + ":1.00"))
    for cell in (finished, lost):
        gone.begin(cell.model_dump(mode="json"), cell.key, {})
    runs.begin(ours.model_dump(mode="json"), ours.key, {})
    toy.write_finished(directory_of(tmp_path, finished), finished)

    runs.reconcile(tmp_path / "cells")

    assert runs.child(finished.key).info.status == "FINISHED"
    assert runs.child(finished.key).data.metrics["final/edm/validity"] == 0.5
    assert runs.child(lost.key).info.status == "KILLED"
    assert runs.child(ours.key).info.status == "KILLED"


def test_another_living_driver_keeps_its_children(runs, target, tmp_path):
    import os

    import psutil

    parent = psutil.Process(os.getppid())
    host = this_process().partition(":")[0]
    theirs = Runs(replace(target, owner=f"{host}:{parent.pid}:{parent.create_time():.2f}"))
    cell = toy.cell()
    theirs.begin(cell.model_dump(mode="json"), cell.key, {})

    runs.reconcile(tmp_path / "cells")

    assert statuses(runs) == ["RUNNING"]


def test_a_failed_cell_says_why_until_it_is_finished(runs, tmp_path):
    cell = toy.cell()
    plain, directory = cell.model_dump(mode="json"), directory_of(tmp_path, cell)
    runs.fail(plain, cell.key, "loss nan at step 3")
    (failed,) = runs.children()
    assert failed.info.status == "FAILED"
    assert failed.data.tags["assay.failure"] == "loss nan at step 3"

    toy.write_finished(directory, cell)
    complete(runs, directory)

    (child,) = runs.children()
    assert child.info.status == "FINISHED"
    assert "assay.failure" not in child.data.tags


def test_a_fresh_cell_starts_with_empty_curves(runs, tmp_path):
    cell = toy.cell()
    directory = directory_of(tmp_path, cell)
    toy.write_finished(directory, cell)
    complete(runs, directory)

    runs.discard(cell.key)
    toy.write_finished(directory, cell, steps=5)
    complete(runs, directory)

    (child,) = runs.children()
    assert len(curve(runs, child.info.run_id, "train/loss")) == 5


def test_a_fresh_cell_that_mlflow_did_not_see_shows_nothing_of_the_old_one(runs, tmp_path):
    cell = toy.cell()
    directory = directory_of(tmp_path, cell)
    toy.write_finished(directory, cell)
    complete(runs, directory)

    toy.write_finished(directory, cell, steps=5)  # while MLflow was down: nobody discarded
    complete(runs, directory)

    (child,) = runs.children()
    assert len(curve(runs, child.info.run_id, "train/loss")) == 5


def test_no_secret_reaches_tags_params_or_artifacts(runs, tmp_path, monkeypatch):
    canary = "canary-7f3a"
    for name in ("RAY_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, canary)
    cell = toy.cell()
    directory = directory_of(tmp_path, cell)
    toy.write_finished(directory, cell)
    runs.begin_suite()
    complete(runs, directory)

    (child,), parent = runs.children(), runs.parent()
    texts = [json.dumps(run.to_dictionary()) for run in (child, parent)]
    for item in runs.client.list_artifacts(child.info.run_id):
        path = runs.client.download_artifacts(child.info.run_id, item.path, str(tmp_path))
        texts.append(Path(path).read_text())

    assert not [text for text in texts if canary in text]


@pytest.mark.parametrize("rows", [950, 2000])
def test_long_curves_are_logged_whole(runs, rows):
    cell = toy.cell()
    run_id = runs.begin(cell.model_dump(mode="json"), cell.key, {})
    runs.log_rows(run_id, ({"step": s, "seconds": s, "val/loss": s} for s in range(rows)))
    assert len(curve(runs, run_id, "val/loss")) == rows


def test_a_driver_that_was_taken_over_leaves_the_suites_end_to_the_other(runs, target):
    other = Runs(replace(target, owner=DEAD))
    runs.begin_suite()
    other.begin_suite()
    other.end_suite("FINISHED")

    runs.end_suite("FAILED")

    parent = runs.parent()
    assert parent is not None
    assert parent.info.status == "FINISHED"


def test_no_run_ends_before_it_starts_even_if_the_clock_is_set_back(runs, tmp_path, monkeypatch):
    cell = toy.cell()
    directory = directory_of(tmp_path, cell)
    toy.write_finished(directory, cell)
    runs.begin_suite()
    hours_ago = time.time() - 7200
    monkeypatch.setattr(time, "time", lambda: hours_ago)

    complete(runs, directory)
    runs.end_suite("FINISHED")

    parent, (child,) = runs.parent(), runs.children()
    assert parent is not None
    for run in (parent, child):
        assert run.info.start_time <= run.info.end_time


def open_runs(target) -> None:
    Runs(target)


def test_processes_that_open_a_new_sqlite_store_at_once_do_not_spoil_it(tmp_path):
    target = Destination.of(tmp_path, "drill", "a drill")
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["assay.tracking.runs"])
    children = [processes.Process(target=open_runs, args=(target,)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0] * 4
    assert Runs(target).children() == []


def test_two_drivers_that_begin_at_once_make_one_suite(target, tmp_path):
    trackers = [Tracker(replace(target, owner=f"{DEAD}{number}"), tmp_path) for number in range(4)]
    threads = [threading.Thread(target=tracker.begin) for tracker in trackers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    suites = [run for run in recorded_runs(target.uri, target.suite) if run.key is None]
    assert [run.status for run in suites] == ["RUNNING"]


def test_a_cell_of_a_search_stays_one_when_it_is_finished(runs, tmp_path):
    cell, missed = toy.cell(seed=1), toy.cell(seed=2)
    for each in (cell, missed):
        toy.write_finished(directory_of(tmp_path, each), each)
    tags = {"assay.stage": "search", "assay.study": "gnn", "assay.trial": "3"}
    runs.begin(cell.model_dump(mode="json"), cell.key, tags)

    complete(runs, directory_of(tmp_path, cell))
    directory = directory_of(tmp_path, missed)
    runs.complete(directory / "result.json", directory / "metrics.jsonl", tags)

    for each in (cell, missed):
        child = runs.child(each.key)
        assert child.info.status == "FINISHED"
        assert tags.items() <= child.data.tags.items()


def test_the_cells_of_a_grid_say_so(runs, tmp_path):
    cell = toy.cell()
    toy.write_finished(directory_of(tmp_path, cell), cell)

    complete(runs, directory_of(tmp_path, cell))

    assert runs.child(cell.key).data.tags["assay.stage"] == "grid"
