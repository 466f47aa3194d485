"""Which proteins a drug is known to act on, as a row of zeros and ones.

Shapes: V nodes, P proteins.
"""

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.interactions.features.node_features import NodeFeatures
from assay.interactions.settings import FeatureSettings
from assay.store.packed import PackedSet


def of_nodes(packed: PackedSet, settings: FeatureSettings) -> NodeFeatures:
    """Return the proteins that the set knows of, of every node."""
    pairs_2 = packed.arrays.get("proteins", np.empty((0, 2), np.int32))
    return proteins(len(packed.arrays["smiles"]), np.asarray(pairs_2))


def proteins(n_nodes: int, pairs_2: NDArray[np.integer]) -> NodeFeatures:
    """Return (V, P) of pairs of a node and a protein; a drug without any is unknown.

    Raises:
        DataError: there are no pairs, or one names a node that there is not.
    """
    if len(pairs_2) == 0:
        raise DataError("proteins: the data set knows of none; leave out features proteins")
    nodes, numbers = pairs_2.T
    if nodes.min() < 0 or nodes.max() >= n_nodes:
        wrong = nodes[(nodes < 0) | (nodes >= n_nodes)][0]
        raise DataError(f"proteins: name node {wrong}; there are {n_nodes:,}")
    x_VP = np.zeros((n_nodes, int(numbers.max()) + 1), np.float32)
    x_VP[nodes, numbers] = 1
    return NodeFeatures.of(x_VP, np.asarray(x_VP.any(axis=1)))
