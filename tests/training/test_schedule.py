import math

import pytest

from assay.cell import Budget, TrainingSettings
from assay.errors import ConfigError
from assay.task import Stage
from assay.training.schedule import rate_factor, require_steps_of_all_stages
from tests.training import toy


def test_cosine_warms_up_and_falls_to_zero():
    settings = TrainingSettings(schedule="cosine", warmup_fraction=0.1)

    assert rate_factor(settings, 0.05, 0) == pytest.approx(0.5)
    assert rate_factor(settings, 0.1, 0) == pytest.approx(1.0)
    assert rate_factor(settings, 0.55, 0) == pytest.approx(0.5)
    assert rate_factor(settings, 1.0, 0) == pytest.approx(0.0, abs=1e-12)


def test_constant_cools_down_linearly():
    settings = TrainingSettings(schedule="constant", warmup_fraction=0.0, cooldown_fraction=0.2)

    assert rate_factor(settings, 0.0, 0) == 1.0
    assert rate_factor(settings, 0.8, 0) == pytest.approx(1.0)
    assert rate_factor(settings, 0.9, 0) == pytest.approx(0.5)
    assert rate_factor(settings, 1.0, 0) == pytest.approx(0.0)


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_the_first_step_is_never_wasted_and_no_rate_is_negative(schedule):
    settings = TrainingSettings(schedule=schedule)

    factors = [rate_factor(settings, k / 1000, 0) for k in range(1000)]

    assert min(factors) > 0
    assert max(factors) <= 1.0
    assert all(math.isfinite(f) for f in factors)


def test_a_warm_up_in_steps_never_exceeds_the_cool_down():
    settings = TrainingSettings(schedule="constant", warmup_steps=100)

    assert rate_factor(settings, 0.95, 95) == pytest.approx(0.25)
    assert rate_factor(settings, 0.5, 50) == pytest.approx(0.5)


def test_a_warm_up_in_steps_does_not_depend_on_the_budget():
    settings = TrainingSettings(schedule="constant", warmup_steps=10)

    assert rate_factor(settings, 0.5, 4) == pytest.approx(0.4)
    assert rate_factor(settings, 0.001, 10) == 1.0
    assert rate_factor(settings, 0.9, 50) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("budget", "passed_over"),
    [({"steps": 20}, "joint"), ({"samples": 100}, "joint"), ({"steps": 40}, None),
     ({"flops": 1.0}, None)],
)  # fmt: skip
def test_a_stage_of_less_than_a_step_is_refused(budget, passed_over):
    one = toy.toy_cell().model_copy(update={"budget": Budget(**budget)})
    stages = [Stage("experts", 0.97), Stage("joint", 0.03)]

    if passed_over is None:
        require_steps_of_all_stages(one, stages)
        return
    with pytest.raises(ConfigError, match=f"stage {passed_over} has 0.03 of the budget, which is"):
        require_steps_of_all_stages(one, stages)
