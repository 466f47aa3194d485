"""The recorder follows a cell, and never stands in its way."""

import time

from assay.runner import Report
from assay.tracking import Destination, Recorder, Runs, Tracker, recorder
from tests.tracking import toy


def soon(look):
    """What `look` sees as soon as it sees something; the recorder works beside us."""
    deadline = time.monotonic() + 60
    while (seen := look()) is None:
        assert time.monotonic() < deadline, "nothing was recorded"
        time.sleep(0.1)
    return seen


def with_curve(runs, key):
    child = runs.child(key)
    return child if child is not None and "train/loss" in child.data.metrics else None


def test_a_cell_is_followed_and_finished(target, tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "FLUSH_SECONDS", 0.0)
    cell = toy.cell()
    directory = tmp_path / "cells" / cell.key
    follower = Recorder(target, cell, directory)

    follower.watch(Report(cell.key, "data", 0.0))
    toy.write_rows(directory, range(1, 4))
    follower.watch(Report(cell.key, "train", 0.3, step=3))
    runs = Runs(target)
    child = soon(lambda: with_curve(runs, cell.key))
    assert child.info.status == "RUNNING"
    assert child.data.tags["assay.ray_job_id"] == "raysubmit_1"

    toy.write_finished(directory, cell)
    follower.complete()
    assert runs.child(cell.key).info.status == "FINISHED"
    assert len(runs.client.get_metric_history(child.info.run_id, "train/loss")) == 10


def test_a_cell_that_fails_is_failed_with_its_reason(target, tmp_path):
    cell = toy.cell()
    follower = Recorder(target, cell, tmp_path)
    follower.watch(Report(cell.key, "data", 0.0))
    follower.fail("no space left")
    (child,) = Runs(target).children()
    assert (child.info.status, child.data.tags["assay.failure"]) == ("FAILED", "no space left")


def test_a_cell_that_is_stopped_is_killed_with_its_curves_and_may_go_on(target, tmp_path):
    cell = toy.cell()
    directory = tmp_path / "cells" / cell.key
    toy.write_rows(directory, range(1, 4))
    follower = Recorder(target, cell, directory)
    follower.watch(Report(cell.key, "data", 0.0))
    follower.stop()
    Tracker(target, tmp_path).stop(cell.key, "asha at 10 %")

    (child,) = Runs(target).children()
    assert (child.info.status, child.data.tags["assay.stopped"]) == ("KILLED", "asha at 10 %")
    assert child.data.metrics["train/loss"] == 1 / 3

    toy.write_finished(directory, cell)
    Recorder(target, cell, directory).complete()
    Tracker(target, tmp_path).stop(cell.key, "too late")
    (child,) = Runs(target).children()
    assert child.info.status == "FINISHED"
    assert "assay.stopped" not in child.data.tags


def test_a_cell_that_another_driver_runs_is_left_alone(target, tmp_path):
    cell = toy.cell()
    Runs(target).begin(cell.model_dump(mode="json"), cell.key, {})
    Recorder(target, cell, tmp_path).fail("is being run by another process")
    assert [run.info.status for run in Runs(target).children()] == ["RUNNING"]


def test_training_survives_an_mlflow_that_cannot_be_reached(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:canary-7f3a@127.0.0.1:9")
    unreachable = Destination.of(tmp_path, "nowhere", "A suite of nothing")
    cell = toy.cell()
    directory = tmp_path / "cells" / cell.key
    follower = Recorder(unreachable, cell, directory)

    follower.watch(Report(cell.key, "data", 0.0))
    toy.write_finished(directory, cell)
    follower.watch(Report(cell.key, "train", 0.5, step=5))
    follower.complete()

    told = capsys.readouterr().err
    assert told.count("cannot be used") == 1
    assert "127.0.0.1:9" in told
    assert "canary" not in told


def test_what_was_missed_is_mirrored_by_the_driver(target, tmp_path):
    cells = [toy.cell(seed) for seed in range(3)]
    for cell in cells:
        toy.write_finished(tmp_path / "cells" / cell.key, cell)
    tracker = Tracker(target, tmp_path)

    tracker.begin()
    tracker.mirror(cell.key for cell in cells)
    tracker.end("FINISHED")

    runs = Runs(target)
    assert [run.info.status for run in runs.children()] == ["FINISHED"] * 3
    assert runs.parent().info.status == "FINISHED"


def test_a_tracker_that_never_began_leaves_no_trace(target, tmp_path):
    Tracker(target, tmp_path).end("FAILED")
    assert Runs(target).parent() is None
