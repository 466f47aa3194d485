"""What the doctor says of MLflow: a database, and a server that asks for a password."""

import sqlite3
import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from assay.tracking import doctor

USER, PASSWORD = "ada", "c0ffee"


class Handler(BaseHTTPRequestHandler):
    """As an MLflow server with basic-auth answers."""

    def do_GET(self):
        self.send(200, "OK")

    def do_POST(self):
        given = self.headers.get("Authorization")
        if given == "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode():
            self.send(200, "{}")
        else:
            self.send(401, "You are not authenticated.")

    def send(self, code: int, text: str):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format, *args):
        pass


@pytest.fixture
def port():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch):
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)


def states(storage) -> dict[str, str]:
    (section,) = doctor.sections(storage)
    return {each.name: each.state for each in section.findings}


def test_a_store_that_is_not_made_yet_is_fine_and_is_not_made(tmp_path):
    assert states(tmp_path) == {"MLflow": "ok", "store": "ok"}
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_this_mlflow_is_fine(runs, database):
    (_, store) = doctor.sections(database)[0].findings
    assert store.state == "ok"
    assert "tables up to date" in store.found


def test_tables_of_another_mlflow_are_broken(tmp_path):
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("create table alembic_version (version_num varchar(32))")
        database.execute("insert into alembic_version values ('0123456789ab')")
    (_, store) = doctor.sections(tmp_path)[0].findings
    assert store.state == "broken"
    assert "0123456789ab" in store.found
    assert store.mend == f"mlflow db upgrade sqlite:///{tmp_path}/mlflow.db"


def test_a_file_that_is_no_database_is_broken(tmp_path):
    (tmp_path / "mlflow.db").write_text("not a database" * 100)
    (_, store) = doctor.sections(tmp_path)[0].findings
    assert store.state == "broken"
    assert store.mend.startswith("export MLFLOW_TRACKING_URI=")


def test_a_database_whose_driver_is_missing_is_shown_without_its_password(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"postgresql+nodriver://{USER}:{PASSWORD}@db/mlflow")
    (_, store) = doctor.sections(tmp_path)[0].findings
    assert store.state == "broken"
    assert "***@db/mlflow" in store.found
    assert PASSWORD not in str(store)


def test_a_server_that_is_down_is_broken(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{USER}:{PASSWORD}@127.0.0.1:9")
    (_, server) = doctor.sections(tmp_path)[0].findings
    assert (server.name, server.state) == ("server", "broken")
    assert PASSWORD not in str(server)


def test_a_server_that_asks_for_a_password_says_so(tmp_path, monkeypatch, port):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    (_, server, entry) = doctor.sections(tmp_path)[0].findings
    assert (server.state, entry.state) == ("ok", "broken")
    assert entry.found == "asks for a user and a password"
    assert entry.mend == "export MLFLOW_TRACKING_USERNAME=… MLFLOW_TRACKING_PASSWORD=…"


def test_a_password_is_tried_and_never_shown(tmp_path, monkeypatch, port):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", USER)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong-canary")
    (_, _, entry) = doctor.sections(tmp_path)[0].findings
    assert (entry.state, entry.found) == ("broken", "user or password is wrong")
    assert "wrong-canary" not in str(entry)

    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    assert states(tmp_path) == {"MLflow": "ok", "server": "ok", "entry": "ok"}
