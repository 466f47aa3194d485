"""Whether graphs that were asked for with a property have it, each class of them counted alike.

Shapes: G graphs, S clusters of them that are resampled whole, C classes.
"""

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.pathways.metrics.estimates import estimated
from assay.statistics.intervals import linearised, wilson
from assay.task import Estimate

VERSION = "2"


def balanced(
    found_G: NDArray[np.integer], wanted_G: NDArray[np.integer], sources_G: NDArray[np.integer]
) -> Estimate:
    """Return the share of graphs that are of the class that is wanted: the mean over the classes.

    However many graphs a class has, and whatever is found regardless of what is wanted, chance is
    one over the number of classes. The interval resamples whole sources, those of each class among
    themselves (linearised). Where none of them differs from its class, resampling sees no spread;
    then each source counts as one trial.

    Args:
        found_G: (G,) the class that each is found to be of.
        wanted_G: (G,) the class that each was asked for, or is known to be of.
        sources_G: (G,) what each comes from: graphs of one source and class are one cluster.

    Raises:
        DataError: there are no graphs, or the three differ in length.
    """
    if not len(found_G) == len(wanted_G) == len(sources_G) > 0:
        raise DataError(
            f"conditional fidelity: {len(found_G)} answers of the judge, {len(wanted_G)} wishes "
            f"and {len(sources_G)} sources; give one of each a graph, for at least one graph"
        )
    clusters_2S, place_G = np.unique(np.stack([wanted_G, sources_G]), axis=1, return_inverse=True)
    right_S = np.bincount(place_G.reshape(-1), weights=found_G == wanted_G)
    size_S = np.bincount(place_G.reshape(-1))
    kinds_C, class_S = np.unique(clusters_2S[0], return_inverse=True)
    total_C = np.bincount(class_S, weights=size_S)
    share_C = np.bincount(class_S, weights=right_S) / total_C
    # By how much the mean moves, times S, as the weight of a cluster grows.
    S, C = len(size_S), len(kinds_C)
    influence_S = S / C * (right_S - share_C[class_S] * size_S) / total_C[class_S]
    value = float(share_C.mean())
    spread = bool((np.abs(influence_S) > 1e-12).any())
    interval = linearised(value, influence_S, 0, 1) if spread else wilson(value * S, S)
    return estimated(value, interval, len(found_G), VERSION, "higher")
