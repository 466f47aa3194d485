"""What a Tune trial does: one cell, from its JSON to its result, in this process."""

import json
import os
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ray import tune

from assay.cell import Cell
from assay.config import validate
from assay.errors import AssayError, MachineError, TrainingError
from assay.result import write_bytes
from assay.run import Report, cell_directory, run_cell
from assay.tracking import Destination, Recorder
from assay.training.loop import Execution

REPORT_SECONDS = 1.0


@dataclass(frozen=True)
class Orders:
    """What every trial of a suite is told beside its cell."""

    storage: Path
    execution: Execution
    destination: Destination
    fresh: bool
    environment: Mapping[str, str]
    """Variables of the driver that say where data is; a cluster's workers have their own."""


def run_trial(config: Mapping[str, Any], orders: Orders) -> None:
    """Run `config["cell"]` and report its progress; a fault of the cell is reported, not raised.

    A raised error would cost the actor, which the next cell reuses. Only a process that dies
    fails a trial for Tune, which then starts it anew; the cell resumes from its checkpoint.
    """
    os.environ.update(orders.environment)
    directory = cell_directory(orders.storage, config["key"])
    recorder: Recorder | None = None
    report = throttled(lambda row: tune.report(dict(row)))

    def watch(progress: Report) -> None:
        if recorder is not None:
            recorder.watch(progress)
        report(asdict(progress))

    try:
        cell = validate(Cell, json.loads(config["cell"]), f"cell {config['key']}")
        recorder = Recorder(orders.destination, cell, directory, fresh=orders.fresh)
        if cell.key != config["key"]:
            raise MachineError(
                f"cell {config['key']} has the key {cell.key} on this node: the installed assay "
                "differs from the driver's; install the same version wherever Ray runs"
            )
        run_cell(cell, orders.execution, orders.storage, watch, fresh=orders.fresh)
        recorder.complete()
    except Exception as error:  # noqa: BLE001  one cell's fault never stops the others
        reason = explain(error, directory)
        if recorder is not None:
            recorder.fail(reason)
        tune.report({"phase": "failed", "reason": reason, "kind": kind_of(error)})


def explain(error: Exception, directory: Path) -> str:
    """Return the reason as one sentence; of an unforeseen error the traceback is kept in a file."""
    if isinstance(error, AssayError):
        return str(error)
    path = directory / "traceback.txt"
    write_bytes(path, "".join(traceback.format_exception(error)).encode())
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]} (see {path})"


def kind_of(error: Exception) -> Literal["error", "not_finite"]:
    """Return the kind of failure that a result folder records."""
    return "not_finite" if isinstance(error, TrainingError) else "error"


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
