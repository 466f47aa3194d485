"""Which proteins a drug is known to act on, as a row of zeros and ones.

Shapes: V nodes, P proteins.
"""

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.interactions.features.node_features import NodeFeatures


def proteins(n_nodes: int, pairs_2: NDArray[np.integer]) -> NodeFeatures:
    """Return (V, P) of pairs of a node and a protein; a drug without any is unknown.

    Raises:
        DataError: there are no pairs, or one names a node that there is not.
    """
    if len(pairs_2) == 0:
        raise DataError("proteins: the data set knows of none; leave out features proteins")
    nodes, numbers = pairs_2.T
    if nodes.min() < 0 or nodes.max() >= n_nodes:
        raise DataError(f"proteins: name node {nodes.max()}; there are {n_nodes:,}")
    x_VP = np.zeros((n_nodes, int(numbers.max()) + 1), np.float32)
    x_VP[nodes, numbers] = 1
    return NodeFeatures.of(x_VP, x_VP.any(axis=1))
