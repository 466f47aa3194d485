"""What matters in a search: its trials as arrays, on the scale on which they were searched.

Shapes: T complete trials, Q objectives.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.search import Dimension, Search, StudyRecord
from assay.statistics import importance
from assay.statistics.importance import Importance

Values = NDArray[np.float64]


def of_variance(study: StudyRecord, search: Search, metric: str) -> list[Importance]:
    """Return each setting's share of an objective's variance (`assay.statistics.importance`).

    Raises:
        DataError: as there.
    """
    trials = [trial for trial in study.trials if trial.state == "complete"]
    figure_T = np.array([trial.objectives[metric].mean for trial in trials], dtype=np.float64)
    settings, ranges = _settings(study, search)
    return importance.of_variance(settings, ranges, figure_T, importance.RESAMPLES)


def of_reaching_the_front(
    study: StudyRecord, search: Search, losses_TQ: Values
) -> list[Importance]:
    """Return what the trials nearest to the front have in common.

    Args:
        study: Whose complete trials are looked at.
        search: Its space.
        losses_TQ: (T, Q) their objectives, the lower the better.

    Raises:
        DataError: as in `assay.statistics.importance`.
    """
    settings, ranges = _settings(study, search)
    return importance.of_reaching_the_front(settings, ranges, losses_TQ, importance.RESAMPLES)


def _settings(
    study: StudyRecord, search: Search
) -> tuple[dict[str, Values], dict[str, tuple[float, float]]]:
    """Return (T,) of each setting, and its range; a choice by its place."""
    trials = [trial for trial in study.trials if trial.state == "complete"]
    settings, ranges = {}, {}
    for key, dimension in search.space.items():
        found = [_place(trial.values[key], dimension) for trial in trials]
        settings[key] = np.array(found, dtype=np.float64)
        low, high = (_place(end, dimension) for end in dimension.ends)
        ranges[key] = (low, high)
    return settings, ranges


def _place(value: Any, dimension: Dimension) -> float:
    if dimension.choice is not None:
        return float(dimension.choice.index(value))
    return float(np.log10(value)) if dimension.log else float(value)
