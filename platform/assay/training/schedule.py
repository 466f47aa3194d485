"""Learning-rate schedules as functions of the share of the budget that is spent."""

import math
from collections.abc import Sequence

from assay.cell import Cell, TrainingSettings
from assay.errors import ConfigError
from assay.task import Stage

_FIRST = 1e-3


def rate_factor(settings: TrainingSettings, spent: float, step: int) -> float:
    """Return the factor on the learning rate of a step.

    Linear warm-up, then a cosine to zero, or a constant with a linear cool-down to zero. A warm-up
    in steps that reaches into the cool-down never exceeds it.

    Args:
        settings: The schedule.
        spent: Fraction of the budget that is spent before the step.
        step: How many steps there were before.
    """
    warmup = settings.warmup_fraction
    if settings.warmup_steps is not None:
        risen = step / settings.warmup_steps
    else:
        risen = spent / warmup if warmup else 1.0
    risen = min(max(risen, _FIRST), 1.0)
    if settings.schedule == "cosine":
        rest = (spent - warmup) / (1 - warmup) if warmup < 1 else 1.0
        return risen if risen < 1 else 0.5 * (1 + math.cos(math.pi * min(rest, 1.0)))
    cooldown = settings.cooldown_fraction
    return min(risen, (1 - min(spent, 1.0)) / cooldown) if cooldown else risen


def require_steps_of_all_stages(cell: Cell, stages: Sequence[Stage]) -> None:
    """See that no stage is so short that it would be passed over without a step.

    Budgets in FLOPs and seconds are not known in steps beforehand.

    Raises:
        ConfigError: one is.
    """
    a_step = {"steps": 1, "samples": cell.training.batch_size}.get(cell.budget.unit)
    for stage in stages:
        if a_step is not None and stage.share * cell.budget.amount < a_step:
            raise ConfigError(
                f"cell {cell.key} ({cell.label}): stage {stage.name} has {stage.share:.2g} of the "
                "budget, which is less than a step; give it more, or leave it out"
            )


def require_one_warm_up(cell: Cell, stages: int) -> None:
    """See that a warm-up in steps is not asked of several stages, each with one of its own.

    Raises:
        ConfigError: it is.
    """
    if cell.training.warmup_steps is not None and stages > 1:
        raise ConfigError(
            f"cell {cell.key} ({cell.label}): trains in {stages} stages, each with a warm-up of "
            "its own; give training.warmup_fraction instead of warmup_steps"
        )
