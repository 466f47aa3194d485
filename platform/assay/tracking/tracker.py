"""The driver's tracker: the suite's run, cells that need no trial, and a tidy end."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from assay.run import cell_directory
from assay.tracking.destination import Destination
from assay.tracking.guard import Guard
from assay.tracking.runs import Ending, Runs, file_digest


class Tracker:
    """What the driver of a suite tells MLflow; like all tracking, it never stops the suite."""

    def __init__(self, destination: Destination, storage: Path) -> None:
        self._guard = Guard(destination)
        self._storage = storage
        self._begun = False

    def begin(self) -> None:
        """Find or create the experiment and the suite's run."""
        self._begun = True
        self._guard.do(lambda runs: runs.begin_suite())

    def mirror(self, keys: Iterable[str]) -> None:
        """Make the children of finished cells whole, from the cells' files."""
        whole = self._guard.do(lambda runs: runs.whole_children(), insist=True)
        if whole is None:
            return
        for key in keys:
            directory = cell_directory(self._storage, key)
            result, metrics = directory / "result.json", directory / "metrics.jsonl"
            if whole.get(key) != file_digest(result):
                complete = partial(Runs.complete, result_path=result, metrics_path=metrics)
                self._guard.do(complete)

    def fail(self, cell: Mapping[str, Any], key: str, reason: str) -> None:
        """End the child of a cell that failed."""
        self._guard.do(lambda runs: runs.fail(cell, key, reason))

    def end(self, status: Ending) -> None:
        """End the suite's run, if it was begun, and leave no child RUNNING that nobody runs."""
        if not self._begun:
            return
        self._guard.do(lambda runs: runs.reconcile(self._storage / "cells"), insist=True)
        self._guard.do(lambda runs: runs.end_suite(status))
