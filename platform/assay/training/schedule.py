"""Learning-rate schedules as functions of the share of the budget that is spent."""

import math

from assay.cell import TrainingSettings

_FIRST = 1e-3


def rate_factor(settings: TrainingSettings, spent: float, step: int) -> float:
    """Return the factor on the learning rate of a step.

    Linear warm-up, then a cosine to zero, or a constant with a linear cool-down to zero.

    Args:
        settings: The schedule.
        spent: Fraction of the budget that is spent before the step.
        step: How many steps there were before.
    """
    warmup = 0.0
    if settings.warmup_steps is not None:
        if step < settings.warmup_steps:
            return max(step / settings.warmup_steps, _FIRST)
    else:
        warmup = settings.warmup_fraction
        if spent < warmup:
            return max(spent / warmup, _FIRST)
    if settings.schedule == "cosine":
        rest = (spent - warmup) / (1 - warmup) if warmup < 1 else 1.0
        return 0.5 * (1 + math.cos(math.pi * min(rest, 1.0)))
    cooldown = settings.cooldown_fraction
    return min(1.0, (1 - min(spent, 1.0)) / cooldown) if cooldown else 1.0
