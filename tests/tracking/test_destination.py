from pathlib import Path

from assay.tracking import Destination
from assay.tracking.destination import may_be_alive, this_process


def test_the_store_is_sqlite_beside_the_cells_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    found = Destination.of(tmp_path, "grid_mini", "Nine cells")
    assert found.uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert found.artifacts == f"file://{tmp_path}/mlartifacts/grid_mini"
    assert found.how_to_open == f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/mlflow.db"


def test_a_server_is_respected_and_its_password_never_shown(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ada:canary@mlflow.example:5000/x")
    found = Destination.of(Path("runs"), "grid_mini", "Nine cells")
    assert found.uri == "https://ada:canary@mlflow.example:5000/x"
    assert found.artifacts is None
    assert found.how_to_open == "https://***@mlflow.example:5000/x"


def test_a_database_with_a_password_is_shown_without_it(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://ada:canary@db/mlflow")
    assert "canary" not in Destination.of(Path("runs"), "s", "t").how_to_open


def test_a_process_is_told_from_one_that_has_its_number(monkeypatch):
    host, pid, start = this_process().split(":")
    assert may_be_alive(f"{host}:{pid}:{start}")
    assert not may_be_alive(f"{host}:{pid}:1.00")
    assert not may_be_alive(f"{host}:not-a-number:1.00")
    assert may_be_alive(f"another-{host}:{pid}:{start}")
