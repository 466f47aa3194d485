"""How well everything else is told: what is auxiliary, and the modalities that are rebuilt.

Errors are over those of the training mean: 1 is what knowing nothing of a planet gives.

Shapes: N records.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from assay.habitability.metrics.units import Units, mean_of, ratio_of
from assay.task import Estimate

VERSION = "1"


def errors_beside(
    own: Mapping[str, NDArray[np.floating]],
    floor: Mapping[str, NDArray[np.floating]],
    units: Units,
    seed: int,
) -> dict[str, Estimate]:
    """Return each mean error over that of the training mean.

    Args:
        own: (N,) of each quantity, NaN of records that lack it. One that all lack is left out.
        floor: The same of the training mean.
        units: Who is resampled as one.
        seed: Of resampling.
    """
    found = {}
    for name, error_N in own.items():
        there_N = np.isfinite(error_N)
        if there_N.any() and floor[name][there_N].sum() > 0:
            statistic = ratio_of(error_N[there_N], floor[name][there_N])
            version = f"{VERSION}: {int(there_N.sum())} records, over the training mean's"
            found[name] = units.select(there_N).estimate(statistic, version, "lower", seed)
    return found


def imbalance(net_W_m2_N: NDArray[np.floating], units: Units, seed: int) -> dict[str, Estimate]:
    """Return `physics/imbalance`: how much more rebuilt climates take in than they give, or less.

    The mean of its size, in W/m².
    """
    version = f"{VERSION}: {len(net_W_m2_N)} records, W/m2"
    statistic = mean_of(np.abs(net_W_m2_N))
    return {"physics/imbalance": units.estimate(statistic, version, "lower", seed)}
