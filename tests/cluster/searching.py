"""A search without Ray: its searcher, its scheduler and its trials, one after another, here.

All that decides is the product's own; only Tune's loop and MLflow are played by the test.
"""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from assay.cell import Suite
from assay.cluster import search_trial
from assay.cluster.orders import Orders
from assay.cluster.progress import Board
from assay.cluster.search_outcome import record
from assay.cluster.search_trial import SearchOrders, try_setting
from assay.cluster.search_tune import StudySearcher, scheduler_of
from assay.cluster.stopping import rungs
from assay.cluster.study import Database, VariantStudy
from assay.config import validate
from assay.resources import Resources
from assay.search import StudyRecord
from assay.tracking import Destination
from assay.training.execution import Execution

CONTROLLER: Any = SimpleNamespace(
    _trials=[],
    _trial_to_actor={},
    _live_trials=set(),
    _stopped_trials=set(),
    _failed_trials=set(),
    _trials_to_cache=set(),
)
"""Tune's, which keeps the trials that have ended: here there are none."""
DIGEST = "0" * 16
SPACE = {
    "training.learning_rate": {"float": [1e-3, 1e-1], "log": True},
    "settings.width": {"choice": [2, 4, 8]},
}
LOSS = {"metric": "val/loss", "better": "lower"}


class Killed(BaseException):
    """Stands for `kill -9` of the driver."""


class FakeTrial:
    """What the searcher and the scheduler see of Tune's trial."""

    def __init__(self, trial_id: str, config: dict[str, Any]) -> None:
        self.trial_id, self.config = trial_id, config


def line_suite(search: dict[str, Any], **changes: Any) -> Suite:
    """A suite of the family `line`, tests.training.toy."""
    plain = {
        "name": "lines", "title": "Lines", "family": "line", "data": "mini",
        "grid": {"model": ["plain"]}, "seeds": [0, 1], "budget": {"steps": 10},
        "training": {"batch_size": 16, "validations": 2},
        "search": {"algorithm": "random", "objectives": [LOSS], "space": SPACE, **search},
        **changes,
    }  # fmt: skip
    return validate(Suite, plain, "lines")


def play(monkeypatch) -> None:
    """Put the family in its place; MLflow, Ray's nodes and the disk's pace out of the way."""
    from assay import catalog
    from assay.store import sets

    families = {**catalog.FAMILIES, "line": "tests.training.toy:ToyTask"}
    monkeypatch.setattr(catalog, "FAMILIES", families)
    monkeypatch.setattr(sets, "prepare", lambda name: SimpleNamespace(digest=DIGEST))
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr(search_trial, "Recorder", SilentRecorder)
    monkeypatch.setattr(search_trial, "node_is_drained", lambda: lambda: False)
    monkeypatch.setattr(search_trial.tune, "report", lambda row: REPORT[-1](row))


REPORT: list[Callable[[dict[str, Any]], None]] = []


class SilentRecorder:
    """Records nothing."""

    def __init__(self, *args: Any, **options: Any) -> None: ...

    def watch(self, report: Any) -> None: ...

    def complete(self) -> None: ...

    def stop(self) -> None: ...

    def fail(self, reason: str) -> None: ...


def open_study(suite: Suite, storage: Path, **options: Any) -> VariantStudy:
    """Open the study of a suite's only variant, as a driver does."""
    storage.mkdir(exist_ok=True)
    (variant,) = suite.variants()
    return VariantStudy(suite, variant, DIGEST, storage, Database(None, storage), **options)


def run(
    suite: Suite,
    storage: Path,
    *,
    kill: Callable[[int, dict[str, Any]], bool] = lambda number, row: False,
    **options: Any,
) -> StudyRecord:
    """Search to the end, or until `kill` says so of a report of a trial.

    Raises:
        Killed: it did; nothing was tidied up.
        AssayError: what ended the search.
    """
    study = open_study(suite, storage, **options)
    destination = Destination("sqlite:///none", None, suite.name, suite.title, "here:1:1")
    common = Orders(
        storage=storage, execution=Execution(), resources=Resources(), evaluation=None,
        destination=destination, fresh=False, environment={},
    )  # fmt: skip
    assert suite.search is not None
    orders = SearchOrders(common, rungs(suite.search, suite.budget), suite.search.watched)
    count = max(suite.search.total, len(study.trials))
    board = Board({str(number): f"trial {number}" for number in range(count)}, 1)
    searcher = StudySearcher(study, board, lambda keys, reason: None)
    judge = scheduler_of(study)
    for turn in range(1000):
        config = searcher.suggest(str(turn))
        if config == Searcher.FINISHED:
            break
        _try(FakeTrial(str(turn), config), orders, searcher, judge, kill)
    if searcher.fault is not None:
        raise searcher.fault
    return record(study)


def _try(
    trial: FakeTrial,
    orders: SearchOrders,
    searcher: StudySearcher,
    judge: TrialScheduler,
    kill: Callable[[int, dict[str, Any]], bool],
) -> None:
    last: dict[str, Any] = {}

    def report(row: dict[str, Any]) -> None:
        last.clear()
        last.update(row)
        decision = judge.on_trial_result(None, trial, row)
        if kill(trial.config["number"], row):
            raise Killed
        if decision == TrialScheduler.STOP:
            raise SystemExit

    judge.on_trial_add(None, trial)
    REPORT.append(report)
    try:
        try_setting(trial.config, orders)
    except SystemExit:
        pass
    finally:
        REPORT.pop()
    judge.on_trial_complete(CONTROLLER, trial, last)
    searcher.on_trial_complete(trial.trial_id, last)
