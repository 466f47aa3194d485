"""The second family the whole way: its suite on Ray, with MLflow, result files and a report."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from assay.result import read_reference, read_results

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_three_seeds_of_an_encoder_become_results_runs_and_a_report(tmp_path):
    store = tmp_path / "runs"
    command = [
        sys.executable, "jobs/benchmark_grid.py", "--suite", "sweeps/links_mini.yaml",
        "--storage", str(store), "--set", "budget.steps=100",
    ]  # fmt: skip
    here = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    environment = {**here, "ASSAY_CACHE": str(tmp_path / "cache"), "RAY_AUTH_MODE": "token"}

    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )

    assert done.returncode == 0, done.stdout + done.stderr
    folder = store / "results" / "links_mini"
    results = read_results(folder)
    assert [(result.label, result.cell["seed"]) for result in results] == [
        ("gcn", 0), ("gcn", 1), ("gcn", 2),
    ]  # fmt: skip
    for result in results:
        assert set(result.estimates) == {
            "ogb/hits_at_10", "ogb/hits_at_20", "ogb/hits_at_30", "heart/hits_at_20", "heart/mrr",
        }  # fmt: skip
        assert (folder / f"{result.provenance.cell_key}.scores.npz").exists()
    reference = read_reference(folder)
    assert reference is not None
    assert reference.name == "paths of length 3"
    client = MlflowClient(f"sqlite:///{store}/mlflow.db")
    experiment = client.get_experiment_by_name("links_mini")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len([run for run in runs if "final/ogb/hits_at_20" in run.data.metrics]) == 3
    assert "Hits@20" in (store / "report.html").read_text()
