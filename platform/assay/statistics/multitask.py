"""By how much a model of several tasks is worse than a model of each: Δm.

Maninis, Radosavovic, Kokkinos, "Attentive single-tasking of multiple tasks", CVPR 2019, equation 4,
with the sign of Navon et al., "Multi-task learning as a bargaining game", ICML 2022: the lower the
better.

Shapes: S seeds, K tasks.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.statistics.intervals import CONFIDENCE, Interval
from assay.statistics.seeds import mean_over_seeds

Values = NDArray[np.float64]


def relative_loss(
    ours_SK: Values, single_SK: Values, better: Sequence[Literal["higher", "lower"]]
) -> Values:
    """Return (S,) each seed's mean over tasks of the relative loss against single-task models.

    Of a task it is (theirs - ours) / mean of theirs over the seeds, with the other sign where lower
    is better: 0.05 is 5 % worse. One mean is the unit for all seeds: a single seed's small figure
    would blow its ratio up.

    Args:
        ours_SK: (S, K) one figure a task, of the model of all tasks.
        single_SK: (S, K) of the model of each task alone, same seeds.
        better: (K,) which way a task's figure is better.

    Raises:
        DataError: shapes differ, a value is not finite, or a single-task figure is not above 0 in
            the mean, so that nothing is relative to it.
    """
    if ours_SK.shape != single_SK.shape or ours_SK.shape[1:] != (len(better),):
        raise DataError(
            f"figures of shapes {ours_SK.shape} and {single_SK.shape} for {len(better)} tasks: "
            "both need the same seeds and tasks"
        )
    if not (np.isfinite(ours_SK).all() and np.isfinite(single_SK).all()):
        raise DataError("a figure is not finite")
    unit_K = single_SK.mean(axis=0)
    if not (unit_K > 0).all():
        task = int(np.flatnonzero(unit_K <= 0)[0])
        raise DataError(
            f"single-task figure {task + 1} is {unit_K[task]:.3g} in the mean: a relative loss "
            "needs one above 0"
        )
    sign_K = np.array([1.0 if way == "higher" else -1.0 for way in better])
    return np.asarray((sign_K * (single_SK - ours_SK) / unit_K).mean(axis=1))


def delta_m(
    ours_SK: Values,
    single_SK: Values,
    better: Sequence[Literal["higher", "lower"]],
    confidence: float = CONFIDENCE,
) -> tuple[float, Interval | None]:
    """Return the mean of `relative_loss` over seeds, and its interval, as `mean_over_seeds`.

    Raises:
        DataError: as there.
    """
    return mean_over_seeds(relative_loss(ours_SK, single_SK, better).tolist(), confidence)
