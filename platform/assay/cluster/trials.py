"""Cells as Tune trials: one actor after another takes them, and a board watches."""

import logging
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune.error import TuneError
from ray.tune.experiment import Trial

from assay.cell import Cell, Suite
from assay.cluster.evaluation import Evaluations, OnFailure
from assay.cluster.forgetting import Forgetting, Unprinted
from assay.cluster.orders import Orders
from assay.cluster.progress import Board
from assay.cluster.ray_train import hold_coordinator
from assay.cluster.storage import private_folder
from assay.cluster.trial import run_trial
from assay.config import canonical_json
from assay.errors import AssayError, MachineError
from assay.resources import Resources

RESTARTS = 1000
"""How often a cell whose process died is taken up again; one that gets no further ends sooner."""
DRIVER_RESOURCE = "train_driver"
"""Nodes that are not preempted offer it: what only waits for workers elsewhere sits there."""
WAITING_BYTES = 512 * 1024**2
"""Memory of a trial that only waits for its workers."""


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
    quieten_tune()
    plain = {cell.key: canonical_json(cell) for cell in cells}
    evaluations = Evaluations({cell.key: cell for cell in cells}, orders, board, on_failure)
    trainable = tune.with_parameters(_trainable, orders=orders, cells=plain)
    with private_folder(orders.storage) as state:
        tuner = tuner_of(
            trainable,
            suite,
            board,
            state,
            _Watcher(board, evaluations, on_failure),
            name_of=_key_of,
            param_space={"key": tune.grid_search(list(plain))},
            scheduler=Forgetting(),
        )
        with cluster_stays():
            if suite.resources.is_elastic:
                hold_coordinator()
            tuner.fit()
            evaluations.finish()


def tuner_of(
    trainable: Callable[[dict[str, Any]], None],
    suite: Suite,
    board: Board,
    state: Path,
    watcher: tune.Callback,
    *,
    name_of: Callable[[Trial], str],
    param_space: dict[str, Any] | None = None,
    **search: Any,
) -> tune.Tuner:
    """Return what runs `trainable` once a trial, taken up again whenever its process dies.

    Args:
        trainable: What a trial does, given its config.
        suite: Of which the trials are a part.
        board: How many run at a time.
        state: A folder for Tune's own state, which nobody reads.
        watcher: What hears of the trials.
        name_of: A trial's name.
        param_space: The configs, unless a searcher proposes them.
        search: Further settings of `tune.TuneConfig`.
    """
    return tune.Tuner(
        tune.with_resources(trainable, trial_resources(suite.resources)),
        param_space=param_space,
        tune_config=tune.TuneConfig(
            max_concurrent_trials=board.concurrent,
            reuse_actors=True,  # so that torch is imported once an actor, not once a trial
            trial_name_creator=name_of,
            trial_dirname_creator=name_of,
            **search,
        ),
        run_config=tune.RunConfig(
            name=f"{suite.name}-{uuid.uuid4().hex[:8]}",
            storage_path=str(state),
            callbacks=[watcher, Unprinted()],
            failure_config=tune.FailureConfig(max_failures=RESTARTS),
            verbose=0,
        ),
    )


@contextmanager
def cluster_stays() -> Iterator[None]:
    """Say in one sentence that the cluster went away; around whatever waits for it.

    Raises:
        MachineError: it did.
        AssayError: what a searcher, a scheduler or a callback raised, which Tune wraps.
    """
    try:
        yield
    except (RayError, TuneError) as error:
        inner: BaseException | None = error
        while inner is not None:
            if isinstance(inner, AssayError):
                raise inner from None
            inner = inner.__cause__ or inner.__context__
        what = " ".join(str(error).split())[:200]
        raise MachineError(
            f"the Ray cluster went away while the suite ran ({what}); start it again, and the "
            "same command carries on"
        ) from error


def trial_resources(resources: Resources) -> dict[str, float]:
    """Return what a trial takes: what its cell takes, or little if workers of its own train it."""
    if resources.most_workers == 1:
        return {"cpu": resources.cpus, "gpu": resources.gpus}
    there = ray.cluster_resources().get(DRIVER_RESOURCE, 0)
    return {"cpu": 0, "memory": WAITING_BYTES} | ({DRIVER_RESOURCE: 0.001} if there else {})


def _trainable(config: dict[str, Any], orders: Orders, cells: Mapping[str, str]) -> None:
    run_trial(config["key"], cells[config["key"]], orders)


def _key_of(trial: Trial) -> str:
    return trial.config["key"]


class _Watcher(tune.Callback):
    """Tells the board what Tune hears."""

    def __init__(self, board: Board, evaluations: Evaluations, on_failure: OnFailure) -> None:
        self._board, self._evaluations, self._on_failure = board, evaluations, on_failure

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
        if result["phase"] == "trained":
            self._evaluations.begin(key)
            return
        self._board.report(key, result)
        if result["phase"] == "failed":
            self._on_failure(key, result["reason"], result["kind"])

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        self._evaluations.collect()

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


def quieten_tune() -> None:
    """Keep Tune from printing, from handling signals and from saving: we do these ourselves."""
    for name in ("ray.tune", "ray.train", "ray.air"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # the new output prints a banner even when silent
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = "inf"  # its own state grows by 12 kB a trial
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # the driver stops itself, see session
