"""Where a drill takes place: a run store, the processes that work on it, and what is seen of them.

Every process of a scene has the scene's name in its environment or is their descendant; nothing
else on the machine is ever signalled.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil
import yaml

from assay import attempts
from assay.cell import Cell
from assay.cluster.drills import suite as drill_suite
from assay.errors import AssayError, MachineError
from assay.result import read_metrics
from assay.runner import cell_directory
from assay.store import sets

MARK = "ASSAY_DRILL"
PATIENCE_SECONDS = 600.0
POLL_SECONDS = 0.02


class PromiseError(AssayError):
    """Something that should have happened did not; part of the verdict."""


class NotPossibleError(MachineError):
    """A drill that this machine cannot do."""


@dataclass
class Injection:
    """One fault: which cell it hit, how far that was, and when it was past that step again."""

    key: str | None
    step: int
    pid: int | None
    """Of the process that trained the cell, which may outlive its driver for a moment."""
    at: float
    recovered_at: float | None = None

    @property
    def recovery_seconds(self) -> float | None:
        """Seconds between the two, if it recovered."""
        return None if self.recovered_at is None else self.recovered_at - self.at


class Driver:
    """A running command on the scene's suite, its output in a file."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        self.started = time.monotonic()
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
            )

    def kill(self) -> None:
        """Send SIGKILL to the command's own process, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Wait for the command's end and return its exit code.

        Raises:
            PromiseError: it did not end in time.
        """
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise PromiseError(f"the command did not end in {seconds:g} s ({self.log})") from error

    def expect(self, *codes: int) -> None:
        """Wait for the command's end and see that its exit code is one of `codes`.

        Raises:
            PromiseError: it is another, or the command did not end in time.
        """
        code = self.wait()
        if code not in codes:
            tail = self.log.read_text(errors="replace")[-2000:]
            wanted = " or ".join(map(str, codes))
            raise PromiseError(
                f"the command ended with exit code {code}, not {wanted} ({self.log}):\n{tail}"
            )


@dataclass
class Scene:
    """A run store that is being disturbed."""

    folder: Path
    cells: tuple[Cell, ...]
    storage: Path
    environment: dict[str, str]
    temporary: Path
    """Of Ray: its sockets need a short path."""
    injections: list[Injection] = field(default_factory=list)
    first_results: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Inode and time of each cell's result file when it was first seen."""
    remark: str = ""
    drivers: list[Driver] = field(default_factory=list)

    @classmethod
    @contextlib.contextmanager
    def opened(cls, folder: Path, rules: tuple[dict, ...]) -> Iterator[Self]:
        """Yield a scene in `folder`; at the end none of its processes is left.

        Raises:
            NotPossibleError: this is not Linux, whose /proc tells who trains a cell.
        """
        if not sys.platform.startswith("linux"):
            raise NotPossibleError("drills need Linux: they find the process of a cell in /proc")
        folder.mkdir(parents=True, exist_ok=True)
        cells = drill_suite.suite(rules).cells(sets.prepare("mini").digest)
        (folder / "suite.yaml").write_text(yaml.safe_dump(drill_suite.page(rules)))
        temporary = Path(tempfile.mkdtemp(prefix="assay-drill-"))
        scene = cls(folder, cells, folder / "runs", _environment(temporary), temporary)
        over = threading.Event()
        witness = threading.Thread(target=scene._witness, args=(over,), daemon=True)
        witness.start()
        try:
            yield scene
        finally:
            over.set()
            witness.join()
            scene.end_processes()
            shutil.rmtree(temporary, ignore_errors=True)

    def start(self, *arguments: str, **variables: str) -> Driver:
        """Give the command; every call is the same command again."""
        command = [
            sys.executable, "-m", "assay.cluster.drills.driver",
            "--suite", str(self.folder / "suite.yaml"), "--storage", str(self.storage), *arguments,
        ]  # fmt: skip
        log = self.folder / f"command-{len(self.drivers) + 1}.log"
        self.drivers.append(Driver(command, log, self.environment | variables))
        return self.drivers[-1]

    @property
    def tracking_uri(self) -> str:
        """Where MLflow is, unless a drill has a server."""
        return f"sqlite:///{self.storage.absolute()}/mlflow.db"

    def key(self, label: str) -> str:
        """Return the key of a cell."""
        return next(cell.key for cell in self.cells if cell.label == label)

    def directory(self, key: str) -> Path:
        """Return the folder of a cell."""
        return cell_directory(self.storage, key)

    def step(self, key: str) -> int:
        """Return the step of the last row of a cell's curves; 0 before the first."""
        with contextlib.suppress(FileNotFoundError, IndexError):
            return int(read_metrics(self.directory(key) / "metrics.jsonl")[-1]["step"])
        return 0

    def is_finished(self, key: str) -> bool:
        """Say whether a cell has a result."""
        return (self.directory(key) / "result.json").exists()

    def starts(self, key: str) -> list[int]:
        """Return the process of every start of a cell, oldest first."""
        return [line["pid"] for line in attempts.read(self.directory(key))]

    def checkpoints(self, key: str) -> list[Path]:
        """Return a cell's whole checkpoints, the newest first."""
        return sorted((self.directory(key) / "checkpoints").glob("step-*"), reverse=True)

    def trainer(self, key: str) -> psutil.Process | None:
        """Return the process that holds a cell's lock, and so trains it; None if nobody does."""
        with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess):
            inode = self.directory(key).with_suffix(".lock").stat().st_ino
            for line in Path("/proc/locks").read_text().splitlines():
                fields = line.split()
                if fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
                    return psutil.Process(int(fields[4]))
        return None

    def wait(
        self, condition: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Wait until `condition()` is true.

        Raises:
            PromiseError: it was not in time, or the last command ended meanwhile.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise PromiseError(f"not within {seconds:g} s: {what} ({self.drivers[-1].log})")
            ended = self.drivers[-1].process.poll()
            if ended is not None and not condition():
                tail = self.drivers[-1].log.read_text(errors="replace")[-2000:]
                raise PromiseError(f"the command ended with {ended} before {what}:\n{tail}")
            time.sleep(POLL_SECONDS)

    def wait_for_a_training_cell(
        self, after: float = 0.2, before: float = 0.7, unlike: Sequence[str] = ()
    ) -> tuple[str, psutil.Process]:
        """Wait until a cell is between two fractions of its budget; return its key and process."""
        found: list[tuple[str, psutil.Process]] = []

        def look() -> bool:
            for cell in self.cells:
                total = cell.budget.amount / cell.training.batch_size
                if (
                    cell.key not in unlike
                    and after <= self.step(cell.key) / total <= before
                    and not self.is_finished(cell.key)
                    and (process := self.trainer(cell.key)) is not None
                ):
                    found.append((cell.key, process))
                    return True
            return False

        self.wait(look, "a cell is in the middle of its training")
        return found[0]

    def record(
        self, key: str | None = None, *, pid: int | None = None, since: float | None = None
    ) -> Injection:
        """Note a fault that has just been injected.

        Args:
            key: The cell that was hit, if it was one.
            pid: The process that trained it.
            since: When recovery starts to count; now by default.
        """
        step = self.step(key) if key else 0
        self.injections.append(Injection(key, step, pid, since or time.monotonic()))
        return self.injections[-1]

    def wait_for_recovery(self, injection: Injection) -> None:
        """Wait until another process has the cell that was hit past the step it had reached."""
        key = injection.key
        assert key is not None

        def is_past() -> bool:
            process = self.trainer(key)
            if process is None or process.pid == injection.pid:
                return self.is_finished(key)
            return self.step(key) > injection.step

        self.wait(is_past, f"cell {key} is past step {injection.step} again")
        injection.recovered_at = time.monotonic()

    def kill_trainer(self, key: str) -> Injection:
        """SIGKILL the process that trains a cell."""
        process = self.trainer(key)
        if process is None:
            raise PromiseError(f"nobody trains cell {key}")
        at = time.monotonic()
        process.kill()
        with contextlib.suppress(psutil.NoSuchProcess):
            process.wait(10)
        return self.record(key, pid=process.pid, since=at)

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Suspend every process that trains a cell."""
        trainers = [process for cell in self.cells if (process := self.trainer(cell.key))]
        for process in trainers:
            process.suspend()
        try:
            yield
        finally:
            for process in trainers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def processes(self) -> list[psutil.Process]:
        """Return every living process of the scene."""
        mark, found = self.environment[MARK], []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                    found += [process, *process.children(recursive=True)]
        return list(dict.fromkeys(found))

    def end_processes(self) -> None:
        """Kill every process of the scene."""
        left = self.processes()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=10)
        for driver in self.drivers:
            driver.process.wait(10)

    def _witness(self, over: threading.Event) -> None:
        while not over.wait(POLL_SECONDS):
            for cell in self.cells:
                with contextlib.suppress(OSError):
                    seen = (self.directory(cell.key) / "result.json").stat()
                    self.first_results.setdefault(cell.key, (seen.st_ino, seen.st_mtime_ns))


def _environment(temporary: Path) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RAY_", "MLFLOW_")) and name != "ASSAY_RUNS"
    }
    return {
        **inherited,
        MARK: secrets.token_hex(8),
        "RAY_TMPDIR": str(temporary),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # Ray's 15 starves the cells on a busy machine
        "PYTHONFAULTHANDLER": "1",
    }
