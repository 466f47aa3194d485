"""A trained cell, taken from its folder: to draw samples of it, or to evaluate it otherwise."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from assay import catalog
from assay.cell import Cell
from assay.config import apply_overrides, validate
from assay.errors import CheckpointError, ConfigError
from assay.provenance import of_code
from assay.result import Result, read_plain, write_json
from assay.runner import cell_directory, finished
from assay.store import sets
from assay.task import Splits, Task
from assay.training import checkpoint
from assay.training.allocation import keep_freed_memory
from assay.training.execution import require_device
from assay.training.meter import Meter
from assay.training.subset import that_are_used


@dataclass(frozen=True)
class TrainedCell:
    """A cell with the weights that are evaluated."""

    cell: Cell
    """As it is asked for, overrides included."""
    trained_as: Cell
    task: Task
    data: Splits
    model: nn.Module


def open_trained(
    directory: Path, overrides: Iterable[str] = (), device: torch.device | None = None
) -> TrainedCell:
    """Open a cell of a run store that was trained to the end of its budget.

    Args:
        directory: `<storage>/cells/<key>`.
        overrides: `key=value` of settings that training does not depend on, such as
            `settings.process.steps=50`.
        device: of the model; the CPU, if none is given.

    Raises:
        ConfigError: an override is wrong, or changes what was trained.
        DataError: the folder holds no cell, or its data set is not here.
        CheckpointError: its weights are missing, damaged, of another model, or not those of the
            end of training.
        MachineError: the device is not here.
    """
    if device is not None:
        require_device("cpu" if device.type == "cpu" else "cuda")
    trained_as, cell = _asked(directory, overrides)
    prepared = sets.prepare(cell.data.name)
    sets.require_digest(prepared, cell.data.digest)
    task: Task = catalog.family(cell.family)(cell)
    data = that_are_used(task.data(), cell)
    model = task.model(data)
    weights = _weights(directory, trained_as)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"{directory / 'checkpoints'}: made by code with another model than the present one; "
            "--fresh computes the cell again"
        ) from error
    if device is None or device.type == "cpu":
        keep_freed_memory()
    return TrainedCell(cell, trained_as, task, data, model.to(device or torch.device("cpu")).eval())


def evaluate_as(
    storage: Path, trained: Result, overrides: Iterable[str], device: torch.device | None = None
) -> Result:
    """Evaluate a trained cell otherwise: as the cell that it is with `overrides`.

    The two share their training, so that one is enough for both. The result is put into the run
    store as that cell's own, with the training's cost and the provenance of the code that
    evaluated, and is computed again only where the training is newer.

    Args:
        storage: The run store.
        trained: Of a cell there.
        overrides: As of `open_trained`.
        device: Of the model; the CPU, if none is given.

    Raises:
        AssayError: as `open_trained`.
    """
    source = cell_directory(storage, trained.provenance.cell_key)
    overrides = tuple(overrides)
    _, cell = _asked(source, overrides)
    known = finished(storage, cell.key)
    if known is not None and known.provenance.created_utc >= trained.provenance.created_utc:
        return known
    it, directory = open_trained(source, overrides, device), cell_directory(storage, cell.key)
    started = time.monotonic()
    estimates = it.task.evaluate(it.model, it.data, lambda phase, done: None)
    seconds = time.monotonic() - started
    it.task.artifacts(it.model, it.data, directory / "artifacts")
    made = {
        **of_code(),
        "cell_key": cell.key,
        "protocol": it.task.protocol_of(cell.model_dump(mode="json")),
    }
    result = Result(
        cell=json.loads(cell.model_dump_json()),
        estimates=estimates,
        cost=trained.cost.model_copy(update={"evaluation_seconds": seconds}),
        provenance=trained.provenance.model_copy(update=made),
    )
    write_json(directory / "cell.json", cell)
    write_json(directory / "result.json", result)
    return result


def _asked(directory: Path, overrides: Iterable[str]) -> tuple[Cell, Cell]:
    """Return the cell of a folder, and the one that it is with overrides."""
    plain = read_plain(directory / "cell.json")
    trained_as = validate(Cell, plain, str(directory / "cell.json"))
    overridden = apply_overrides(trained_as.model_dump(mode="json"), overrides)
    cell = validate(Cell, overridden, "command line")
    _require_same_training(trained_as, cell)
    return trained_as, cell


def _weights(directory: Path, cell: Cell) -> Any:
    root = directory / "checkpoints"
    found = checkpoint.load_newest(root, cell.key, set_aside=False)
    if found is None:
        raise CheckpointError(f"{root}: holds no checkpoint that verifies; train the cell again")
    spent = Meter(**found.state["meter"]).spent(cell.budget)
    if spent < 1:
        raise CheckpointError(
            f"{root}: training stands at {spent:.0%} of its budget; let it finish first"
        )
    return found.tensors["best" if cell.training.weights == "best" else "ema"]


def _require_same_training(trained: Cell, asked: Cell) -> None:
    free = catalog.family(trained.family).of_evaluation(trained.variant)
    before, after = (_flat(cell.model_dump(mode="json")) for cell in (trained, asked))
    changed = sorted(key for key in before | after if before.get(key) != after.get(key))
    fixed = [key for key in changed if key not in free]
    if fixed:
        raise ConfigError(
            f"{fixed[0]}: training depends on it; of a trained cell can be changed "
            f"{', '.join(sorted(free)) or 'nothing'}"
        )


def _flat(data: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(data, dict):
        return {prefix: data}
    found: dict[str, Any] = {}
    for key, value in data.items():
        found |= _flat(value, f"{prefix}.{key}" if prefix else key)
    return found
