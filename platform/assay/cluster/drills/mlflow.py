"""Faults of the MLflow server: mlflow-down, mlflow-killed."""

import contextlib
import sqlite3
import subprocess
import sys
import time
import urllib.request

import psutil

from assay.cluster.drills.drill import Drill
from assay.cluster.drills.ports import free_ports
from assay.cluster.drills.scene import PromiseError, Scene

START_SECONDS = 120.0


class Server:
    """An MLflow server with SQLite and its artifacts in a scene's folder, killed and started."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._folder = scene.folder / "mlflow"
        self._folder.mkdir(exist_ok=True)
        (self.port,) = free_ports(1)
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on what it had stored before, and wait until it answers."""
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1",
            "--port", str(self.port), "--workers", "1", "--backend-store-uri", store(self._scene),
            "--artifacts-destination", (self._folder / "artifacts").as_uri(),
        ]  # fmt: skip
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=self._scene.environment, cwd=self._folder,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise PromiseError(f"mlflow server did not start ({self._folder / 'server.log'})")
            time.sleep(0.2)

    def kill(self) -> None:
        """SIGKILL it and its workers."""
        assert self._process is not None
        family = psutil.Process(self._process.pid).children(recursive=True)
        for each in (psutil.Process(self._process.pid), *family):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        self._process.wait()

    def points(self) -> int:
        """Return how many metric points it has stored."""
        database = f"file:{self._folder / 'server.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(database, uri=True, timeout=10)) as connection:
            return connection.execute("select count(*) from metrics").fetchone()[0]

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as response:
                return response.status == 200
        except OSError:
            return False


def store(scene: Scene) -> str:
    """Return the URI of the server's own database."""
    return f"sqlite:///{(scene.folder / 'mlflow' / 'server.db').absolute()}"


class MlflowDown(Drill):
    """Run the whole suite while nothing answers at the MLflow server's address.

    Training should not wait for it, and the command should say that it cannot be used. Then the
    server is started and the same command given again: it should replay every curve in order,
    from the files, and compute nothing.
    """

    fault = "MLflow down from before the start until after the end"

    def tracking_uri(self, scene: Scene) -> str:
        """Return the server's own database."""
        return store(scene)

    def disturb(self, scene: Scene) -> None:
        """Run without a server, start it, repeat the command."""
        server = Server(scene)
        driver = scene.start(MLFLOW_TRACKING_URI=server.uri)
        driver.expect(0)
        if f"MLflow at {server.uri} cannot be used" not in driver.log.read_text():
            raise PromiseError(f"the command did not say that MLflow is down ({driver.log})")
        server.start()
        again = scene.start(MLFLOW_TRACKING_URI=server.uri)
        injection = scene.record(since=again.started)
        again.expect(0)
        injection.recovered_at = time.monotonic()


class MlflowKilled(Drill):
    """SIGKILL the MLflow server while curves are being written, twice.

    The first time it is started again on the same database while the suite goes on (cells that
    train stand still until it answers); the second time it stays dead until the command has ended,
    and the same command is given again. Training should not stop, and no point of a curve should
    be missing or there twice.
    """

    fault = "MLflow killed in mid-write"

    def tracking_uri(self, scene: Scene) -> str:
        """Return the server's own database."""
        return store(scene)

    def disturb(self, scene: Scene) -> None:
        """Kill and start, kill, let the command end, start, repeat the command."""
        server = Server(scene)
        server.start()
        driver = scene.start(MLFLOW_TRACKING_URI=server.uri)
        self._kill_in_mid_write(scene, server)
        injection = scene.record()
        scene.wait(lambda: _is_missed(scene), "a cell says that MLflow is away")
        with scene.standing_still():
            server.start()
        points = server.points()
        scene.wait(lambda: server.points() > points, "MLflow is written to again")
        injection.recovered_at = time.monotonic()
        self._kill_in_mid_write(scene, server)
        driver.expect(0)
        server.start()
        again = scene.start(MLFLOW_TRACKING_URI=server.uri)
        injection = scene.record(since=again.started)
        again.expect(0)
        injection.recovered_at = time.monotonic()

    def _kill_in_mid_write(self, scene: Scene, server: Server) -> None:
        points = server.points()
        scene.wait(lambda: server.points() > points, "a curve is being written")
        server.kill()


def _is_missed(scene: Scene) -> bool:
    logs = scene.temporary.glob("ray/session_2*/logs/worker-*.err")
    return any("cannot be used" in path.read_text(errors="replace") for path in logs)
