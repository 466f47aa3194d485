"""Secrets of the environment, made recognisable, turn up in nothing that a run leaves behind.

One tiny cell goes the whole way: Ray started here, Tune, an MLflow server, result files, the
report. Then every byte is searched: of the run store, of Tune's state while it is there, of
MLflow's database and artifacts, of Ray's session folder and logs, and of all that was printed.
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.cluster.drills.ports import free_ports

ROOT = Path(__file__).parents[2]
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "canaryaws0123456789abcdef",
    "AWS_SESSION_TOKEN": "canarysession0123456789abcdef",
    "MLFLOW_TRACKING_PASSWORD": "canarymlflow0123456789abcdef",
    "RAY_AUTH_TOKEN": "canary0ray0123456789abcdef0123456789abcdef",
    "HF_TOKEN": "canaryhf0123456789abcdef",
    "WANDB_API_KEY": "canarywandb0123456789abcdef",
}
IN_ADDRESS = "canaryaddress0123456789abcdef"
IN_QUERY = "canaryquery0123456789abcdef"
CANARIES = {**SECRETS, "MLFLOW_TRACKING_URI": IN_ADDRESS, "ASSAY_OPTUNA_STORAGE": IN_QUERY}
TINY = [
    word
    for override in (
        "budget={steps: 4}",
        "training={batch_size: 8, validations: 1}",
        "settings.network.size=xs",
        "settings.process.steps=4",
        "settings.validation_molecules=8",
        "settings.evaluation_samples=8",
    )
    for word in ("--set", override)
]
TINY_SEARCH = [
    word
    for override in (
        "seeds=[0]",
        "budget={steps: 4}",
        "training={validations: 1}",
        "settings={process: {steps: 4}, validation_molecules: 8, evaluation_samples: 8}",
        "search={algorithm: random, trials: 2, objectives: [{metric: val/loss, better: lower}], "
        "space: {training.learning_rate: {float: [0.001, 0.01]}}}",
    )
    for word in ("--set", override)
]
START_SECONDS = 180


class Watch(threading.Thread):
    """Looks for canaries in folders that exist only for a while."""

    def __init__(self, root: Path, pattern: str) -> None:
        super().__init__(daemon=True)
        self.root, self.pattern = root, pattern
        self.over = threading.Event()
        self.found: set[str] = set()
        self.looked_at: set[str] = set()

    def run(self) -> None:
        while not self.over.wait(0.1):
            for folder in self.root.glob(self.pattern):
                with contextlib.suppress(OSError):
                    self.found |= canaries_below(folder)
                    self.looked_at |= {path.name for path in folder.rglob("*")}


def canaries_in(content: bytes, where: object) -> set[str]:
    return {f"{name} in {where}" for name, value in CANARIES.items() if value.encode() in content}


def canaries_below(folder: Path) -> set[str]:
    found: set[str] = set()
    for path in folder.rglob("*"):
        found |= canaries_in(str(path).encode(), path)
        if path.is_file() and not path.is_symlink():
            with contextlib.suppress(FileNotFoundError):
                found |= canaries_in(path.read_bytes(), path)
    return found


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name, since Ray's sockets lie in it."""
    folder = Path(tempfile.mkdtemp(prefix="assay-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def mlflow_server(tmp_path) -> Iterator[tuple[int, Path]]:
    """An MLflow server: its port, and the folder of its database, artifacts and log."""
    folder = tmp_path / "server"
    folder.mkdir()
    (port,) = free_ports(1)
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env=kept, cwd=folder,
            start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, folder / "log")
            yield port, folder
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"MLflow did not start:\n{log.read_text()}") from error
        time.sleep(0.5)


def benchmark(storage: Path, short: Path, cache: Path, uri: str) -> subprocess.CompletedProcess:
    words = ["benchmark_grid.py", "--cell", "gnn-flow_matching", *TINY]
    return job(words, storage, short, cache, MLFLOW_TRACKING_URI=uri)


def job(
    words: list[str], storage: Path, short: Path, cache: Path, **environment: str
) -> subprocess.CompletedProcess:
    """Run a file of jobs/ with its options and every secret in its environment."""
    file, *options = words
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RAY_", "MLFLOW_", "ASSAY_"))
    }
    command = [
        sys.executable, str(ROOT / "jobs" / file), "--storage", str(storage), *options,
    ]  # fmt: skip
    return subprocess.run(
        command, capture_output=True, cwd=ROOT, check=False, timeout=400,
        env={
            **kept, **SECRETS, "RAY_TMPDIR": str(short), "ASSAY_CACHE": str(cache),
            "MLFLOW_TRACKING_USERNAME": "ada", **environment,
        },
    )  # fmt: skip


@pytest.mark.slow
def test_no_secret_is_left_anywhere(tmp_path, short, mlflow_server, prepared_mini):
    port, server = mlflow_server
    storage = tmp_path / "runs"
    watch = Watch(storage, "tune*")
    watch.start()

    done = benchmark(storage, short, prepared_mini, f"http://ada:{IN_ADDRESS}@127.0.0.1:{port}")

    watch.over.set()
    watch.join()
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed.decode()
    assert b"***@127.0.0.1" in printed
    assert watch.looked_at, "Tune's folder was never seen"
    with sqlite3.connect(server / "mlflow.db") as database:
        ((runs,),) = database.execute("select count(*) from runs where status = 'FINISHED'")
        dump = "\n".join(database.iterdump()).encode()
    assert runs == 2  # the suite and its cell
    assert (storage / "report.html").exists()
    assert list(short.rglob("*.log"))

    found = watch.found | canaries_in(printed, "the output") | canaries_in(dump, "MLflow")
    for folder in (storage, short, server):
        found |= canaries_below(folder)
    assert not found, "\n".join(sorted(found))


@pytest.mark.slow
def test_a_server_that_is_down_is_reported_without_its_password(tmp_path, short, prepared_mini):
    done = benchmark(
        tmp_path / "runs", short, prepared_mini, f"http://ada:{IN_ADDRESS}@127.0.0.1:9"
    )

    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed.decode()
    assert b"MLflow at http://***@127.0.0.1:9 cannot be used" in printed
    found = canaries_in(printed, "the output")
    for folder in (tmp_path, short):
        found |= canaries_below(folder)
    assert not found, "\n".join(sorted(found))


@pytest.mark.slow
def test_a_search_leaves_no_secret_and_nothing_secret_of_its_databases_address(
    tmp_path, short, prepared_mini
):
    storage, database = tmp_path / "runs", tmp_path / "optuna.db"
    # SQLite takes what it does not know in the query of a file's URI, and ignores it.
    address = f"sqlite:///file:{database}?uri=true&password={IN_QUERY}"

    done = job(
        ["search.py", *TINY_SEARCH], storage, short, prepared_mini, ASSAY_OPTUNA_STORAGE=address
    )

    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed.decode()
    assert b"password=***" in printed
    with sqlite3.connect(database) as connection:
        ((trials,),) = connection.execute("select count(*) from trials where state = 'COMPLETE'")
    assert trials == 2
    assert {path.name for path in storage.rglob("search.json")} == {"search.json"}
    assert list(storage.rglob("best*.yaml"))

    found = canaries_in(printed, "the output")
    for folder in (tmp_path, short):
        found |= canaries_below(folder)
    assert not found, "\n".join(sorted(found))
