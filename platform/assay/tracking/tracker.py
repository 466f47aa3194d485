"""The driver's tracker: the suite's run, cells that need no trial, and a tidy end."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from filelock import FileLock
from mlflow.entities import Run

from assay.runner import cell_directory
from assay.tracking.destination import Destination
from assay.tracking.guard import Guard
from assay.tracking.runs import Ending, Runs, file_digest


class Tracker:
    """What the driver of a suite tells MLflow; like all tracking, it never stops the suite."""

    def __init__(self, destination: Destination, storage: Path) -> None:
        self._guard = Guard(destination)
        self._storage = storage
        self._begun = self._owns_suite = False

    def begin(self) -> None:
        """Find or create the experiment and the suite's run, which is this driver's from now on."""

        def begin_suite(runs: Runs) -> Run:
            # Two drivers that search and then create at the same time would make two.
            with FileLock(self._storage / "mlflow.lock"):
                return runs.begin_suite()

        self._begun = True
        self._owns_suite = self._guard.do(begin_suite) is not None

    def mirror(
        self,
        keys: Iterable[str],
        tags: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        """Make the children of finished cells whole, from the cells' files.

        Args:
            keys: Of the cells.
            tags: By key, what a child has beside what every cell's has.
        """
        whole = self._guard.do(lambda runs: runs.whole_children(), insist=True)
        if whole is None:
            return
        for key in keys:
            directory = cell_directory(self._storage, key)
            result, metrics = directory / "result.json", directory / "metrics.jsonl"
            if whole.get(key) != file_digest(result):
                complete = partial(
                    Runs.complete,
                    result_path=result,
                    metrics_path=metrics,
                    tags=tags.get(key, {}),
                )
                self._guard.do(complete)

    def fail(self, cell: Mapping[str, Any], key: str, reason: str) -> None:
        """End the child of a cell that failed."""
        self._guard.do(lambda runs: runs.fail(cell, key, reason), insist=True)

    def stop(self, key: str, reason: str) -> None:
        """End the child of a cell that was stopped before its end, with the reason as a tag."""
        self._guard.do(lambda runs: runs.stop(key, reason))

    def end(self, status: Ending) -> None:
        """End the suite's run, if it was begun, and leave no child RUNNING that nobody runs.

        The views of the suite are written, too.
        """
        if not self._begun:
            return
        self._guard.do(lambda runs: runs.reconcile(self._storage / "cells"), insist=True)
        if not self._owns_suite:  # MLflow was down at the beginning
            self.begin()
        self._guard.do(lambda runs: runs.end_suite(status))
        self._guard.do(lambda runs: runs.save_views(self._storage / "cells"))
