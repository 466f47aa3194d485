"""What a Tune trial of a search does: one setting, on every seed, from rung to rung."""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from ray import tune
from ray.exceptions import RayError

from assay import attempts
from assay.cell import Cell
from assay.cluster.drain import node_is_drained
from assay.cluster.orders import Orders
from assay.cluster.stopping import Rung
from assay.cluster.stream import through_ray_data
from assay.cluster.trial import explain, kind_of, read_sent, throttled
from assay.config import did_you_mean
from assay.errors import (
    AssayError,
    ConfigError,
    MemoryShortageError,
    NoProgressError,
    TrainingError,
)
from assay.result import Failure, read_metrics, write_json
from assay.runner import Manner, Report, Watch, cell_directory, run_cell, train_until
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
    if isinstance(error, own):
        return "setting"
    return "search" if isinstance(error, AssayError | RayError) else "setting"


def trial_tags(study: str, number: int) -> dict[str, str]:
    """Return what tells the cells of a trial from those of others in MLflow."""
    return {"assay.stage": "search", "assay.study": study, "assay.trial": str(number)}


class _PassedUnseenError(Exception):
    """A cell spent more than a rung without being looked at there."""


class _Trial:
    def __init__(self, config: Mapping[str, Any], orders: SearchOrders) -> None:
        self.orders, self.config = orders.common, config
        self.rungs, self.watched = orders.rungs, orders.watched
        self.key: str = config["keys"][0]  # of the cell at hand
        self.known = {int(percent): value for percent, value in config["known"].items()}
        shared = self.orders.destination
        ours = trial_tags(config["study"], config["number"])
        self.destination = replace(shared, tags={**shared.tags, **ours})
        self.trained = [0.0] * len(config["keys"])  # share of the budget, by seed
        self.report = throttled(lambda row: tune.report(dict(row)))

    def climb(self) -> None:
        """Take all seeds to each rung, and ask the scheduler there.

        A setting of which a seed went past a rung unseen is not compared there, for what it
        spent by its next figure is more than the others did.
        """
        for rung in self.rungs:
            value = self.known.get(rung.percent)
            if value is None:
                value = self._mean_at(rung)
            if value is not None:
                tune.report({"phase": "train", "fraction": rung.fraction, **rung.row(value)})

    def finish(self) -> None:
        """Take every seed to its result."""
        for place, cell in enumerate(self._cells()):
            with self._followed(cell, place) as (watch, recorder):
                manner = self._manner("end")
                run_cell(cell, self.orders.execution, self.orders.storage, watch, manner=manner)
                recorder.complete()

    def _mean_at(self, rung: Rung) -> float | None:
        """Return the watched figure at a rung over the seeds; None if one of them has none."""
        assert self.watched is not None
        metric, cells = self.watched.metric, list(self._cells())
        try:
            earlier = [_seen(cell, self.orders.storage, metric, rung.fraction) for cell in cells]
        except _PassedUnseenError:
            return None
        values = [
            self._train_to(rung, place, cell) if value is None else value
            for place, (cell, value) in enumerate(zip(cells, earlier, strict=True))
        ]
        return fmean(values)

    def _train_to(self, rung: Rung, place: int, cell: Cell) -> float:
        """Train a cell to a rung and return the watched figure there."""
        assert self.watched is not None
        self.key, metric = cell.key, self.watched.metric
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
            yield read_sent(key, plain)

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


def _seen(cell: Cell, storage: Path, metric: str, fraction: float) -> float | None:
    """Return the figure of a cell at a rung, if it was there before; None if it is not so far.

    Raises:
        _PassedUnseenError: it went further, and nobody looked at the rung.
    """
    path = cell_directory(storage, cell.key) / "metrics.jsonl"
    for row in read_metrics(path) if path.exists() else []:
        spent = Meter(row["step"], row["samples"], row["flops"], row["seconds"]).spent(cell.budget)
        if spent < fraction - 1e-9:
            continue
        if _is_past(cell, row["step"], spent, fraction):
            raise _PassedUnseenError
        if metric in row:
            return row[metric]
    return None


def _is_past(cell: Cell, step: int, spent: float, fraction: float) -> bool:
    """Say whether a step ends after the first one that spends `fraction` of the budget.

    Steps differ in FLOPs, up to about twice their mean.
    """
    steps = 2 if cell.budget.unit == "flops" else 1
    return spent - fraction > steps * spent / max(step, 1) - 1e-9
