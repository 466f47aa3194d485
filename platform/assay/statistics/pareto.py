"""Which models are beaten by none that costs no more.

Shapes: M models, Q costs.
"""

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError


def front(quality_M: NDArray[np.float64], costs_MQ: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (M,) bool: no other model is at least as good and as cheap in all, and better in one.

    Args:
        quality_M: the higher the better.
        costs_MQ: (M, Q) the lower the better: FLOPs, seconds, parameters, memory.

    Raises:
        DataError: a value is not finite.
    """
    points_MX = np.column_stack([-quality_M, costs_MQ])
    if not np.isfinite(points_MX).all():
        raise DataError("a quality or a cost is not finite: such a model has no place on a front")
    no_worse_MM = (points_MX[:, None] <= points_MX[None]).all(axis=-1)
    better_MM = (points_MX[:, None] < points_MX[None]).any(axis=-1)
    beaten_M = np.asarray((no_worse_MM & better_MM).any(axis=0))
    return ~beaten_M
