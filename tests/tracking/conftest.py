from pathlib import Path

import pytest

from assay.tracking import Destination, Runs
from tests.tracking import toy


@pytest.fixture(autouse=True)
def _toy_family(monkeypatch):
    toy.install(monkeypatch)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def database(tmp_path_factory) -> Path:
    """One SQLite store for all tests, since creating its tables takes seconds."""
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture
def target(database, request) -> Destination:
    """An experiment of its own for each test."""
    name = request.node.name.replace("[", "_").replace("]", "")
    return Destination.of(database, name, "A suite of nothing", {"assay.ray_job_id": "raysubmit_1"})


@pytest.fixture
def runs(target) -> Runs:
    return Runs(target)
