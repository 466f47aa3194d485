"""What a Tune trial of a search does: one setting, on every seed, from rung to rung."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from ray import tune

from assay import attempts
from assay.cell import Cell
from assay.cluster.drain import node_is_drained
from assay.cluster.orders import Orders
from assay.cluster.stopping import Rung
from assay.cluster.stream import through_ray_data
from assay.cluster.trial import explain, kind_of, throttled
from assay.config import did_you_mean, validate
from assay.errors import (
    AssayError,
    ConfigError,
    MachineError,
    MemoryShortageError,
    NoProgressError,
    TrainingError,
)
from assay.result import Failure, read_metrics, write_json
from assay.run import Manner, Report, Watch, cell_directory, run_cell, train_until
from assay.search import Objective
from assay.tracking import Recorder
from assay.training.meter import Meter


@dataclass(frozen=True)
class SearchOrders:
    """What every trial of a search is told beside its cells."""

    common: Orders
    """What is told of cells anywhere."""
    rungs: tuple[Rung, ...]
    watched: Objective | None
    """What the scheduler compares at the rungs."""


def try_setting(config: Mapping[str, Any], orders: SearchOrders) -> None:
    """Train and evaluate the cells in `config`; a fault is reported, not raised.

    The seeds go from rung to rung together. What becomes of the setting is told by the last
    report: `done`, `failed`, or neither if the scheduler stopped it.
    """
    os.environ.update(orders.common.environment)
    trial = _Trial(config, orders)
    try:
        with through_ray_data():
            trial.climb()
            trial.finish()
        tune.report({"phase": "done", "fraction": 1.0})
    except Exception as error:  # noqa: BLE001  one setting's fault never stops the others
        reason = explain(error, cell_directory(orders.common.storage, trial.key))
        tune.report({"phase": "failed", "reason": reason, "blame": blame(error)})


def blame(error: Exception) -> Literal["setting", "search"]:
    """Say what is at fault: this setting, or what every other one would meet too."""
    own = TrainingError | MemoryShortageError | NoProgressError
    return "search" if isinstance(error, AssayError) and not isinstance(error, own) else "setting"


class _Trial:
    def __init__(self, config: Mapping[str, Any], orders: SearchOrders) -> None:
        self.orders, self.config = orders.common, config
        self.rungs, self.watched = orders.rungs, orders.watched
        self.key: str = config["keys"][0]  # of the cell at hand
        self.known = {int(percent): value for percent, value in config["known"].items()}
        tags = {"stage": "search", "study": config["study"], "trial": str(config["number"])}
        ours = {f"assay.{name}": value for name, value in tags.items()}
        shared = self.orders.destination
        self.destination = replace(shared, tags={**shared.tags, **ours})
        self.trained = [0.0] * len(config["keys"])  # share of the budget, by seed
        self.report = throttled(lambda row: tune.report(dict(row)))

    def climb(self) -> None:
        """Take all seeds to each rung, and ask the scheduler there."""
        for rung in self.rungs:
            value = self.known.get(rung.percent)
            if value is None:
                found = [
                    self._value_at(rung, place, cell) for place, cell in enumerate(self._cells())
                ]
                value = fmean(found)
            tune.report({"phase": "train", "fraction": rung.fraction, **rung.row(value)})

    def finish(self) -> None:
        """Take every seed to its result."""
        for place, cell in enumerate(self._cells()):
            with self._followed(cell, place) as (watch, recorder):
                manner = self._manner("end")
                run_cell(cell, self.orders.execution, self.orders.storage, watch, manner=manner)
                recorder.complete()

    def _value_at(self, rung: Rung, place: int, cell: Cell) -> float:
        """Return the watched figure of a cell at a rung, training it that far if need be."""
        assert self.watched is not None
        metric = self.watched.metric
        earlier = _seen_by(cell, self.orders.storage, metric, rung.fraction)
        if earlier is not None:
            return earlier
        with self._followed(cell, place) as (watch, recorder):
            there = train_until(
                cell, self.orders.execution, self.orders.storage, watch, rung.fraction,
                manner=self._manner(str(rung.percent)),
            )  # fmt: skip
            value = _finite(cell, metric, there)
            recorder.stop()
        return value

    def _cells(self) -> Iterator[Cell]:
        for key, plain in zip(self.config["keys"], self.config["cells"], strict=True):
            self.key = key
            cell = validate(Cell, json.loads(plain), f"cell {key}")
            if cell.key != key:
                raise MachineError(
                    f"cell {key} has the key {cell.key} on this node: the installed assay differs "
                    "from the driver's; install the same version wherever Ray runs"
                )
            yield cell

    def _manner(self, leg: str) -> Manner:
        return Manner(
            patience=math.inf,
            series=f"{self.orders.series}-{leg}",
            warned=node_is_drained(),
        )

    @contextmanager
    def _followed(self, cell: Cell, place: int) -> Iterator[tuple[Watch, Recorder]]:
        """Yield what watches a cell and records it; a fault of the cell ends its record."""
        directory = cell_directory(self.orders.storage, cell.key)
        fresh = cell.key in self.config["fresh"] and not attempts.read(directory)
        recorder = Recorder(self.destination, cell, directory, fresh=fresh)
        try:
            yield self._watch(recorder, place), recorder
        except Exception as error:
            reason = explain(error, directory)
            recorder.fail(reason)
            if blame(error) == "setting":
                plain = cell.model_dump(mode="json")
                failure = Failure(cell=plain, reason=reason, kind=kind_of(error))
                write_json(directory / "failure.json", failure)
            raise

    def _watch(self, recorder: Recorder, place: int) -> Watch:
        def watch(progress: Report) -> None:
            recorder.watch(progress)
            if progress.phase == "train":
                self.trained[place] = progress.fraction
            # The beginnings and ends of single cells say nothing about the setting.
            if progress.phase in ("train", "evaluate") or not any(self.trained):
                self.report(asdict(progress) | {"fraction": self._fraction(progress, place)})

        return watch

    def _fraction(self, progress: Report, place: int) -> float:
        if progress.phase == "train":
            return fmean(self.trained)
        return (place + progress.fraction) / len(self.trained)


def _finite(cell: Cell, metric: str, there: Report) -> float:
    if metric not in there.metrics:
        near = did_you_mean(metric, there.metrics)
        raise ConfigError(f"search: {cell.family} reports no {metric!r}{near}")
    if not math.isfinite(there.metrics[metric]):
        raise TrainingError(
            f"cell {cell.key} ({cell.label}): {metric} is {there.metrics[metric]} at step "
            f"{there.step}: not finite"
        )
    return there.metrics[metric]


def _seen_by(cell: Cell, storage: Path, metric: str, fraction: float) -> float | None:
    """Return a validation figure of a cell that went further before, at its next look."""
    path = cell_directory(storage, cell.key) / "metrics.jsonl"
    for row in read_metrics(path) if path.exists() else []:
        spent = Meter(row["step"], row["samples"], row["flops"], row["seconds"])
        if metric in row and spent.spent(cell.budget) >= fraction - 1e-9:
            return row[metric]
    return None
