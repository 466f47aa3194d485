"""Ctrl-C and `ray job stop` end a job with one sentence and code 130; the same command goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from assay.cli_options import STOPPED
from assay.cluster.drills.suite import page
from assay.cluster.session import stoppable
from assay.result import read_results
from assay.tracking import Destination, Runs
from tests.docs.programs import module_of
from tests.docs.test_jobs_help import JOBS
from tests.test_cli import ROOT

SENTENCE = "Stopped. Nothing is lost: the same command carries on."
SECONDS = 400
SIGNALS = pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, id="ray job stop"),
    ],
)


@SIGNALS
@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_a_stopped_job_says_how_to_carry_on(path, number, monkeypatch, capsys):
    job = module_of(path)

    def run(given):
        with stoppable():  # as `run_suite` and `run_search` have it around their work
            os.kill(os.getpid(), number)
            time.sleep(10)  # the signal ends it

    monkeypatch.setattr(job, "run", run)

    assert job.main([]) == STOPPED
    assert capsys.readouterr().err.strip() == SENTENCE


class Grid:
    """`jobs/benchmark_grid.py` on a Ray of its own: two cells, one after the other."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.storage = folder / "runs"
        self.page = folder / "stopped.yaml"
        axes = {"architecture": ["gnn"], "process": ["diffusion", "flow_matching"]}
        self.page.write_text(yaml.safe_dump(
            {**page(), "name": "stopped", "grid": axes, "budget": {"samples": 6400}}
        ))  # fmt: skip
        elsewhere = ("RAY_ADDRESS", "ASSAY_DATA", "MLFLOW_TRACKING_URI")
        kept = {name: value for name, value in os.environ.items() if name not in elsewhere}
        self.environment = kept | {"ASSAY_CACHE": str(cache), "RAY_AUTH_MODE": "token"}

    def start(self) -> subprocess.Popen[str]:
        command = [
            sys.executable, ROOT / "jobs" / "benchmark_grid.py", "--suite", self.page,
            "--storage", self.storage, "--max-concurrent", "1", "--checkpoint-seconds", "0.2",
        ]  # fmt: skip
        return subprocess.Popen(
            list(map(str, command)), cwd=ROOT, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def wait_for_a_checkpoint(self, process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + SECONDS
        while not list(self.storage.glob("cells/*/checkpoints/step-*/manifest.json")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def statuses(self) -> tuple[str, set[str]]:
        """Return what MLflow says of the suite's run, and of its cells'."""
        title = yaml.safe_load(self.page.read_text())["title"]
        runs = Runs(Destination.of(self.storage, "stopped", title))
        return runs.parent().info.status, {run.info.status for run in runs.children()}


@SIGNALS
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_stopped_grid_says_how_to_carry_on_and_does(number, mini, tmp_path):
    grid = Grid(tmp_path, mini)
    process = grid.start()
    try:
        grid.wait_for_a_checkpoint(process)
        process.send_signal(number)
        _, said = process.communicate(timeout=SECONDS)
    finally:
        process.kill()

    assert process.returncode == STOPPED, said
    assert SENTENCE in said
    assert "Traceback" not in said
    parent, children = grid.statuses()
    assert parent == "KILLED"
    assert "RUNNING" not in children

    process = grid.start()
    shown, said = process.communicate(timeout=SECONDS)

    assert process.returncode == 0, shown + said
    results = read_results(grid.storage / "results" / "stopped")
    assert {each.label for each in results} == {"gnn-diffusion", "gnn-flow_matching"}
    assert [each.cost.samples for each in results] == [6400, 6400]
    assert sum(each.provenance.resumed for each in results) == 1
    assert grid.statuses() == ("FINISHED", {"FINISHED"})
    (key, _) = sorted(each.provenance.cell_key for each in results)
    card = grid.storage / "results" / "stopped" / f"{key}.card.md"
    assert key in card.read_text()
    assert json.loads(card.with_name("suite.json").read_text())["name"] == "stopped"
