"""A study on Ray Tune: Optuna proposes, Tune places, a scheduler stops, the database remembers."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.search import Searcher

from assay.cluster.progress import Board
from assay.cluster.search_outcome import measure
from assay.cluster.search_trial import SearchOrders, try_setting
from assay.cluster.stopping import RememberingAsha, RememberingMedian, scheduler
from assay.cluster.storage import private_folder
from assay.cluster.study import VariantStudy
from assay.cluster.trials import cluster_stays, quieten_tune, tuner_of
from assay.config import canonical_json
from assay.errors import AssayError

OnStop = Callable[[list[str], str], None]
"""`on_stop(cell keys, reason)`: the scheduler stopped a setting."""


class StudySearcher(Searcher):
    """Brings a study's proposals to Tune, and back what became of them.

    Ray's own OptunaSearch does not do: it cannot take up a trial that a killed driver left in
    the database, reports by Tune's iteration, which begins at 1 again, ends a failed trial of
    several objectives wrongly, and keeps its state in a pickle. This one has no state of its own.
    """

    def __init__(self, study: VariantStudy, board: Board, on_stop: OnStop) -> None:
        super().__init__()
        self.fault: AssayError | None = None
        """What ended the search early: not a setting's own fault."""
        self._study, self._board, self._on_stop = study, board, on_stop
        self._running: dict[str, tuple[int, dict[str, str]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher for a restore that never happens here

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: the database is the state."""

    def suggest(self, trial_id: str) -> Any:
        """Return the next setting as a trial's config, or that there is none."""
        if self.fault is not None:
            return Searcher.FINISHED
        try:
            proposal = self._study.propose()
        except AssayError as error:
            self.fault = error
            return Searcher.FINISHED
        if proposal is None:
            return Searcher.FINISHED
        keys = [cell.key for cell in proposal.cells]
        seeds = map(str, self._study.suite.seeds)
        self._running[trial_id] = (proposal.number, dict(zip(seeds, keys, strict=True)))
        return {
            "number": proposal.number,
            "study": self._study.name,
            "keys": keys,
            "cells": [canonical_json(cell) for cell in proposal.cells],
            "known": {str(percent): value for percent, value in proposal.known.items()},
            "fresh": list(proposal.set_aside),
        }

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Do nothing: what the scheduler sees is kept before it decides, see `_Watcher`."""

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell the study how a trial ended."""
        number, cells = self._running.pop(trial_id)
        try:
            self._tell(number, cells, {"phase": "died"} if error else result or {})
        except AssayError as fault:
            self.fault = fault

    def _tell(self, number: int, cells: Mapping[str, str], result: Mapping[str, Any]) -> None:
        phase, key = result.get("phase"), str(number)
        if phase == "done":
            figures = measure(self._study.search.objectives, cells, self._study.storage)
            self._study.complete(number, [figure.mean for figure in figures.values()])
            self._board.enter(key, "done")
        elif phase == "failed" and result["blame"] == "search":
            self.fault = AssayError(result["reason"])
        elif phase in ("failed", "died"):
            reason = result.get("reason") or "its process died; the dashboard has its logs"
            self._study.fail(number, reason)
            self._board.enter(key, "failed", reason)
        else:
            rule = self._study.search.scheduler
            reason = f"{rule.name if rule else 'Tune'} at {result.get('percent', 0)} %"
            self._study.stop(number, reason)
            self._board.enter(key, "done", f"stopped by {reason}")
            self._on_stop(list(cells.values()), reason)


class _Watcher(tune.Callback):
    """Tells the board what Tune hears."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self._board.enter(_name(trial), "starting")

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        if result["phase"] not in ("done", "failed"):
            self._board.report(_name(trial), result)

    def on_trial_recover(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self._board.enter(_name(trial), "starting", "its process ended; it carries on")


def run_study(study: VariantStudy, orders: SearchOrders, board: Board, on_stop: OnStop) -> None:
    """Run a study to its last trial; what is begun but not ended waits for the next command.

    Raises:
        AssayError: something is amiss that no setting is to blame for; the cluster went away.
    """
    quieten_tune()
    # Rows about progress carry no figure to judge by.
    os.environ["TUNE_DISABLE_STRICT_METRIC_CHECKING"] = "1"
    searcher = StudySearcher(study, board, on_stop)
    trainable = tune.with_parameters(_trainable, orders=orders)
    with private_folder(study.storage) as state:
        tuner = tuner_of(
            trainable,
            study.suite,
            board,
            state,
            _Watcher(board),
            name_of=_name,
            search_alg=searcher,
            scheduler=scheduler_of(study),
            num_samples=study.left,
        )
        try:
            with cluster_stays():
                tuner.fit()
        finally:
            study.release()
    if searcher.fault is not None:
        raise searcher.fault


def scheduler_of(study: VariantStudy) -> Any:
    """Return the scheduler of a study, which remembers what it has seen."""
    made = scheduler(study.search, study.suite.budget, study)
    if isinstance(made, RememberingAsha | RememberingMedian):
        made.replay([trial.number for trial in study.trials if trial.state.is_finished()])
    return made


def _trainable(config: dict[str, Any], orders: SearchOrders) -> None:
    try_setting(config, orders)


def _name(trial: Trial) -> str:
    return str(trial.config["number"])
