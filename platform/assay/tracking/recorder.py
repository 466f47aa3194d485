"""Follows one cell while it trains, in the process that trains it."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from assay.cell import Cell
from assay.runner import Report
from assay.tracking.curves import Curves
from assay.tracking.destination import Destination
from assay.tracking.guard import Guard
from assay.tracking.runs import Runs

FLUSH_SECONDS = 5.0


class Recorder:
    """Brings a cell's child run up to date with its files, beside the training.

    All work is done by one thread of its own: training waits for MLflow only at the very end. The
    child is opened at the first report, which is made under the cell's lock, so that two drivers
    with the same cell never make two.
    """

    def __init__(
        self, destination: Destination, cell: Cell, directory: Path, *, fresh: bool = False
    ) -> None:
        self._guard = Guard(destination)
        self._tags: Mapping[str, str] = destination.tags
        self._cell, self._directory, self._fresh = cell, directory, fresh
        self._curves = Curves(directory / "metrics.jsonl")
        self._rows: list[dict[str, Any]] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlflow")
        self._run_id: str | None = None
        self._monitor: SystemMetricsMonitor | None = None
        self._begun = self._ended = False
        self._next_flush = 0.0

    def watch(self, report: Report) -> None:
        """Take note of a report; returns at once, but for the last one, which ends the child.

        The last report, too, is made under the cell's lock: two drivers never write one child.
        """
        if report.phase == "waiting":
            return
        if report.phase == "done":
            self.complete()
        elif not self._begun:
            self._begun = True
            self._thread.submit(self._guard.do, self._begin)
        elif report.phase != "data" and time.monotonic() >= self._next_flush:
            self._next_flush = time.monotonic() + FLUSH_SECONDS
            self._thread.submit(self._guard.do, self._sync)

    def complete(self) -> None:
        """End the child as FINISHED, from the cell's result; wait until it is written."""
        if self._ended:
            return
        result, metrics = self._directory / "result.json", self._directory / "metrics.jsonl"
        self._end(lambda runs: runs.complete(result, metrics))

    def fail(self, reason: str) -> None:
        """End the child as FAILED; wait until it is written."""
        plain = self._cell.model_dump(mode="json")
        if self._begun:
            self._end(lambda runs: runs.fail(plain, self._cell.key, reason))
        else:
            self._thread.shutdown()

    def stop(self) -> None:
        """End the child as KILLED, with its curves so far: the cell may go on later."""

        def stop(runs: Runs) -> None:
            if self._run_id is not None:
                self._sync(runs)
                runs.stop(self._cell.key)

        self._end(stop)

    def hand_over(self) -> None:
        """Leave the child RUNNING for whoever carries on; wait until its curves are written."""
        if self._begun and not self._ended:
            self._end(self._sync)
        self._thread.shutdown()

    def _begin(self, runs: Runs) -> None:
        if self._fresh:
            runs.discard(self._cell.key)
        plain = self._cell.model_dump(mode="json")
        self._run_id = runs.begin(plain, self._cell.key, self._tags)
        self._monitor = SystemMetricsMonitor(
            self._run_id, resume_logging=True, tracking_uri=runs.destination.uri
        )
        self._monitor.start()

    def _sync(self, runs: Runs) -> None:
        if self._run_id is None:
            self._begin(runs)
        assert self._run_id is not None
        self._rows += self._curves.new()
        runs.log_rows(self._run_id, self._rows)
        self._rows.clear()

    def _end(self, action: Callable[[Runs], None]) -> None:
        self._ended = True

        def stop_and_end() -> None:
            if self._monitor is not None:
                self._monitor.finish()
            self._guard.do(action, insist=True)

        last = self._thread.submit(stop_and_end)
        self._thread.shutdown(wait=True)
        last.result()
