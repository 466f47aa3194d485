"""One cell from its definition to its result, here: no Ray, no MLflow.

The run store is the state: a finished cell is reused, an interrupted one carries on from its
newest checkpoint, and a cell whose protocol has changed is evaluated again from its last one.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from assay import catalog
from assay.cell import Cell
from assay.config import apply_overrides, load_yaml, validate
from assay.errors import ConfigError, MachineError
from assay.provenance import provenance, settle
from assay.result import Cost, Result, read_result, write_json
from assay.store import sets
from assay.task import Task
from assay.training.loop import Execution, Row, Training
from assay.training.meter import peak_memory_bytes, start_peak_memory

Phase = Literal["data", "train", "evaluate", "done"]


@dataclass(frozen=True)
class Report:
    """How far a cell has come, for whoever watches: a table, Tune, MLflow."""

    cell_key: str
    phase: Phase
    fraction: float
    """Of the phase."""
    step: int = 0
    samples: int = 0
    flops: float = 0.0
    seconds: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    """The newest row of metrics.jsonl, if this report is about one."""


Watch = Callable[[Report], None]


def read_cell(path: Path, overrides: tuple[str, ...] = ()) -> Cell:
    """Read a cell's YAML; a data digest that is left out is that of the prepared set.

    Raises:
        ConfigError: a key or a value is wrong.
        DataError: the data set cannot be prepared.
    """
    data = apply_overrides(load_yaml(path), overrides)
    named = data.get("data")
    if isinstance(named, dict) and "name" in named and "digest" not in named:
        named["digest"] = sets.prepare(str(named["name"])).digest
    return validate(Cell, data, str(path))


def cell_directory(storage: Path, key: str) -> Path:
    """Return the folder of a cell in the run store."""
    return storage / "cells" / key


def finished(storage: Path, key: str) -> Result | None:
    """Return a cell's result if it is there and its protocol is the present one.

    Raises:
        DataError: a result file is there but does not verify.
    """
    path = cell_directory(storage, key) / "result.json"
    if not path.exists():
        return None
    result = read_result(path)
    current = catalog.family(result.cell["family"]).protocol
    return result if result.provenance.protocol == current else None


def run_cell(
    cell: Cell, execution: Execution, storage: Path, watch: Watch, *, fresh: bool = False
) -> Result:
    """Run a cell to its result, or return the one that is there.

    Args:
        cell: What to run.
        execution: How to run it.
        storage: The run store.
        watch: Called at every row of the log and every step of the evaluation.
        fresh: Compute again; what was there is kept under `<key>.<time>`.

    Raises:
        AssayError: any fault that a user can mend; another process that runs the cell is one.
    """
    settle()
    _require_its_hardware(cell, execution)
    directory = cell_directory(storage, cell.key)
    lock = FileLock(directory.with_suffix(".lock"))
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with lock.acquire(timeout=0):
            if fresh and directory.exists():
                stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
                directory.rename(directory.with_name(f"{cell.key}.{stamp}"))
            result = finished(storage, cell.key)
            if result is None:
                result = _compute(cell, execution, directory, watch)
            watch(Report(cell.key, "done", 1.0, result.cost.steps, result.cost.samples))
            return result
    except OSError as error:
        if isinstance(error, Timeout):
            raise _busy(cell, lock) from error
        raise MachineError(
            f"{directory}: cannot be written ({error.strerror or error}); free some space, or "
            "choose another --storage; the same command carries on"
        ) from error


def _busy(cell: Cell, lock: FileLock) -> MachineError:
    return MachineError(
        f"cell {cell.key} ({cell.label}) is being run by another process "
        f"(lock {lock.lock_file}): wait for it, or use another --storage"
    )


def _require_its_hardware(cell: Cell, execution: Execution) -> None:
    """Refuse to spend a budget in seconds on other hardware than the key names."""
    if cell.hardware is None:
        return
    named = (cell.hardware.device, cell.hardware.threads)
    if named != (execution.device, execution.threads):
        raise ConfigError(
            f"cell {cell.key} ({cell.label}): its seconds are those of {named[0]}, {named[1]} "
            f"threads a cell; {execution.device}, {execution.threads} cannot spend them"
        )


def _compute(cell: Cell, execution: Execution, directory: Path, watch: Watch) -> Result:
    write_json(directory / "cell.json", cell)
    (directory / "failure.json").unlink(missing_ok=True)
    watch(Report(cell.key, "data", 0.0))
    packed = sets.prepare(cell.data.name)
    sets.require_digest(packed, cell.data.digest)
    task: Task = catalog.family(cell.family)(cell)
    data = task.data()

    def on_row(row: Row) -> None:
        spent = row.meter
        watch(
            Report(
                cell.key, "train", row.fraction, spent.step, spent.samples, spent.flops,
                spent.seconds, row.metrics,
            )
        )  # fmt: skip

    training = Training(task, cell, data, execution, directory, on_row)
    start_peak_memory(training.device)
    model = training.run()
    spent = training.meter

    def on_evaluation(phase: str, fraction: float) -> None:
        watch(
            Report(
                cell.key, "evaluate", fraction, spent.step, spent.samples, spent.flops,
                spent.seconds,
            )
        )  # fmt: skip

    started = time.monotonic()
    estimates = task.evaluate(model, data, on_evaluation)
    cost = Cost(
        parameters=training.parameters,
        steps=spent.step,
        samples=spent.samples,
        flops=spent.flops,
        training_seconds=spent.seconds,
        evaluation_seconds=time.monotonic() - started,
        peak_memory_bytes=peak_memory_bytes(training.device),
    )
    task.artifacts(model, data, directory / "artifacts")
    result = Result(
        cell=json.loads(cell.model_dump_json()),
        estimates=estimates,
        cost=cost,
        provenance=provenance(
            cell_key=cell.key,
            protocol=task.protocol,
            device=_device_name(execution),
            threads=execution.threads,
            accumulation=execution.accumulation,
            compiled=execution.compile,
            data_description=data.description,
            resumed=training.resumed,
            quarantined=len(list((directory / "checkpoints").glob("quarantine-*"))),
        ),
    )
    write_json(directory / "result.json", result)
    return result


def _device_name(execution: Execution) -> str:
    if execution.device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    return "cpu"
