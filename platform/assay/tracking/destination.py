"""Where the runs of a suite go, and the settings under which MLflow is used."""

import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

from assay.redact import without_secrets


@dataclass(frozen=True)
class Destination:
    """A place in MLflow, as plain data: it travels to the workers."""

    uri: str = field(repr=False)
    """May hold a password: it is in no text that is made of this."""
    artifacts: str | None
    """Artifact root of a new experiment; None leaves it to the MLflow server."""
    suite: str
    title: str
    owner: str
    """The driver that answers for RUNNING runs: `host:pid:start`."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """On every child that runs now, such as the Ray job."""

    @classmethod
    def of(
        cls, storage: Path, suite: str, title: str, tags: Mapping[str, str] | None = None
    ) -> Self:
        """Return where a suite of the run store `storage` is tracked.

        `MLFLOW_TRACKING_URI` decides; without it, it is `<storage>/mlflow.db` (SQLite) with the
        artifacts in `<storage>/mlartifacts`.
        """
        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{storage.absolute()}/mlflow.db"
        local = not uri.startswith("http")
        artifacts = (storage.absolute() / "mlartifacts" / suite).as_uri() if local else None
        return cls(uri, artifacts, suite, title, this_process(), dict(tags or {}))

    @property
    def shown(self) -> str:
        """The URI without user and password, for people and logs."""
        return without_secrets(self.uri)

    @property
    def how_to_open(self) -> str:
        """What a person types or visits to see the runs."""
        if self.uri.startswith("http"):
            return self.shown
        return f"mlflow ui --backend-store-uri {self.shown}"


def this_process() -> str:
    """Return a name for this process that no other one has: `host:pid:start`."""
    process = psutil.Process()
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"


def may_be_alive(owner: str) -> bool:
    """Say whether the process called `owner` may still run; of other hosts nothing is known."""
    host, _, rest = owner.partition(":")
    pid, _, start = rest.partition(":")
    if host != socket.gethostname():
        return True
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" == start
    except (psutil.Error, ValueError):
        return False


def settle_environment() -> None:
    """Set what MLflow reads from the environment, before a client is made.

    No pickle is read; a stray `MLFLOW_RUN_ID` does not capture our runs; a server that does not
    answer is given up after seconds, since the files hold everything.
    """
    os.environ.pop("MLFLOW_RUN_ID", None)
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # it may hold a password
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
