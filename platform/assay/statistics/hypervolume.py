"""How much of the space of objectives a set of models commands.

Zitzler, Thiele, "Multiobjective evolutionary algorithms: a comparative case study and the strength
Pareto approach", IEEE Trans. Evol. Comput. 3 (1999) 257; computed by Optuna, after While,
Bradstreet, Barone, "A fast way of calculating exact hypervolumes", same journal 16 (2012) 86.

Shapes: M models, Q objectives.
"""

import numpy as np
from numpy.typing import NDArray
from optuna._hypervolume import compute_hypervolume

from assay.errors import DataError


def hypervolume(points_MQ: NDArray[np.float64], reference_Q: NDArray[np.float64]) -> float:
    """Return the volume of what is worse than some model and better than the reference.

    Its unit is the product of the objectives' units. A model that is not better than the reference
    in all objectives adds nothing.

    Args:
        points_MQ: (M, Q), the lower the better.
        reference_Q: the worst that counts.

    Raises:
        DataError: a value is not finite, or the reference has other objectives.
    """
    if points_MQ.ndim != 2 or points_MQ.shape[1:] != reference_Q.shape:
        raise DataError(
            f"points of shape {points_MQ.shape} beside a reference of {reference_Q.size} objectives"
        )
    if not (np.isfinite(points_MQ).all() and np.isfinite(reference_Q).all()):
        raise DataError("an objective is not finite: such a model commands nothing that is known")
    inside_M = (points_MQ < reference_Q).all(axis=1)
    return float(compute_hypervolume(points_MQ[inside_M], reference_Q))
