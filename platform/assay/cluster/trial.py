"""What a Tune trial does: one cell, from its JSON to its result, here or with several workers."""

import json
import math
import os
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ray import tune

from assay import attempts
from assay.cell import Cell
from assay.cluster.drain import node_is_drained
from assay.cluster.orders import Orders
from assay.cluster.stream import through_ray_data
from assay.cluster.workers import train_together
from assay.config import validate
from assay.errors import (
    AssayError,
    MachineError,
    MemoryShortageError,
    NoProgressError,
    TrainingError,
)
from assay.result import FailureKind, write_bytes
from assay.runner import Manner, Report, Watch, cell_directory, run_cell, train_until
from assay.tracking import Recorder
from assay.training.execution import is_out_of_memory

REPORT_SECONDS = 1.0


def run_trial(key: str, plain: str, orders: Orders) -> None:
    """Run a cell, sent as JSON, and report its progress; its faults are reported, not raised.

    A raised error would cost the actor, which the next cell reuses. Only a process that dies
    fails a trial for Tune, which then starts it anew; the cell resumes from its checkpoint.
    """
    os.environ.update(orders.environment)
    directory = cell_directory(orders.storage, key)
    report = throttled(lambda row: tune.report(dict(row)))
    try:
        cell = read_sent(key, plain)
        if orders.resources.most_workers > 1:
            train_together(cell, orders)
        else:
            _run_alone(cell, orders, lambda progress: report(asdict(progress)))
        if orders.evaluation is not None:
            tune.report({"phase": "trained"})
    except Exception as error:  # noqa: BLE001  one cell's fault never stops the others
        tune.report(failure_row(error, directory))


def read_sent(key: str, plain: str) -> Cell:
    """Return the cell that the driver sent as JSON.

    Raises:
        MachineError: it is another cell for the assay that is installed on this node.
    """
    cell = validate(Cell, json.loads(plain), f"cell {key}")
    if cell.key != key:
        raise MachineError(
            f"cell {key} has the key {cell.key} on this node: the installed assay differs from "
            "the driver's; install the same version wherever Ray runs"
        )
    return cell


def _run_alone(cell: Cell, orders: Orders, report: Watch) -> None:
    recorder = recorder_of(cell, orders)

    def watch(progress: Report) -> None:
        recorder.watch(progress)
        report(progress)

    manner = Manner(math.inf, orders.series, node_is_drained())
    try:
        with through_ray_data():
            if orders.evaluation is None:
                run_cell(cell, orders.execution, orders.storage, watch, manner=manner)
            else:
                train_until(cell, orders.execution, orders.storage, watch, 1.0, manner=manner)
    finally:
        recorder.hand_over()


def recorder_of(cell: Cell, orders: Orders) -> Recorder:
    """Return what brings the cell's MLflow run up to date; after `--fresh` it begins a new one."""
    directory = cell_directory(orders.storage, cell.key)
    fresh = orders.fresh and not attempts.read(directory)
    return Recorder(orders.destination, cell, directory, fresh=fresh)


def failure_row(error: Exception, directory: Path) -> dict[str, str]:
    """Return what is reported of a cell that failed."""
    return {"phase": "failed", "reason": explain(error, directory), "kind": kind_of(error)}


def explain(error: Exception, directory: Path) -> str:
    """Return the reason as one sentence; of an unforeseen error the traceback is kept in a file."""
    if isinstance(error, AssayError):
        return str(error)
    path, reason = directory / "traceback.txt", f"{type(error).__name__}: "
    reason += " ".join(str(error).split())[:300]
    try:
        write_bytes(path, "".join(traceback.format_exception(error)).encode())
    except MachineError:  # a full disk may be why
        return reason
    return f"{reason} (see {path})"


def kind_of(error: Exception) -> FailureKind:
    """Return the kind of failure that a result folder records."""
    kinds: dict[type[Exception], FailureKind] = {
        TrainingError: "not_finite",
        MemoryShortageError: "memory",
        NoProgressError: "died",
    }
    for cls, kind in kinds.items():
        if isinstance(error, cls):
            return kind
    return "memory" if is_out_of_memory(error) else "error"


def throttled(
    send: Callable[[Mapping[str, Any]], None], clock: Callable[[], float] = time.monotonic
) -> Callable[[Mapping[str, Any]], None]:
    """Return `send`, heard at every change of phase and else at most once a second."""
    last: dict[str, Any] = {"phase": None, "at": 0.0}

    def maybe_send(row: Mapping[str, Any]) -> None:
        if row["phase"] != last["phase"] or clock() - last["at"] >= REPORT_SECONDS:
            last.update(phase=row["phase"], at=clock())
            send(row)

    return maybe_send
