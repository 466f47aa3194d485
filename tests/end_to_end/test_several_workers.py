"""Cells of several workers, and evaluations apart, through the command that users type."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from assay import attempts
from assay.cell import Suite, load_suite
from assay.result import read_metrics, read_results
from assay.store import sets

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300
TINY = (
    "budget={steps: 60}",
    "training={batch_size: 8, validations: 1}",
    "settings={network: {size: xs}, process: {steps: 4}, validation_molecules: 8, "
    "evaluation_samples: 8}",
    "grid.architecture=[gnn]",
    "grid.process=[flow_matching]",
)
TWO_WORKERS = (*TINY, "resources.workers=2")

pytestmark = pytest.mark.slow


def command(storage: Path, overrides: tuple[str, ...]) -> list[str]:
    words = [word for override in overrides for word in ("--set", override)]
    job = str(ROOT / "jobs" / "benchmark_grid.py")
    return [sys.executable, job, "--storage", str(storage), "--checkpoint-seconds", "0", *words]


def run(storage: Path, overrides: tuple[str, ...]) -> str:
    found = subprocess.run(
        command(storage, overrides), capture_output=True, text=True, timeout=SECONDS, cwd=storage
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def suite_of(overrides: tuple[str, ...]) -> Suite:
    return load_suite(ROOT / "sweeps" / "grid_mini.yaml", overrides)


def only_directory(storage: Path) -> Path:
    (cell,) = suite_of(TINY).cells(sets.open_set("mini").digest)
    return storage / "cells" / cell.key


def curve(storage: Path) -> list[dict[str, float]]:
    rows = read_metrics(only_directory(storage) / "metrics.jsonl")
    return [{k: v for k, v in row.items() if k not in ("seconds", "flops")} for row in rows]


@pytest.fixture(scope="module")
def undisturbed(prepared_mini, tmp_path_factory) -> Path:
    """A cell that two workers trained without any fault."""
    os.environ["ASSAY_CACHE"] = str(prepared_mini)
    storage = tmp_path_factory.mktemp("two")
    run(storage, TWO_WORKERS)
    return storage


def test_two_workers_make_one_result(undisturbed, mini):
    (result,) = read_results(undisturbed / "results" / "grid_mini")
    assert result.provenance.workers == 2
    assert result.provenance.sharding == "ddp"
    assert result.cost.steps == 60
    client = MlflowClient(f"sqlite:///{undisturbed}/mlflow.db")
    experiment = client.get_experiment_by_name("grid_mini")
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]


def test_two_workers_train_what_one_does_and_an_evaluation_apart_scores_it(
    undisturbed, mini, tmp_path
):
    log = run(tmp_path, (*TINY, "evaluation={cpus: 1}"))

    assert "gnn-flow_matching s0: evaluate" in log
    for one, two in zip(curve(tmp_path), curve(undisturbed), strict=True):
        norms = [row.pop("train/gradient_norm") for row in (one, two)]  # no loss: of any size
        assert norms[0] == pytest.approx(norms[1], rel=1e-5)
        assert one == pytest.approx(two, abs=1e-5)
    (result,) = read_results(tmp_path / "results" / "grid_mini")
    assert result.provenance.workers == 1


def test_a_killed_worker_costs_no_more_than_time(undisturbed, mini, tmp_path):
    with (tmp_path / "log").open("wb") as log:
        driver = subprocess.Popen(
            command(tmp_path, TWO_WORKERS), stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path
        )
    try:
        wait_for(lambda: (only_directory(tmp_path) / "metrics.jsonl").exists(), driver)
        wait_for(lambda: len(curve(tmp_path)) >= 5, driver)
        (first,) = attempts.read(only_directory(tmp_path))
        os.kill(first["pid"], signal.SIGKILL)
        assert driver.wait(SECONDS) == 0, (tmp_path / "log").read_text()
    finally:
        end(driver)

    assert curve(tmp_path) == curve(undisturbed)
    results = [
        json.loads(path.read_text())["estimates"]
        for storage in (tmp_path, undisturbed)
        for path in (storage / "cells").glob("*/result.json")
    ]
    assert results[0] == results[1]


def wait_for(condition, driver: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert driver.poll() is None, "the driver ended early"
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.1)


def end(driver: subprocess.Popen[bytes]) -> None:
    if driver.poll() is None:
        for each in (*psutil.Process(driver.pid).children(recursive=True), driver):
            each.kill()
        driver.wait()
