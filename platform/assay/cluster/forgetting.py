"""Trials that have ended are let go: the driver's memory must not grow with them.

Tune's controller and its own printing keep every trial for as long as a Tuner lives, some 8 kB
each, though nothing asks for it again: what became of a cell is in its files, and of a setting in
the study's database.
"""

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler

ENDED = (Trial.TERMINATED, Trial.ERROR)


class Forgetting(FIFOScheduler):
    """First in, first out; whatever has ended is forgotten when the next trial ends."""

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Forget the trials that ended before this one."""
        forget_ended(tune_controller)


def forget_ended(controller: Any) -> None:
    """Take out of a `TuneController` all trials that have ended and whose actor is free again.

    To be called when a trial completes. That one is still running then, so that one is always left:
    Tune looks for a saved state where it finds none. Never when a trial fails: it has ended then
    for a moment, before Tune puts it back into the queue.
    """
    over = {
        trial
        for trial in controller._trials
        if trial.status in ENDED and trial not in controller._trial_to_actor
    }
    controller._trials[:] = [trial for trial in controller._trials if trial not in over]
    for kept in (
        controller._live_trials,
        controller._stopped_trials,
        controller._failed_trials,
        controller._trials_to_cache,
    ):
        kept -= over


class Unprinted(TrialProgressCallback):
    """Stands where Tune would put its own printing, which keeps the last row of every trial."""

    def on_trial_result(self, *about: Any, **info: Any) -> None:
        """Print and keep nothing."""

    def on_trial_error(self, *about: Any, **info: Any) -> None:
        """Print and keep nothing."""

    def on_trial_complete(self, *about: Any, **info: Any) -> None:
        """Print and keep nothing."""
