"""One cell from its definition to its result, here: no Ray, no MLflow.

The run store is the state: a finished cell is reused, an interrupted one carries on from its
newest checkpoint, and a cell whose protocol has changed is evaluated again from its last one.
"""

import contextlib
import gc
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import torch
from filelock import FileLock, Timeout

from assay import attempts, catalog
from assay.cell import Cell
from assay.config import apply_overrides, digest16, load_yaml, validate
from assay.errors import CheckpointError, ConfigError, MachineError, MemoryShortageError
from assay.provenance import code_digest, package_versions, provenance, settle
from assay.result import Cost, Result, read_result, write_json
from assay.store import sets
from assay.task import Splits, Task
from assay.training import checkpoint, memory, trunk
from assay.training.execution import Execution, require_device
from assay.training.loop import Row, Training
from assay.training.meter import peak_memory_bytes, start_peak_memory
from assay.training.parallel import ALONE, Workers
from assay.training.subset import that_are_used

Phase = Literal["waiting", "data", "train", "evaluate", "done"]
LOOK_SECONDS = 1.0
"""Between two looks at a lock that another process holds."""
STAMP = "%Y%m%dT%H%M%S%f"
"""Of what is set aside."""


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
    note: str = ""
    """What a person should know, such as that memory was short."""


Watch = Callable[[Report], None]
log = logging.getLogger(__name__)


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
    current = catalog.family(result.cell["family"]).protocol_of(result.cell)
    return result if result.provenance.protocol == current else None


@dataclass(frozen=True)
class Manner:
    """How a cell is taken up, beside its `Execution`."""

    patience: float = 0.0
    """Seconds to wait for another process that runs the same cell."""
    series: str | None = None
    """Whose starts are counted together (`assay.attempts`); None counts none."""
    warned: Callable[[], bool] = lambda: False
    """Whether this machine is about to be taken away."""


def run_cell(
    cell: Cell,
    execution: Execution,
    storage: Path,
    watch: Watch,
    *,
    fresh: bool = False,
    manner: Manner = Manner(),
) -> Result:
    """Run a cell to its result, or return the one that is there.

    Args:
        cell: What to run.
        execution: How to run it.
        storage: The run store.
        watch: Called at every row of the log and every step of the evaluation.
        fresh: Compute again; what was there is kept under `<key>.<time>`.
        manner: How to take it up.

    Raises:
        AssayError: any fault that a user can mend; another process that runs the cell is one.
    """
    with _taken_up(cell, storage, watch, manner) as directory:
        if fresh:
            _set_aside(cell, storage)
        result = finished(storage, cell.key)
        if result is None:
            trained = _train(cell, execution, directory, watch, manner, 1.0)
            result = _evaluate(cell, trained, directory, watch)
        watch(Report(cell.key, "done", 1.0, result.cost.steps, result.cost.samples))
        return result


def train_until(
    cell: Cell,
    execution: Execution,
    storage: Path,
    watch: Watch,
    fraction: float,
    *,
    manner: Manner = Manner(),
    workers: Workers = ALONE,
) -> Report:
    """Train a cell until `fraction` of its budget is spent, to be carried on later.

    Whoever carries on ends bit for bit where one who never stopped does. A cell that is further
    already is left as it is. All of several `workers` make the same call.

    Returns:
        Where it stands, with the validation figures of the averaged model there.

    Raises:
        AssayError: as `run_cell`.
    """
    with _taken_up(cell, storage, watch, manner, workers) as directory:
        trained = _train(cell, execution, directory, watch, manner, fraction, workers)
        there = _report(cell, trained.training.here(trained.training.look()))
        if manner.series is not None and fraction < 1:
            series = manner.series  # a search asks for the way to a rung again, and none died of it
            workers.on_first(lambda: attempts.end(directory, series))
        return there


def evaluate_cell(
    cell: Cell, execution: Execution, storage: Path, watch: Watch, *, manner: Manner = Manner()
) -> Result:
    """Evaluate a cell that is trained, or return the result that is there; nothing is trained.

    Raises:
        CheckpointError: its weights are not those of the end of its budget.
        AssayError: as `run_cell`.
    """
    with _taken_up(cell, storage, watch, manner) as directory:
        result = finished(storage, cell.key)
        if result is None:
            trained = _train(cell, execution, directory, watch, manner, 0.0)
            if trained.training.fraction < 1:
                raise CheckpointError(
                    f"{directory / 'checkpoints'}: holds no weights of the end of training that "
                    "verify on this node; the same command trains what is missing"
                )
            result = _evaluate(cell, trained, directory, watch)
        watch(Report(cell.key, "done", 1.0, result.cost.steps, result.cost.samples))
        return result


def set_aside(cells: Iterable[Cell], storage: Path) -> None:
    """Keep what cells have under `<key>.<time>`, so that they are computed again: all or none.

    Raises:
        MachineError: another process runs one of them.
    """
    with contextlib.ExitStack() as stack:
        cells = list(cells)
        for cell in cells:
            directory = cell_directory(storage, cell.key)
            if directory.exists():
                stack.enter_context(_locked(cell, directory, lambda report: None, patience=0.0))
        for cell in cells:
            _set_aside(cell, storage)


def _set_aside(cell: Cell, storage: Path) -> None:
    """Keep a cell's folder, and what it shares with other budgets, under names with the time."""
    directory, stamp = cell_directory(storage, cell.key), datetime.now(UTC).strftime(STAMP)
    with _writing(directory):
        if directory.exists():
            directory.rename(directory.with_name(f"{directory.name}.{stamp}"))
        if cell.trunk is not None:
            trunk.set_aside(_trunks(storage) / cell.trunk, stamp)


def _trunks(storage: Path) -> Path:
    """Return where the present code keeps what cells of other budgets may begin with."""
    made_by = {"code": code_digest(), "packages": package_versions()}
    return storage / "trunks" / digest16(made_by)


@contextlib.contextmanager
def _taken_up(
    cell: Cell, storage: Path, watch: Watch, manner: Manner, workers: Workers = ALONE
) -> Iterator[Path]:
    """Hold the cell's lock, on the first worker, and yield its folder."""
    settle()
    directory = cell_directory(storage, cell.key)
    with _locked(cell, directory, watch, manner.patience, workers):
        yield directory


@contextlib.contextmanager
def _locked(
    cell: Cell, directory: Path, watch: Watch, patience: float, workers: Workers = ALONE
) -> Iterator[None]:
    lock = FileLock(directory.with_suffix(".lock"))
    with _writing(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
        _acquire(cell, lock, watch, patience, workers)
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Say in one sentence that the run store cannot be written."""
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"{path}: cannot be written ({error.strerror or error}); free some space, or "
            "choose another --storage; the same command carries on"
        ) from error


def _acquire(cell: Cell, lock: FileLock, watch: Watch, patience: float, workers: Workers) -> None:
    deadline = time.monotonic() + patience

    def is_taken() -> bool:
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            if time.monotonic() >= deadline:
                raise MachineError(
                    f"cell {cell.key} ({cell.label}) is being run by another process "
                    f"(lock {lock.lock_file}): wait for it, or use another --storage"
                ) from error
            return False
        return True

    # All ask again and again: who waited for the first in one collective would be timed out of it.
    while not workers.on_first(is_taken):
        watch(Report(cell.key, "waiting", 0.0, note="another process runs it"))
        time.sleep(LOOK_SECONDS)


def _require_its_hardware(cell: Cell, execution: Execution) -> None:
    """Refuse to spend a budget in seconds on other hardware than the key names."""
    if cell.hardware is None:
        return
    named = (cell.hardware.device, cell.hardware.threads, cell.hardware.workers)
    given = (execution.device, execution.threads, execution.workers)
    if named != given:
        raise ConfigError(
            f"cell {cell.key} ({cell.label}): its seconds are those of {_hardware(*named)} a cell; "
            f"{_hardware(*given)} cannot spend them"
        )


def _hardware(device: str, threads: int, workers: int) -> str:
    each = f"{device}, {threads} threads"
    return each if workers == 1 else f"{workers} workers with {each} each"


@dataclass(frozen=True)
class _Trained:
    task: Task
    data: Splits
    training: Training


def _train(
    cell: Cell,
    execution: Execution,
    directory: Path,
    watch: Watch,
    manner: Manner,
    until: float,
    workers: Workers = ALONE,
) -> _Trained:
    # Before the data is read: a process that dies of that has made an attempt, too.
    parts = memory.within(cell, execution, directory, workers.count)
    workers.on_first(lambda: _begin(cell, parts, directory, manner, workers.count))
    watch(Report(cell.key, "data", 0.0))
    packed = sets.prepare(cell.data.name)
    sets.require_digest(packed, cell.data.digest)
    task: Task = catalog.family(cell.family)(cell)
    data = that_are_used(task.data(), cell)
    start_peak_memory(require_device(execution.device))
    while True:
        parts = memory.within(cell, execution, directory, workers.count)
        note = "" if parts == execution else f"memory is short: {parts.accumulation} micro-batches"
        watch_row = lambda row, note=note: watch(_report(cell, row, note))  # noqa: E731
        training = Training(
            task, cell, data, parts, directory, watch_row, workers, manner.warned,
            # Who stops early asks for figures there, not further on.
            trunks=_trunks(directory.parents[1]) if until >= 1 else None,
        )  # fmt: skip
        if training.fraction < min(until, 1.0):
            _require_its_hardware(cell, execution)
        try:
            training.run(until)
            return _Trained(task, data, training)
        except MemoryShortageError as error:
            reason = str(error)
        log.warning("%s; halving its micro-batches", reason)
        memory.halve(cell, parts, directory, workers.count, reason)
        if workers.count > 1:
            raise MemoryShortageError(reason)  # the others wait for this one: all begin again
        del training
        gc.collect()
        torch.cuda.empty_cache()


def _begin(cell: Cell, execution: Execution, directory: Path, manner: Manner, workers: int) -> None:
    with _writing(directory):
        write_json(directory / "cell.json", cell)
        (directory / "failure.json").unlink(missing_ok=True)
    if manner.series is not None:
        step = checkpoint.newest_step(directory / "checkpoints")
        attempts.begin(directory, manner.series, step, execution.accumulation, workers)


def _report(cell: Cell, row: Row, note: str = "") -> Report:
    spent = row.meter
    return Report(
        cell.key, "train", row.fraction, spent.step, spent.samples, spent.flops, spent.seconds,
        row.metrics, note,
    )  # fmt: skip


def _peak_memory(training: Training) -> int:
    """Return the peak of training and evaluation, bytes; of training, if they were on two kinds."""
    if (training.maker.device == "cpu") != (training.device.type == "cpu"):
        return training.peak_memory
    return max(training.peak_memory, peak_memory_bytes(training.device))


def _evaluate(cell: Cell, trained: _Trained, directory: Path, watch: Watch) -> Result:
    task, training, model = trained.task, trained.training, trained.training.result
    spent = training.meter

    def on_evaluation(phase: str, fraction: float) -> None:
        watch(
            Report(
                cell.key, "evaluate", fraction, spent.step, spent.samples, spent.flops,
                spent.seconds,
            )
        )  # fmt: skip

    started = time.monotonic()
    estimates = task.evaluate(model, trained.data, on_evaluation)
    cost = Cost(
        parameters=training.parameters,
        steps=spent.step,
        samples=spent.samples,
        records=len(trained.data.train),
        flops=spent.flops,
        training_seconds=spent.seconds,
        evaluation_seconds=time.monotonic() - started,
        peak_memory_bytes=_peak_memory(training),
    )
    with _writing(directory / "artifacts"):
        task.artifacts(model, trained.data, directory / "artifacts")
    result = Result(
        cell=json.loads(cell.model_dump_json()),
        estimates=estimates,
        cost=cost,
        provenance=provenance(
            cell_key=cell.key,
            protocol=task.protocol_of(cell.model_dump(mode="json")),
            **asdict(training.maker),
            data_description=trained.data.description,
            resumed=training.resumed,
            shared_steps=training.shared_steps,
            chosen_step=None if training.best is None else training.best.step,
            quarantined=len(list((directory / "checkpoints").glob("quarantine-*"))),
        ),
    )
    write_json(directory / "result.json", result)
    return result
