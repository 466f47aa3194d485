"""Learning-rate schedules as functions of the share of the budget that is spent."""

import math

from assay.cell import TrainingSettings


def rate_factor(settings: TrainingSettings, spent: float) -> float:
    """Return the factor on the learning rate when the fraction `spent` of the budget is spent.

    Linear warm-up, then a cosine to zero, or a constant with a linear cool-down to zero.
    """
    warmup = settings.warmup_fraction
    if spent < warmup:
        return max(spent / warmup, 1e-3)
    if settings.schedule == "cosine":
        rest = (spent - warmup) / (1 - warmup) if warmup < 1 else 1.0
        return 0.5 * (1 + math.cos(math.pi * min(rest, 1.0)))
    cooldown = settings.cooldown_fraction
    return min(1.0, (1 - min(spent, 1.0)) / cooldown) if cooldown else 1.0
