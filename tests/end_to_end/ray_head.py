"""A real Ray head in processes of its own, and jobs submitted to it as users submit them."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from ray.job_submission import JobStatus, JobSubmissionClient

from assay.cluster.drills.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90
OVER = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED)


@dataclass(frozen=True)
class Head:
    """A running head and the way to its dashboard."""

    url: str
    token: str

    def run(self, entrypoint: str, seconds: float) -> tuple[JobStatus, str]:
        """Submit a job from the repository, wait for its end, return its status and log."""
        client = self._client()
        job = client.submit_job(entrypoint=entrypoint, runtime_env={"working_dir": str(ROOT)})
        deadline = time.monotonic() + seconds
        while (status := client.get_job_status(job)) not in OVER:
            if time.monotonic() > deadline:
                client.stop_job(job)
                log = client.get_job_logs(job)
                raise TimeoutError(f"{entrypoint}: not over after {seconds} s\n{log}")
            time.sleep(0.5)
        return status, client.get_job_logs(job)

    def _client(self) -> JobSubmissionClient:
        return JobSubmissionClient(self.url, headers={"Authorization": f"Bearer {self.token}"})


@contextlib.contextmanager
def ray_head(cpus: int, environment: Mapping[str, str]) -> Iterator[Head]:
    """Start a head with token authentication on free ports; end it, and nothing else, after."""
    token = secrets.token_hex(32)
    # Ray puts sockets below its folder, whose names may have 107 bytes: pytest's are too long.
    folder = Path(tempfile.mkdtemp(prefix="assay-"))
    (folder / "token").write_text(token)
    (folder / "token").chmod(0o600)
    gcs, dashboard, *others = free_ports(6)
    names = (
        "--ray-client-server-port", "--dashboard-agent-listen-port",
        "--dashboard-agent-grpc-port", "--metrics-export-port",
    )  # fmt: skip
    command = [
        sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block",
        f"--port={gcs}", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}",
        f"--num-cpus={cpus}", f"--temp-dir={folder}", "--object-store-memory=100000000",
        *(f"{name}={port}" for name, port in zip(names, others, strict=True)),
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(folder / "token", environment),
            start_new_session=True,
        )
        try:
            head = Head(f"http://127.0.0.1:{dashboard}", token)
            _wait_for(head, process, folder / "log")
            yield head
        finally:
            _end(process)
            shutil.rmtree(folder, ignore_errors=True)


def _environment(token_path: Path, more: Mapping[str, str]) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RAY_", "MLFLOW_", "ASSAY_"))
    }
    own = Path(sys.executable).parent
    return {
        **inherited,
        "PATH": f"{own}{os.pathsep}{inherited.get('PATH', '')}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_path),
        "RAY_USAGE_STATS_ENABLED": "0",
        **more,
    }


def _wait_for(head: Head, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            head._client().list_jobs()
            return
        except (ConnectionError, RuntimeError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Ray did not start:\n{log.read_text()}") from error
        time.sleep(0.5)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the head and everything that it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        for each in (*family, psutil.Process(process.pid)):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(family, timeout=10)
    process.wait(10)
