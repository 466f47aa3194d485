"""Tune must not keep what has ended: the driver's memory would grow with every cell."""

import gc
import json
import os
import signal
import subprocess
import sys
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

    def __getstate__(self):
        return {}

    def on_trial_start(self, iteration, trials, trial, **info):
        self.known.add(trial)

    def on_trial_complete(self, iteration, trials, trial, **info):
        gc.collect()
        self.alive.append(len(self.known))


def _trainable(config):
    died = Path(config["state"]) / "died"
    if config["key"] == 3 and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    tune.report({"phase": "train"})
    tune.report({"phase": "done"})


def run(state: Path) -> None:
    """Run trials one at a time on a Ray of their own; print how many were alive as each ended."""
    quieten_tune()
    watcher = _Watcher()
    with session.connect(), cluster_stays():
        tuner_of(
            _trainable,
            load_suite(SUITE),
            Board({}, concurrent=1),
            state,
            watcher,
            name_of=lambda trial: trial.trial_id,
            param_space={"key": tune.grid_search(list(range(TRIALS))), "state": str(state)},
            scheduler=Forgetting(),
        ).fit()
    sys.stdout.write(json.dumps(watcher.alive))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_trial_that_has_ended_is_forgotten_when_the_next_one_ends(tmp_path):
    """One of them dies on the way and is taken up again: it has not ended, though it failed.

    In a process of its own, since Ray reads its settings once.
    """
    environment = {**os.environ, "RAY_AUTH_MODE": "token"}
    environment.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)], env=environment, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "died").exists()
    alive = json.loads(done.stdout.splitlines()[-1])
    assert len(alive) == TRIALS
    # The one that ends, the one before it, and the next, which is ready.
    assert max(alive) <= 3, alive


if __name__ == "__main__":
    run(Path(sys.argv[1]))
