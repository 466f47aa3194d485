"""Scores a file of links, anyone's: what a model says of edges and of pairs that are none."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.npz import read_array
from assay.chemistry.scored import scored
from assay.errors import DataError
from assay.interactions import metrics

ARRAYS = ("pos", "neg")


def evaluate_links(path: Path) -> dict[str, Any]:
    """Score the pairs of a file, as a cell's own are scored.

    Args:
        path: NPZ of two arrays of floats: `pos` (P,), scores of edges, and `neg` (N,), scores of
            pairs that are no edge, which every edge is ranked against; the higher the surer. A
            cell's `scores.npz` is such a file.

    Returns:
        `metrics`, name → estimate; `rejected`, which is empty, as a score that cannot be used
        refuses the file; and `provenance`. JSON throughout.

    Raises:
        DataError: the file is missing or damaged, lacks an array, or the scores cannot be ranked.
    """
    pos_P, neg_N = (_scores(path, name) for name in ARRAYS)
    try:
        found = metrics.evaluate(pos_P, neg_N)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    needs = "needs to know which pairs they are: a suite's own cells have it"
    provenance = {
        "protocols": {"ogb": metrics.VERSION},
        "left_out": {"coverage": needs, "heart": needs},
        **scored(path, len(pos_P) + len(neg_N), ("numpy",)),
    }
    plain = {name: estimate.model_dump() for name, estimate in found.items()}
    return {"metrics": plain, "rejected": [], "provenance": provenance}


def _scores(path: Path, name: str) -> NDArray[np.floating]:
    found = read_array(path, name, "float")
    if found.ndim != 1:
        raise DataError(f"{path}: array {name!r} has shape {found.shape}; give one score a pair")
    return found
