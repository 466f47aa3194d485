"""Whether graphs that were asked for with a property have it, as a classifier sees it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.pathways.graphs import PathwayGraphs
from assay.pathways.metrics.estimates import pooled_share, share
from assay.task import Estimate

VERSION = "1"

Classifier = Callable[[PathwayGraphs], NDArray[np.integer]]
"""Returns (G,) the class of each graph; trained on real graphs alone."""


def fidelity(
    generated: PathwayGraphs, wanted_G: NDArray[np.integer], classifier: Classifier
) -> dict[str, Estimate]:
    """Return `conditional/fidelity`: the share of graphs that are classed as they were asked for.

    What the classifier scores on real graphs is the ceiling: give it those of the test split with
    their own classes for the data's row.

    Args:
        generated: G graphs.
        wanted_G: (G,) the class that each was asked for.
        classifier: judges them.

    Raises:
        DataError: the numbers of graphs, of wishes and of answers differ.
    """
    found_G = classifier(generated)
    if not len(generated) == len(wanted_G) == len(found_G):
        raise DataError(
            f"conditional fidelity: {len(generated)} graphs, {len(wanted_G)} wishes and "
            f"{len(found_G)} answers of the classifier"
        )
    right = int((found_G == wanted_G).sum())
    return {"conditional/fidelity": share(right, len(generated), VERSION)}


def ceiling(
    real: PathwayGraphs, classes_G: NDArray[np.integer], classifier: Classifier
) -> dict[str, Estimate]:
    """Return `conditional/fidelity` of real graphs with their own classes, each class alike.

    Balanced accuracy: graphs of a class that has few count for more.

    Args:
        real: G graphs, which the classifier has not seen.
        classes_G: (G,) the class of each.
        classifier: judges them.
    """
    right_G = (classifier(real) == classes_G).astype(np.float64)
    kinds, place_G, counts = np.unique(classes_G, return_inverse=True, return_counts=True)
    weights_G = len(real) / (len(kinds) * counts[place_G])
    found = pooled_share(right_G * weights_G, weights_G, VERSION)
    return {} if found is None else {"conditional/fidelity": found}
