"""Schedulers judge by the budget's own clock, and each setting once at each rung."""

from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler

from assay.cell import Budget
from assay.cluster.forgetting import Forgetting
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
    assert type(scheduler(search(), Budget(steps=10), Notes())) is Forgetting
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


@pytest.mark.parametrize("rule", ["asha", "median"])
def test_a_trial_that_passed_before_the_others_came_is_not_judged_anew(rule):
    judge = {"asha": {"reduction": 2}, "median": {"looks": 5, "least": 2}}[rule]
    asked, budget = search(**{rule: {"grace": 0.2, **judge}}), Budget(steps=100)
    steps, notes = rungs(asked, budget), Notes()
    even = {step.percent: 0.2 for step in steps}
    late = {step.percent: 0.3 if step is steps[0] else 0.1 for step in steps}
    live = scheduler(asked, budget, notes)
    trials = [FakeTrial(str(number), {"number": number}) for number in range(3)]
    for trial in trials:
        live.on_trial_add(None, trial)
    # Trial 2 is the first at 20 %, where nobody can be stopped yet.
    for trial, seen in ((trials[2], late), (trials[0], even), (trials[1], even)):
        for step in steps if trial is not trials[2] else steps[:1]:
            live.on_trial_result(None, trial, step.row(seen[step.percent]))
    for step in steps[1:]:
        row = step.row(late[step.percent])
        assert live.on_trial_result(None, trials[2], row) == TrialScheduler.CONTINUE
    notes.kept = {0: even, 1: even, 2: late}

    over = scheduler(asked, budget, notes)
    over.replay([0, 1, 2])
    begun = scheduler(asked, budget, notes)
    begun.replay([0, 1])
    begun.on_trial_add(None, again := FakeTrial("again", {"number": 2}))
    last = steps[-1].row(late[steps[-1].percent])
    assert begun.on_trial_result(None, again, last) == TrialScheduler.CONTINUE

    for made in (over, begun):
        made.on_trial_add(None, poor := FakeTrial("poor", {"number": 3}))
        assert made.on_trial_result(None, poor, steps[0].row(0.9)) == TrialScheduler.STOP
        notes.kept.pop(3)
