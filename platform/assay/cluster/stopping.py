"""ASHA and median stopping that remember: what was seen before a restart is shown to them again.

Ray's own schedulers decide; their clock is the budget's own unit (`step`, `samples` or `flops`),
never Tune's iteration, which begins at 1 again after a restart.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ray.tune.schedulers import (
    ASHAScheduler,
    MedianStoppingRule,
    TrialScheduler,
)

from assay.cell import Budget
from assay.cluster.forgetting import Forgetting, forget_ended
from assay.search import Search

CLOCKS = {"steps": "step", "samples": "samples", "flops": "flops"}
VALUE = "watched"
"""The name of the watched figure in a report to Tune."""


@dataclass(frozen=True)
class Rung:
    """A share of the budget at which settings are compared."""

    percent: int
    fraction: float
    clock: str
    """`step`, `samples` or `flops`: the budget's unit."""
    time: float
    """By that clock."""

    def row(self, value: float) -> dict[str, float]:
        """Return what the scheduler is told."""
        return {"percent": self.percent, self.clock: self.time, VALUE: value}


def rungs(search: Search, budget: Budget) -> tuple[Rung, ...]:
    """Return the rungs of a search's scheduler; none without one."""
    if search.scheduler is None:
        return ()
    clock = CLOCKS[budget.unit]
    shares, times = search.scheduler.rungs(), search.scheduler.rungs(budget.amount)
    return tuple(
        Rung(round(100 * share), share, clock, time)
        for share, time in zip(shares, times, strict=True)
    )


class Memory(Protocol):
    """Where what a scheduler saw outlives it, by per cent of the budget."""

    def seen(self, number: int) -> Mapping[int, float]:
        """Return what was seen of a trial."""
        ...

    def saw(self, number: int, percent: int, value: float) -> None:
        """Keep what is seen of a trial now."""
        ...


class _Remembering(Forgetting):
    """What both schedulers share: a memory, and a clock that only goes forward."""

    rungs: Mapping[int, Rung]
    memory: Memory
    _last: dict[str, float]

    def remember(self, rungs: tuple[Rung, ...], memory: Memory) -> None:
        """Take note of the rungs and of where earlier figures are found."""
        self.rungs = {rung.percent: rung for rung in rungs}
        self.memory, self._last = memory, {}

    def replay(self, numbers: Iterable[int]) -> None:
        """Show the whole course of trials that came to an end before this driver began."""
        for number in numbers:
            past: Any = _Past(f"past-{number}")
            super().on_trial_add(None, past)  # pyright: ignore[reportArgumentType]
            for percent, value in self.memory.seen(number).items():
                self._recall(None, past, self.rungs[percent].row(value))

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Show what was seen of the trial before, but for the last: that is decided again."""
        super().on_trial_add(tune_controller, trial)
        known = list(self.memory.seen(trial.config["number"]).items())
        for percent, value in known[:-1]:
            self._recall(tune_controller, trial, self.rungs[percent].row(value))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Decide at a rung that the trial has not been seen at; let all else pass."""
        if VALUE not in result or self._is_past(trial, result):
            return TrialScheduler.CONTINUE
        # Kept first: a driver that is killed in between decides again.
        self.memory.saw(trial.config["number"], result["percent"], result[VALUE])
        return self._judge(tune_controller, trial, result)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Forget what ended before, and no more: Ray's would count the last figure twice."""
        forget_ended(tune_controller)

    def _judge(self, controller: Any, trial: Any, row: dict[str, Any]) -> str:
        if self._is_past(trial, row):
            return TrialScheduler.CONTINUE
        self._last[trial.trial_id] = row["percent"]
        return super().on_trial_result(controller, trial, row)

    def _recall(self, controller: Any, trial: Any, row: dict[str, Any]) -> None:
        """Show a figure that was judged before: the trial went on, whatever is thought of it now.

        With several trials at a time others have come as far since then, so that a trial which
        passed a rung may look worse there today.
        """
        self._judge(controller, trial, row)

    def _is_past(self, trial: Any, row: dict[str, Any]) -> bool:
        return row["percent"] <= self._last.get(trial.trial_id, -math.inf)


class RememberingAsha(_Remembering, ASHAScheduler):
    """Asynchronous successive halving."""


class RememberingMedian(_Remembering, MedianStoppingRule):
    """The median stopping rule."""

    def _recall(self, controller: Any, trial: Any, row: dict[str, Any]) -> None:
        super()._recall(controller, trial, row)
        self._stopped_trials.discard(trial)  # Ray's takes no more figures of a stopped trial


@dataclass(frozen=True)
class _Past:
    """Stands in for Tune's trial where it is long over."""

    trial_id: str


def scheduler(search: Search, budget: Budget, memory: Memory) -> TrialScheduler:
    """Return the scheduler that a search asks for, without memories yet but able to have them."""
    watched = search.watched
    if search.scheduler is None or watched is None:
        return Forgetting()
    steps = rungs(search, budget)
    mode = "max" if watched.better == "higher" else "min"
    common: dict[str, Any] = {"time_attr": steps[0].clock, "metric": VALUE, "mode": mode}
    if search.scheduler.asha is not None:
        asha = search.scheduler.asha
        made = RememberingAsha(
            **common,
            max_t=budget.amount,  # pyright: ignore[reportArgumentType]
            grace_period=asha.grace * budget.amount,  # pyright: ignore[reportArgumentType]
            reduction_factor=asha.reduction,
        )
    else:
        made = RememberingMedian(
            **common,
            grace_period=steps[0].time,
            min_samples_required=search.scheduler.median.least,  # pyright: ignore
            # Never pause: a paused trial would give up its place for nothing.
            min_time_slice=math.inf,  # pyright: ignore[reportArgumentType]
        )
    made.remember(steps, memory)
    return made
