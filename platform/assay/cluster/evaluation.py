"""Evaluations as Ray tasks of their own, beside the trials that train."""

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray.exceptions import RayError

from assay.cell import Cell
from assay.cluster.orders import Orders
from assay.cluster.progress import Board
from assay.cluster.trial import failure_row, read_sent, recorder_of
from assay.config import canonical_json
from assay.result import FailureKind
from assay.runner import Manner, cell_directory, evaluate_cell

OnFailure = Callable[[str, str, FailureKind], None]
"""`on_failure(cell key, reason, kind)`."""
TRIES = 3
"""How often an evaluation is begun whose process dies, of whatever, before it is given up."""


class Evaluations:
    """The evaluations of a suite: begun as cells are trained, collected as they end."""

    def __init__(
        self, cells: Mapping[str, Cell], orders: Orders, board: Board, on_failure: OnFailure
    ) -> None:
        self._cells, self._orders, self._board = cells, orders, board
        self._on_failure = on_failure
        self._running: dict[ray.ObjectRef, str] = {}
        self._begun: Counter[str] = Counter()

    def begin(self, key: str) -> None:
        """Evaluate a cell that is trained, as soon as the cluster has room."""
        if key in self._running.values():
            return  # its trial died after it had said so, and said so again
        asked = self._orders.evaluation
        assert asked is not None
        task = ray.remote(evaluate_trained).options(
            num_cpus=asked.cpus, num_gpus=asked.gpus, max_retries=0, name=f"evaluate {key}"
        )
        ref = task.remote(key, canonical_json(self._cells[key]), self._orders)
        self._running[ref] = key
        self._begun[key] += 1
        self._board.enter(key, "evaluate")

    def collect(self, seconds: float = 0.0) -> None:
        """Take in what has ended, waiting at most so long for the first."""
        if not self._running:
            return
        ended, _ = ray.wait(list(self._running), num_returns=1, timeout=seconds)
        for ref in ended:
            key = self._running.pop(ref)
            try:
                row: dict[str, Any] = ray.get(ref)
            except RayError as error:
                if self._begun[key] < TRIES:
                    self.begin(key)
                    continue
                what = str(error).strip().splitlines()[-1][:300]
                reason = f"its evaluation's process died ({what}); the same command tries again"
                row = {"phase": "failed", "reason": reason, "kind": "died"}
            self._board.report(key, row)
            if row["phase"] == "failed":
                self._on_failure(key, row["reason"], row["kind"])

    def finish(self) -> None:
        """Wait for all."""
        while self._running:
            self.collect(seconds=1.0)


def evaluate_trained(key: str, cell_json: str, orders: Orders) -> dict[str, Any]:
    """Evaluate one trained cell in this process; return the row that ends it."""
    os.environ.update(orders.environment)
    asked = orders.evaluation
    assert asked is not None
    changes = {"device": "cuda" if asked.gpus else "cpu", "threads": asked.cpus, "workers": 1}
    execution = orders.execution.model_copy(update={**changes, "sharding": "ddp"})
    try:
        cell = read_sent(key, cell_json)
        recorder = recorder_of(cell, orders)
        manner = Manner(math.inf)
        try:
            evaluate_cell(cell, execution, orders.storage, recorder.watch, manner=manner)
        finally:
            recorder.hand_over()
    except Exception as error:  # noqa: BLE001  one cell's fault never stops the others
        return failure_row(error, cell_directory(orders.storage, key))
    return {"phase": "done"}
