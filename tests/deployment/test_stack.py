"""The compose stack, natively: its scripts start its parts, and a grid goes through all of them."""

import json
import urllib.request
from pathlib import Path

import boto3
import psutil
import psycopg2
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.server import get_app_client
from optuna.storages import RDBStorage
from optuna.study import StudyDirection

from tests.deployment.stack import Stack, missing_programs, running_stack
from tests.end_to_end.test_benchmark_grid import CELLS, TINY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(missing_programs() is not None, reason=missing_programs() or ""),
]
JOB_SECONDS = 900
SECRETS = (
    "ray_token", "postgres_password", "mlflow_database_password", "optuna_database_password",
    "mlflow_admin_password", "mlflow_user_password", "mlflow_session_key",
)  # fmt: skip


@pytest.fixture(scope="module")
def stack(prepared_mini):
    with running_stack(cache=prepared_mini) as running:
        yield running


@pytest.fixture(scope="module")
def log(stack: Stack) -> str:
    # Long enough that one node cannot have run all cells before the other's first worker is up.
    longer = "--set budget.steps=200"
    job = stack.submit(f"python jobs/benchmark_grid.py {TINY} {longer}", JOB_SECONDS)
    assert job.returncode == 0, job.stdout + job.stderr
    return job.stdout + job.stderr


@pytest.fixture
def mlflow(stack: Stack, monkeypatch) -> MlflowClient:
    """A client with the account of the Ray nodes, on the first host."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "assay")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", stack.secret("mlflow_user_password"))
    return MlflowClient(stack.mlflow)


def runs_of(stack: Stack, mlflow: MlflowClient):
    with stack.hosts[0].entered():
        experiment = mlflow.get_experiment_by_name("grid_mini")
        assert experiment is not None
        runs = mlflow.search_runs([experiment.experiment_id], max_results=100)
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    return parents, [run for run in runs if run not in parents]


def test_nine_cells_become_nine_finished_runs_below_one_parent(log, stack, mlflow):
    (parent,), children = runs_of(stack, mlflow)
    assert {child.info.run_name.removesuffix("-s0") for child in children} == CELLS
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}


@pytest.fixture
def two_machines(stack: Stack) -> None:
    """Skips where both nodes are on one address."""
    if stack.hosts[0].namespace is None:
        pytest.skip("needs two hosts: root and `ip` make two network namespaces")


def test_both_nodes_ran_cells(log, stack, two_machines):
    starts = (stack.folder / "runs" / "cells").glob("*/attempts.jsonl")
    lines = [line for path in starts for line in path.read_text().splitlines()]
    assert {json.loads(line)["host"] for line in lines} == {h.namespace for h in stack.hosts}
    assert len(lines) == 9


def test_the_driver_ran_on_the_node_that_has_its_resource(log, stack, two_machines):
    token = {"Authorization": f"Bearer {stack.secret('ray_token')}"}
    request = urllib.request.Request(f"{stack.ray}/api/jobs/", headers=token)
    with stack.hosts[0].entered(), urllib.request.urlopen(request) as answer:
        jobs = json.load(answer)
    (driver,) = [job["driver_info"] for job in jobs if job["submission_id"]]
    assert driver["node_ip_address"] == stack.hosts[1].address


def test_artifacts_are_in_s3_and_come_back_through_the_server(log, stack, mlflow, tmp_path):
    _, children = runs_of(stack, mlflow)
    keys = {"aws_access_key_id": stack.secret("s3_access_key")}
    keys["aws_secret_access_key"] = stack.secret("s3_secret_key")
    with stack.hosts[0].entered():
        s3 = boto3.client("s3", endpoint_url=stack.s3, region_name="us-east-1", **keys)
        stored = {each["Key"] for each in s3.list_objects_v2(Bucket="mlflow")["Contents"]}
        child = children[0]
        path = Path(mlflow.download_artifacts(child.info.run_id, "result.json", str(tmp_path)))
    for run in children:
        name = run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
        assert {f"artifacts/{name}/{each}" for each in ("cell.json", "result.json")} <= stored
    key = child.data.tags["assay.cell_key"]
    assert path.read_bytes() == (stack.folder / "runs/cells" / key / "result.json").read_bytes()


def query(stack: Stack, database: str, user: str, password: str, statement: str) -> list[tuple]:
    with stack.hosts[0].entered():
        connection = psycopg2.connect(
            host=stack.hosts[0].address,
            port=stack.postgres,
            dbname=database,
            user=user,
            password=stack.secret(password),
        )
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_runs_and_users_are_in_databases_of_their_own(log, stack):
    as_mlflow = ("mlflow", "mlflow_database_password")
    count = query(stack, "mlflow", *as_mlflow, "SELECT count(*) FROM runs")
    users = query(stack, "mlflow_auth", *as_mlflow, "SELECT username, is_admin FROM users")
    assert count == [(10,)]
    assert set(users) == {("admin", True), ("assay", False)}


def test_optunas_database_opens_for_ray_nodes_and_they_open_no_other(stack, monkeypatch):
    monkeypatch.setenv("PGPASSFILE", str(stack.folder / "home-worker" / ".pgpass"))
    address = f"{stack.hosts[0].address}:{stack.postgres}"
    with stack.hosts[0].entered():
        studies = RDBStorage(f"postgresql+psycopg2://optuna@{address}/optuna")
        studies.create_new_study([StudyDirection.MINIMIZE], "kept")
        assert [study.study_name for study in studies.get_all_studies()] == ["kept"]
        studies.engine.dispose()
    for database in ("mlflow", "mlflow_auth"):
        with pytest.raises(psycopg2.OperationalError, match="permission denied"):
            query(stack, database, "optuna", "optuna_database_password", "SELECT 1")


@pytest.mark.parametrize("path", ["/", "/api/2.0/mlflow/experiments/search?max_results=1"])
def test_mlflow_refuses_who_does_not_log_in(stack, path):
    assert stack.status_of(f"{stack.mlflow}{path}") == 401


def test_mlflow_refuses_a_foreign_host_header(stack):
    assert stack.status_of(f"{stack.mlflow}/", Host="rebound.example:5000") == 403


def test_the_account_of_the_nodes_cannot_make_accounts(stack, mlflow):
    accounts = get_app_client("basic-auth", stack.mlflow)
    with stack.hosts[0].entered(), pytest.raises(MlflowException, match="Permission denied"):
        accounts.create_user("intruder", "a-long-password-1")


def test_ray_refuses_a_request_without_its_token(stack):
    assert stack.status_of(f"{stack.ray}/api/jobs/") == 401
    wrong = {"Authorization": f"Bearer {'0' * 64}"}
    assert stack.status_of(f"{stack.ray}/api/jobs/", **wrong) in (401, 403)


def test_no_secret_is_in_a_log_a_run_an_artifact_or_a_command_line(log, stack, mlflow):
    secrets = {name: stack.secret(name) for name in SECRETS}
    texts = {"the job's log": log}
    for folder in ("logs", "ray-head", "ray-worker", "runs"):
        for path in (stack.folder / folder).rglob("*"):
            if path.is_file() and not path.is_symlink():
                texts[str(path)] = path.read_text(errors="replace")
    parents, children = runs_of(stack, mlflow)
    for run in (*parents, *children):
        texts[f"run {run.info.run_name}"] = json.dumps(run.to_dictionary(), default=str)
    for process in psutil.process_iter(["pid", "cmdline"]):
        texts[f"command line of {process.pid}"] = " ".join(process.info["cmdline"] or ())
    assert len(texts) > 50
    found = {
        (name, where) for name, value in secrets.items() for where in texts if value in texts[where]
    }
    assert found == set()


def test_files_with_secrets_are_for_their_owner_alone(stack):
    private = ("home-head/.mlflow/credentials", "home-head/.pgpass", "home-mlflow/.pgpass")
    private += ("home-mlflow/.aws/credentials", "home-mlflow/basic_auth.ini")
    for name in private:
        assert (stack.folder / name).stat().st_mode & 0o777 == 0o600
    assert (stack.folder / "secrets").stat().st_mode & 0o777 == 0o700
