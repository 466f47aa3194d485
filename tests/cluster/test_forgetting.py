"""Tune must not keep what has ended: the driver's memory would grow with every cell."""

import gc
import weakref
from pathlib import Path

import pytest
from ray import tune
from ray.tune.experiment import Trial

from assay.cell import load_suite
from assay.cluster import session
from assay.cluster.forgetting import Forgetting
from assay.cluster.progress import Board
from assay.cluster.trials import cluster_stays, quieten_tune, tuner_of

SUITE = Path(__file__).resolve().parents[2] / "sweeps" / "grid_mini.yaml"
TRIALS = 8


class _Watcher(tune.Callback):
    """Counts the trials that are alive, wherever they are kept."""

    def __init__(self) -> None:
        self.known: weakref.WeakSet[Trial] = weakref.WeakSet()
        self.alive: list[int] = []
        self.ended = 0

    def __getstate__(self):
        return {}

    def on_trial_start(self, iteration, trials, trial, **info):
        self.known.add(trial)

    def on_trial_complete(self, iteration, trials, trial, **info):
        self.ended += 1
        gc.collect()
        self.alive.append(len(self.known))


def _trainable(config):
    tune.report({"phase": "train"})
    tune.report({"phase": "done"})


@pytest.mark.timeout(300)
def test_a_trial_that_has_ended_is_forgotten_when_the_next_one_ends(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    quieten_tune()
    watcher, board = _Watcher(), Board({}, concurrent=1)
    with session.connect(), cluster_stays():
        tuner_of(
            _trainable,
            load_suite(SUITE),
            board,
            tmp_path,
            watcher,
            name_of=lambda trial: trial.trial_id,
            param_space={"key": tune.grid_search(list(range(TRIALS)))},
            scheduler=Forgetting(),
        ).fit()

    assert watcher.ended == TRIALS
    # The one that ends, the one before it, and the next, which is ready.
    assert max(watcher.alive) <= 3, watcher.alive
