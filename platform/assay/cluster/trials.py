"""Cells as Tune trials: one actor after another takes them, and a board watches."""

import logging
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial

from assay.cell import Cell, Suite
from assay.cluster.progress import Board
from assay.cluster.trial import Orders, run_trial
from assay.config import canonical_json

RESTARTS = 3
"""How often a cell whose process died is taken up again, from its checkpoint."""

OnFailure = Callable[[str, str, str], None]
"""`on_failure(cell key, reason, kind)`; kind is `died` if the cell could not say it itself."""


def concurrent_cells(suite: Suite, limit: int | None) -> int:
    """Return how many cells run at a time on this cluster."""
    total = ray.cluster_resources()
    fit = suite.at_once(total.get("CPU", 0), total.get("GPU", 0))
    return min(fit, limit or fit)


def run_trials(
    suite: Suite, cells: Sequence[Cell], orders: Orders, board: Board, on_failure: OnFailure
) -> None:
    """Run the cells to their ends.

    Tune's own state and output are of no use here: the first goes to a folder that is removed at
    the end, the second is turned off in favour of the board.
    """
    _quieten_tune()
    experiment = f"{suite.name}-{uuid.uuid4().hex[:8]}"
    state = orders.storage / "tune"
    space = [{"key": cell.key, "cell": canonical_json(cell)} for cell in cells]
    resources: dict[str, float] = {"cpu": suite.resources.cpus, "gpu": suite.resources.gpus}
    trainable = tune.with_parameters(_trainable, orders=orders)
    tuner = tune.Tuner(
        tune.with_resources(trainable, resources),
        param_space={"trial": tune.grid_search(space)},
        tune_config=tune.TuneConfig(
            max_concurrent_trials=board.concurrent,
            reuse_actors=True,  # so that torch is imported once an actor, not once a cell
            trial_name_creator=_key_of,
            trial_dirname_creator=_key_of,
        ),
        run_config=tune.RunConfig(
            name=experiment,
            storage_path=str(state),
            callbacks=[_Watcher(board, on_failure)],
            # A fresh cell that began again would throw away what it had.
            failure_config=tune.FailureConfig(max_failures=0 if orders.fresh else RESTARTS),
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    finally:
        shutil.rmtree(state / experiment, ignore_errors=True)


def _trainable(config: dict[str, Any], orders: Orders) -> None:
    run_trial(config["trial"], orders)


def _key_of(trial: Trial) -> str:
    return trial.config["trial"]["key"]


class _Watcher(tune.Callback):
    """Tells the board what Tune hears."""

    def __init__(self, board: Board, on_failure: OnFailure) -> None:
        self._board, self._on_failure = board, on_failure

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks for a restore that never happens here

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self._board.enter(_key_of(trial), "starting")

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        key = _key_of(trial)
        self._board.report(key, result)
        if result["phase"] == "failed":
            self._on_failure(key, result["reason"], result["kind"])

    def on_trial_recover(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self._board.enter(_key_of(trial), "starting", "its process ended; it carries on")

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        reason = (
            f"its process died ({trial.num_failures} ×; killed, or out of memory: the dashboard "
            "has its logs); the same command carries on from its checkpoint"
        )
        self._board.enter(_key_of(trial), "failed", reason)
        self._on_failure(_key_of(trial), reason, "died")


def _quieten_tune() -> None:
    for name in ("ray.tune", "ray.train", "ray.air"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # the new output prints a banner even when silent
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # the driver stops itself, see session
