"""Coverage: which crystals of two sets are near to one of the other set, by their fingerprints.

Shapes: M samples, T crystals of the test split, R samples at once, C columns of a fingerprint.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_DISTANCES_AT_ONCE = 10_000_000


class Cutoffs(NamedTuple):
    """Distances of fingerprints up to which crystals are near."""

    structure: float
    composition: float


CUTOFFS: Mapping[str, Cutoffs] = {
    "mp20": Cutoffs(0.4, 10.0),
    "carbon_24": Cutoffs(0.2, 4.0),
    "perov_5": Cutoffs(0.2, 4.0),
}
"""As CDVAE published them, by data set."""


@dataclass(frozen=True)
class Fingerprints:
    """What coverage compares."""

    structure: NDArray[np.float64]
    """(M, C); nan where a crystal has none."""
    composition: NDArray[np.float64]
    """(M, C)."""

    @property
    def exist(self) -> NDArray[np.bool_]:
        """(M,)."""
        return ~np.isnan(self.structure[:, 0])


@dataclass(frozen=True)
class Coverage:
    """Which crystals have one of the other set near in structure, and one near in composition."""

    samples: NDArray[np.bool_]
    """(M,); those without a fingerprint have not."""
    test: NDArray[np.bool_]
    """(T,), without those that have no fingerprint."""
    lost: NDArray[np.int64]
    """(M,) how many of the test crystals are covered only as long as that sample is there."""


@dataclass(frozen=True)
class Near:
    """Which of M fingerprints are within a distance of which of T others."""

    has_M: NDArray[np.bool_]
    """Whether each has one near."""
    count_T: NDArray[np.int64]
    """How many are near to each of the others."""
    first_T: NDArray[np.int64]
    """The first of them: the only one, where there is one; 0 where there is none."""


def coverage(samples: Fingerprints, test: Fingerprints, cutoffs: Cutoffs) -> Coverage:
    """Say which crystals are covered; near in structure and in composition may be different ones.

    Source: Xie et al. (CDVAE), ICLR 2022, and its public code.
    """
    ours, theirs = samples.exist, test.exist
    structure = near(samples.structure[ours], test.structure[theirs], cutoffs.structure)
    composition = near(samples.composition[ours], test.composition[theirs], cutoffs.composition)
    covered_M = np.zeros(len(ours), dtype=bool)
    covered_M[ours] = structure.has_M & composition.has_M
    covered_T = (structure.count_T > 0) & (composition.count_T > 0)
    by_one_T = covered_T & (structure.count_T == 1)
    same_T = by_one_T & (structure.first_T == composition.first_T)
    by_other_T = covered_T & (composition.count_T == 1) & ~same_T
    sole = np.append(structure.first_T[by_one_T], composition.first_T[by_other_T])
    lost_M = np.bincount(np.flatnonzero(ours)[sole], minlength=len(ours))
    return Coverage(covered_M, covered_T, lost_M)


def near(one_MC: NDArray[np.float64], other_TC: NDArray[np.float64], cutoff: float) -> Near:
    """Compare every pair of fingerprints by their Euclidean distance."""
    M, T = len(one_MC), len(other_TC)
    squares_M, squares_T = ((x * x).sum(1) for x in (one_MC, other_TC))
    has_M = np.zeros(M, dtype=bool)
    count_T, first_T = np.zeros(T, dtype=np.int64), np.zeros(T, dtype=np.int64)
    rows = max(1, _DISTANCES_AT_ONCE // max(1, T))
    for begin in range(0, M if T else 0, rows):
        part = slice(begin, begin + rows)
        distances_RT = squares_M[part, None] + squares_T - 2 * (one_MC[part] @ other_TC.T)
        near_RT = distances_RT <= cutoff**2
        has_M[part] = near_RT.any(1)
        found_T = near_RT.any(0) & (count_T == 0)
        first_T[found_T] = begin + near_RT[:, found_T].argmax(0)
        count_T += near_RT.sum(0)
    return Near(has_M, count_T, first_T)
