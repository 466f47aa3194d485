"""The whole way, once: a job on a real Ray head, nine cells, MLflow, result files, a report."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from mlflow import MlflowClient
from ray.job_submission import JobStatus

from assay.result import read_reference, read_results
from tests.end_to_end.ray_head import Head, ray_head

JOB_SECONDS = 300
CELLS = {
    f"{architecture}-{process}"
    for architecture in ("gnn", "transformer", "pairformer")
    for process in ("flow_matching", "diffusion", "stochastic_interpolant")
}
TINY = " ".join(
    f"--set '{override}'"
    for override in (
        "budget={steps: 4}",
        "training.batch_size=8",
        "training.validations=1",
        "settings.network.size=xs",
        "settings.process.steps=4",
        "settings.validation_molecules=8",
        "settings.evaluation_samples=8",
    )
)


@pytest.fixture(scope="module")
def storage(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    with ray_head(cpus=2, environment={"ASSAY_CACHE": str(cache)}) as running:
        yield running


@pytest.fixture(scope="module")
def first_log(head: Head, storage) -> str:
    command = f"python jobs/benchmark_grid.py --storage {storage} {TINY}"
    status, log = head.run(command, JOB_SECONDS)
    assert status == JobStatus.SUCCEEDED, log
    return log


def runs_of(storage: Path):
    client = MlflowClient(f"sqlite:///{storage}/mlflow.db")
    experiment = client.get_experiment_by_name("grid_mini")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    return parents, [run for run in runs if run not in parents]


def files_of(storage: Path) -> dict[str, int]:
    folder = storage / "results" / "grid_mini"
    cells = storage / "cells"
    found = [*folder.iterdir(), *cells.glob("*/result.json"), *cells.glob("*/metrics.jsonl")]
    return {str(path): path.stat().st_mtime_ns for path in found}


def test_nine_cells_become_nine_finished_runs_below_one_parent(first_log, storage):
    (parent,), children = runs_of(storage)
    assert {child.info.run_name.removesuffix("-s0") for child in children} == CELLS
    assert len(children) == 9
    for run in (parent, *children):
        assert run.info.status == "FINISHED"
    for child in children:
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert child.data.tags["assay.ray_job_id"].startswith("raysubmit_")
        assert "final/edm/atom_stability_low" in child.data.metrics
        assert "train/loss" in child.data.metrics
    assert len({child.data.tags["assay.cell_key"] for child in children}) == 9


def test_nine_results_verify_and_the_data_has_its_row(first_log, storage):
    folder = storage / "results" / "grid_mini"
    results = read_results(folder)
    assert {result.label for result in results} == CELLS
    assert len(results) == 9
    for result in results:
        assert result.cost.steps == 4
        assert result.cost.samples == 32
        assert result.cost.flops > 0
    reference = read_reference(folder)
    assert reference is not None
    of_protocol = {name for name in results[0].estimates if name.startswith("edm/")}
    assert reference.estimates.keys() == of_protocol
    assert "symmetry/positions_error" in results[0].estimates


def test_report_and_log_name_all_nine(first_log, storage):
    page = (storage / "report.html").read_text()
    for label in CELLS:
        assert label in page
        assert f"{label} s0: done" in first_log
    assert "9 of 9 cells finished" in first_log
    assert f"mlflow ui --backend-store-uri sqlite:///{storage}/mlflow.db" in first_log
    assert str(storage / "report.html") in first_log


def test_the_same_command_again_computes_nothing(first_log, head, storage):
    files, (parents, children) = files_of(storage), runs_of(storage)

    # The short form: Ray runs the file itself, by its shebang.
    command = f"jobs/benchmark_grid.py --storage {storage} {TINY}"
    status, log = head.run(command, JOB_SECONDS)

    assert status == JobStatus.SUCCEEDED, log
    assert ": train" not in log
    assert files_of(storage) == files
    parents_after, children_after = runs_of(storage)
    assert [run.info.run_id for run in parents_after] == [run.info.run_id for run in parents]
    assert {c.info.run_id: c.to_dictionary() for c in children_after} == {
        c.info.run_id: c.to_dictionary() for c in children
    }


def test_bad_input_is_one_sentence_and_fails_the_job(head, storage):
    command = f"python jobs/benchmark_grid.py --storage {storage} --set settings.network.sise=xs"
    status, log = head.run(command, 60)
    (line,) = [line for line in log.splitlines() if line.startswith("error:")]
    assert status == JobStatus.FAILED
    assert "did you mean 'size'?" in line
    assert "Traceback" not in log


def test_a_suite_that_asks_too_much_is_refused_before_it_starts(head, storage):
    command = f"python jobs/benchmark_grid.py --storage {storage} --set resources.cpus=4 --fresh"
    status, log = head.run(command, 60)
    assert status == JobStatus.FAILED
    assert "asks 1 × 4 CPUs for a cell; the cluster has 2: lower resources.cpus" in log


def test_a_request_without_a_token_is_refused(head):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{head.url}/api/jobs/", timeout=10)
    assert refused.value.code in (401, 403)


def test_the_token_is_in_no_log_and_no_file_of_the_store(first_log, head, storage):
    texts = [path.read_bytes() for path in storage.rglob("*") if path.is_file()]
    assert head.token not in first_log
    assert not [text for text in texts if head.token.encode() in text]
