"""Searches as users run them: `jobs/search.py` on a Ray of its own, killed and run again."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from assay.search import SearchRecord
from assay.tracking import Destination, Runs
from tests.cluster.searching import LOSS, SPACE

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 400
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def suite(**search) -> dict:
    return {
        "name": "lines", "title": "Lines", "family": "line", "data": "mini",
        "grid": {"model": ["plain"]}, "seeds": [0, 1], "budget": {"steps": 500},
        "training": {"batch_size": 16},
        "search": {
            "algorithm": "tpe", "trials": 5, "startup": 2, "objectives": [LOSS], "space": SPACE,
            "scheduler": {"asha": {"grace": 0.2, "reduction": 2}}, **search,
        },
    }  # fmt: skip


class Driver:
    """`jobs/search.py` as a process, with what it says."""

    def __init__(self, folder: Path, storage: Path, plain: dict, cache: Path, *options: str):
        path = folder / f"{storage.name}.yaml"
        path.write_text(yaml.safe_dump(plain))
        self.said = folder / f"{storage.name}-{time.monotonic_ns()}.log"
        places = [ROOT / "tests" / "cluster" / "line_family", ROOT]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, places)),
            "ASSAY_CACHE": str(cache),
            "RAY_AUTH_MODE": "token",
        }
        for name in ("RAY_ADDRESS", "ASSAY_DATA", "MLFLOW_TRACKING_URI", "ASSAY_OPTUNA_STORAGE"):
            environment.pop(name, None)
        command = [sys.executable, str(ROOT / "jobs" / "search.py"), "--suite", str(path)]
        with self.said.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--storage", str(storage), *options],
                cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def end(self) -> str:
        """Wait for its end and return what it said."""
        code = self.process.wait(SECONDS)
        assert code == 0, self.said.read_text()
        return self.said.read_text()

    def wait_for(self, seen: Callable[[str], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not seen(self.said.read_text()):
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < deadline, self.said.read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """`kill -9` the driver alone, and see its Ray go."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(SECONDS)
        _, alive = psutil.wait_procs(children, timeout=60)
        for process in alive:  # ours, and in the way of nobody: just not gone yet
            process.kill()


def course(storage: Path) -> list:
    found = SearchRecord.model_validate_json(
        (storage / "results" / "lines" / "search.json").read_text()
    )
    (study,) = found.studies
    return [(t.values, t.state, t.objectives, t.rungs, t.reason) for t in study.trials]


def states(storage: Path) -> list[TrialState]:
    rdb = RDBStorage(f"sqlite:///{storage}/optuna.db")
    (study,) = rdb.get_all_studies()
    return [trial.state for trial in rdb.get_all_trials(study._study_id)]


def statuses(storage: Path) -> Counter:
    runs = Runs(Destination.of(storage, "lines", "Lines"))
    assert runs.parent().info.status == "FINISHED"
    return Counter(run.info.status for run in runs.children())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, prepared_mini) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("whole")
    storage = folder / "runs"
    said = Driver(folder, storage, suite(), prepared_mini, "--max-concurrent", "1").end()
    return storage, said


def test_a_search_leaves_a_record_the_best_suite_and_the_way_to_its_dashboards(undisturbed):
    storage, said = undisturbed
    path = storage / "results" / "lines" / "best.yaml"
    assert f"python jobs/benchmark_grid.py --suite {path}" in said
    assert f"optuna-dashboard --host 127.0.0.1 sqlite:///{storage}/optuna.db" in said
    assert yaml.safe_load(path.read_text())["seeds"] == [2, 3, 4]
    assert {TrialState.COMPLETE, TrialState.PRUNED} == set(states(storage))
    record = json.loads((storage / "results" / "lines" / "search.json").read_text())
    assert record["provenance"]["packages"]["optuna"]


def test_stopped_cells_are_killed_in_mlflow_and_say_by_whom(undisturbed):
    storage, _ = undisturbed
    stopped = [row for row in course(storage) if row[1] == "stopped"]
    assert stopped
    found = statuses(storage)
    assert found == {"FINISHED": 2 * (5 - len(stopped)), "KILLED": 2 * len(stopped)}
    runs = Runs(Destination.of(storage, "lines", "Lines"))
    tags = [run.data.tags for run in runs.children("KILLED")]
    assert {tag["assay.stopped"] for tag in tags} <= {row[4] for row in stopped}
    assert {run.data.tags["assay.stage"] for run in runs.children()} == {"search"}


def test_a_driver_that_is_killed_goes_on_to_what_it_would_have_found(
    undisturbed, tmp_path, prepared_mini
):
    storage = tmp_path / "runs"

    def driver() -> Driver:
        return Driver(tmp_path, storage, suite(), prepared_mini, "--max-concurrent", "1")

    for trial in (1, 3):
        running = driver()
        running.wait_for(lambda said, trial=trial: f"trial {trial}: train" in said)
        running.kill()
        assert TrialState.RUNNING in states(storage) or len(states(storage)) == trial

    driver().end()

    assert course(storage) == course(undisturbed[0])
    assert set(states(storage)) == {TrialState.COMPLETE, TrialState.PRUNED}
    assert statuses(storage) == statuses(undisturbed[0])
    cells = {path.name for path in (storage / "cells").iterdir() if path.is_dir()}
    assert cells == {p.name for p in (undisturbed[0] / "cells").iterdir() if p.is_dir()}

    said = driver().end()  # once more: nothing is left to do, and Ray is not even started
    assert "Connected" not in said
    assert course(storage) == course(undisturbed[0])


def test_two_trials_at_a_time_are_all_ended_once(tmp_path, prepared_mini):
    storage = tmp_path / "runs"
    plain = suite(algorithm="random", startup=None, trials=6)
    Driver(tmp_path, storage, plain, prepared_mini, "--max-concurrent", "2").end()
    assert len(states(storage)) == 6
    assert set(states(storage)) <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert statuses(storage).keys() <= {"FINISHED", "KILLED"}


def test_a_second_driver_of_the_same_search_is_told_to_wait(tmp_path, prepared_mini):
    storage = tmp_path / "runs"
    first = Driver(tmp_path, storage, suite(trials=2), prepared_mini)
    first.wait_for(lambda said: "trial 0" in said)
    second = Driver(tmp_path, storage, suite(trials=2), prepared_mini)
    assert second.process.wait(SECONDS) == 2
    assert "is being searched by another process" in second.said.read_text()
    first.end()
    assert len(states(storage)) == 2


def test_optuna_dashboard_opens_the_study(undisturbed):
    program = shutil.which("optuna-dashboard", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("optuna-dashboard is not installed: pip install optuna-dashboard")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen([*command, f"sqlite:///{undisturbed[0]}/optuna.db"])
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies") as answer:
                    found = json.load(answer)
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        (study,) = found["study_summaries"]
        assert study["study_name"].startswith("lines plain ")
    finally:
        process.terminate()
        process.wait(60)


def test_what_mlflow_missed_is_made_up_for_by_the_same_command(
    undisturbed, tmp_path, prepared_mini
):
    whole, _ = undisturbed
    storage = tmp_path / "runs"
    shutil.copytree(whole, storage)
    (storage / "mlflow.db").unlink()

    Driver(tmp_path, storage, suite(), prepared_mini, "--max-concurrent", "1").end()

    assert statuses(storage) == {"FINISHED": statuses(whole)["FINISHED"]}
    wanted, found = (
        Counter(
            (run.data.tags["assay.stage"], run.data.tags["assay.trial"])
            for run in Runs(Destination.of(each, "lines", "Lines")).children("FINISHED")
        )
        for each in (whole, storage)
    )
    assert found == wanted
