"""Schedulers judge by the budget's own clock, and each setting once at each rung."""

from typing import Any

import pytest
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from assay.cell import Budget
from assay.cluster.stopping import rungs, scheduler
from assay.search import Search
from tests.cluster.searching import LOSS, SPACE, FakeTrial


def search(**judge: Any) -> Search:
    return Search.model_validate(
        {"trials": 9, "objectives": [LOSS], "space": SPACE, "scheduler": judge or None}
    )


class Notes:
    """A memory that is a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[int, dict[int, float]] = {}

    def seen(self, number: int) -> dict[int, float]:
        return dict(self.kept.get(number, {}))

    def saw(self, number: int, percent: int, value: float) -> None:
        self.kept.setdefault(number, {})[percent] = value


@pytest.mark.parametrize(
    ("budget", "clock"),
    [
        (Budget(steps=1000), "step"),
        (Budget(samples=3200), "samples"),
        (Budget(flops=3e17), "flops"),
    ],
)
@pytest.mark.parametrize(
    ("grace", "reduction"), [(0.1, 3), (1 / 9, 3), (0.01, 10), (1 / 64, 4), (0.3, 1.5)]
)
def test_a_trial_reports_exactly_where_asha_looks(budget, clock, grace, reduction):
    asked = search(asha={"grace": grace, "reduction": reduction})
    made = scheduler(asked, budget, Notes())

    times = [rung.time for rung in rungs(asked, budget)]

    (bracket,) = made._brackets
    looked_at = sorted(at for at, _ in bracket._rungs if at < budget.amount * (1 - 1e-9))
    assert times == looked_at
    assert made._time_attr == clock
    assert {rung.clock for rung in rungs(asked, budget)} == {clock}


def test_without_a_scheduler_nobody_is_stopped():
    assert type(scheduler(search(), Budget(steps=10), Notes())) is FIFOScheduler
    assert rungs(search(), Budget(steps=10)) == ()


@pytest.mark.parametrize("rule", ["asha", "median"])
def test_what_was_seen_of_a_trial_is_judged_once_though_it_is_reported_again(rule):
    asked, budget, notes = search(**{rule: {"grace": 0.2}}), Budget(steps=100), Notes()
    made = scheduler(asked, budget, notes)
    made.on_trial_add(None, good := FakeTrial("good", {"number": 0}))
    made.on_trial_add(None, poor := FakeTrial("poor", {"number": 1}))
    first, second, *_ = rungs(asked, budget)

    for trial, value in ((good, 0.1), (poor, 0.9)):
        made.on_trial_result(None, trial, first.row(value))
    before = repr(made.__dict__)
    for again in (first.row(0.5), {"phase": "train", "step": 3}):
        assert made.on_trial_result(None, poor, again) == TrialScheduler.CONTINUE

    assert repr(made.__dict__) == before
    assert notes.kept == {0: {first.percent: 0.1}, 1: {first.percent: 0.9}}
    made.on_trial_result(None, good, second.row(0.1))
    assert notes.kept[0] == {first.percent: 0.1, second.percent: 0.1}


def test_a_figure_is_kept_before_it_is_judged():
    asked, budget = search(asha={"grace": 0.5, "reduction": 2}), Budget(steps=100)
    notes = Notes()
    made = scheduler(asked, budget, notes)
    (rung,) = rungs(asked, budget)
    decisions = []
    for number, value in enumerate((0.1, 0.9)):
        made.on_trial_add(None, trial := FakeTrial(str(number), {"number": number}))
        decisions.append(made.on_trial_result(None, trial, rung.row(value)))
    assert decisions == [TrialScheduler.CONTINUE, TrialScheduler.STOP]
    assert notes.kept[1] == {50: 0.9}

    resumed = scheduler(asked, budget, notes)
    resumed.replay([0])
    resumed.on_trial_add(None, again := FakeTrial("new id", {"number": 1}))
    assert resumed.on_trial_result(None, again, rung.row(0.9)) == TrialScheduler.STOP
