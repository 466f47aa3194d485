"""Ray, connected to or started here: dashboard on, on 127.0.0.1, token authentication on."""

import contextlib
import json
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import ray
from ray.exceptions import AuthenticationError, RaySystemError
from ray.tune.execution import class_cache

from assay.cluster import token_file
from assay.errors import MachineError
from assay.redact import scrubbed, without_secrets

LOCALHOST = "127.0.0.1"
OBJECT_STORE_BYTES = 256 * 1024**2  # cells exchange files, not objects
QUIET = {"log_to_driver": False, "logging_level": logging.ERROR}
FAREWELL_SECONDS = 0.5  # a cluster ends a driver's workers just after it has left
JOB_CONFIG = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # the variable's name really is this


@contextlib.contextmanager
def connect(dashboard_port: int | None = None) -> Iterator[str]:
    """Connect to the cluster of this job or of `RAY_ADDRESS`; without one, start Ray here.

    Yields:
        A sentence about the cluster and its dashboard.

    Raises:
        MachineError: no connection, no start, or `dashboard_port` is in use.
    """
    address = os.environ.get("RAY_ADDRESS") or None
    shown = without_secrets(address or "")
    forward_no_secrets()
    try:
        context = _start_here(dashboard_port) if address is None else _join(address)
    except (OSError, RuntimeError, ValueError, RaySystemError, AuthenticationError) as error:
        where = f"the cluster at {shown} cannot be used" if address else "Ray did not start"
        what = " ".join(scrubbed(str(error), address or "").split())[:400]
        raise MachineError(f"{where}: {what}; `ray status` shows what runs") from error
    try:
        what = f"the cluster at {shown}" if address else "Ray on this machine"
        total: dict[str, Any] = ray.cluster_resources()
        gpus = f", {total['GPU']:g} GPUs" if total.get("GPU") else ""
        url = context.dashboard_url
        yield f"{what}: {total.get('CPU', 0):g} CPUs{gpus}; dashboard http://{url}"
    finally:
        ray.shutdown()
        if address:
            time.sleep(FAREWELL_SECONDS)


def job_id() -> str | None:
    """Return the id of the submitted job (`raysubmit_…`) that this driver is, if it is one."""
    metadata = json.loads(os.environ.get(JOB_CONFIG) or "{}").get("metadata") or {}
    return metadata.get("job_submission_id")


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Make `ray job stop` (SIGTERM) end this driver as Ctrl-C does: by KeyboardInterrupt."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    old = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a few closing seconds pass without a second Ctrl-C cutting them short."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    old = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _join(address: str) -> Any:
    return ray.init(address=address, **QUIET)


def _start_here(dashboard_port: int | None) -> Any:
    if dashboard_port is not None:
        require_free_port(dashboard_port)
    if os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        print(  # noqa: T201
            "RAY_AUTH_MODE turns Ray's token authentication off: anyone who reaches its ports "
            "can run code here.",
            file=sys.stderr,
        )
    ensure_token()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    return ray.init(
        address="local",
        include_dashboard=True,
        dashboard_host=LOCALHOST,
        dashboard_port=dashboard_port,
        object_store_memory=OBJECT_STORE_BYTES,
        **QUIET,
    )


def forward_no_secrets() -> None:
    """Keep Tune from copying the driver's AWS keys into its actors' runtime environments.

    Ray writes those to its logs and shows them on the dashboard. A worker has the keys of its own
    node: from its environment, a mounted secret, or the machine's role.
    """
    names = {name for name in class_cache.ENV_VARS_TO_PROPAGATE if name.startswith("AWS_")}
    class_cache.ENV_VARS_TO_PROPAGATE.difference_update(names)


def ensure_token() -> None:
    """Make Ray's authentication token, readable by its owner alone, unless there is one.

    Ray itself turns token authentication on for a cluster that it starts, and reads the token
    from `RAY_AUTH_TOKEN`, `RAY_AUTH_TOKEN_PATH` or this file. Ray's own command writes it so that
    every user of the machine can read it; such a file of ours is closed, and said to have been
    open. A folder that others may not enter closes it as well.

    Raises:
        MachineError: the file belongs to another user, or is open and cannot be closed.
    """
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    path = token_file.default_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        _close_token(path)
        return
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32))


def _close_token(path: Path) -> None:
    found = path.stat()
    if token_file.belongs_to_another(found):
        raise MachineError(
            f"{path}: Ray's token belongs to user {found.st_uid}, not to you, who could use it: "
            "give your own in RAY_AUTH_TOKEN_PATH"
        )
    if token_file.readable_by_others(path, found):
        try:
            path.chmod(0o600)
        except OSError as error:
            raise MachineError(
                f"{path}: Ray's token can be read by other users, and cannot be closed "
                f"({error.strerror}): give your own in RAY_AUTH_TOKEN_PATH"
            ) from error
        print(  # noqa: T201
            f"{path}: Ray's token could be read by other users; now it is yours alone. Where "
            f"others use this machine, delete it, and a new one is made.",
            file=sys.stderr,
        )


def require_free_port(port: int) -> None:
    """See that nothing listens on `port` of this machine.

    Raises:
        MachineError: something does.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError as error:
            raise MachineError(
                f"port {port} on {LOCALHOST} cannot be used ({error.strerror}): give another "
                "--dashboard-port, or set RAY_ADDRESS to use the Ray that runs there"
            ) from error
