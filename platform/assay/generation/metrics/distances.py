"""Distances and likenesses of two sets, each with every record's influence on it.

The influence is by how much the value moves, times S, as the record's weight grows (see
`assay.statistics.intervals.linearised`): of the samples', the reference being fixed.

Shapes: S samples, T records of the reference, F bits, V values, K kinds, G points of a grid.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import matmul_toeplitz

_ROWS_AT_ONCE = 1024
_GRID = 1 << 13
_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Compared:
    """A value and what each of the samples does to it."""

    value: float
    influence: NDArray[np.float64]
    """(S,)."""


def wasserstein(values_V: NDArray[np.floating], reference_T: NDArray[np.floating]) -> Compared:
    """Return the Wasserstein-1 distance of two sets of numbers, V and T ≥ 1, in their own unit.

    It is ∫ |F - G| of their distribution functions; growing the weight of x moves F by
    1[x ≤ t] - F(t), hence the distance by ∫ sign(F - G) (1[x ≤ t] - F) dt.
    """
    ours_V, theirs_T = np.sort(values_V.astype(np.float64)), np.sort(reference_T.astype(np.float64))
    places = np.sort(np.concatenate([ours_V, theirs_T]))
    widths = np.diff(places)
    excess = np.searchsorted(ours_V, places[:-1], side="right") / len(ours_V) - np.searchsorted(
        theirs_T, places[:-1], side="right"
    ) / len(theirs_T)
    value = float(np.abs(excess) @ widths)
    beyond = np.concatenate([np.cumsum((np.sign(excess) * widths)[::-1])[::-1], [0.0]])
    of_value_V = beyond[np.searchsorted(places, values_V.astype(np.float64))]
    return Compared(value, of_value_V - of_value_V.mean())


def mean_discrepancy(values_V: NDArray[np.floating], reference_T: NDArray[np.floating]) -> Compared:
    """Return the squared maximum mean discrepancy of two sets of numbers, as JODO computes it.

    The kernel is the sum of five Gaussians, exp(-d² / b) with b = ¼, ½, 1, 2 and 4 times the mean
    squared difference of all pairs of the joined set; every value is also paired with itself.
    Instead of summing (V + T)² kernels, values are put on a fine grid, where the sums are a
    convolution: docs/protocols.md says how little that changes. Source: Gretton et al., JMLR 13
    (2012) 723, equation 5; Huang et al., arXiv 2305.12347, and its public code.

    Args:
        values_V: of the samples; if there is none, what remains is the reference against nothing.
        reference_T: T ≥ 1.
    """
    joined = np.concatenate([values_V, reference_T]).astype(np.float64)
    joined -= joined.mean()
    n = len(joined)
    width = 2 * n * float(joined @ joined) / max(n * n - n, 1)
    if width == 0:
        return Compared(float(len(values_V) == 0) * len(_WIDTHS), np.zeros(len(values_V)))
    step = float(np.ptp(joined)) / (_GRID - 1)
    place = (joined - joined.min()) / step
    left = np.minimum(place.astype(np.int64), _GRID - 2)
    part = place - left
    ours, theirs = slice(0, len(values_V)), slice(len(values_V), None)
    excess_G = _on_grid(left[ours], part[ours]) - _on_grid(left[theirs], part[theirs])
    apart_G = (step * np.arange(_GRID)) ** 2
    kernel_G = sum(np.exp(-apart_G / (width * factor)) for factor in _WIDTHS)
    felt_G = matmul_toeplitz(kernel_G, excess_G)
    influence_V = 2 * ((1 - part) * felt_G[left] + part * felt_G[left + 1])[ours]
    return Compared(max(0.0, float(excess_G @ felt_G)), influence_V)


def cosine(
    rows_V: NDArray[np.integer],
    kinds_V: NDArray[np.integer],
    samples: int,
    reference_K: NDArray[np.integer],
) -> Compared:
    """Return the cosine of the angle between total counts; 0 where either has none.

    Args:
        rows_V: the sample that has something, S of them in all.
        kinds_V: the kind that it has.
        samples: S.
        reference_K: how often the reference has it.
    """
    ours_K = np.bincount(kinds_V, minlength=len(reference_K)).astype(np.float64)
    theirs_K = reference_K.astype(np.float64)
    length, other = np.linalg.norm(ours_K), np.linalg.norm(theirs_K)
    if length == 0 or other == 0:
        return Compared(0.0, np.zeros(samples))
    value = float(ours_K @ theirs_K / (length * other))
    gradient_K = theirs_K / (length * other) - value * ours_K / length**2
    of_sample_S = np.zeros(samples)
    np.add.at(of_sample_S, rows_V, gradient_K[kinds_V])
    return Compared(value, samples * of_sample_S)


def nearest_similarities(
    bits_SF: NDArray[np.uint8], reference_TF: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return (S,) the largest Tanimoto similarity of each fingerprint to one of the reference."""
    return np.concatenate([row.max(axis=1) for row in _tanimoto(bits_SF, reference_TF)])


def internal_diversity(bits_SF: NDArray[np.uint8]) -> Compared:
    """Return 1 - the mean Tanimoto similarity of all S² pairs, each with itself among them."""
    mean_S = np.concatenate([row.mean(axis=1) for row in _tanimoto(bits_SF, bits_SF)])
    return Compared(float(1 - mean_S.mean()), -2 * mean_S)


def _on_grid(left_V: NDArray[np.int64], part_V: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shares of values at each point of the grid, each split over its two neighbours."""
    at_left = np.bincount(left_V, weights=1 - part_V, minlength=_GRID)
    at_right = np.bincount(left_V + 1, weights=part_V, minlength=_GRID)
    return (at_left + at_right) / max(1, len(left_V))


def _tanimoto(
    bits_SF: NDArray[np.uint8], reference_TF: NDArray[np.uint8]
) -> Iterator[NDArray[np.float64]]:
    """Yield (rows, T) similarities; two fingerprints without a bit are alike."""
    theirs_TF = reference_TF.astype(np.float32)
    sizes_T = theirs_TF.sum(axis=1)
    for begin in range(0, len(bits_SF), _ROWS_AT_ONCE):
        ours_RF = bits_SF[begin : begin + _ROWS_AT_ONCE].astype(np.float32)
        shared_RT = ours_RF @ theirs_TF.T
        either_RT = ours_RF.sum(axis=1)[:, None] + sizes_T - shared_RT
        yield np.divide(
            shared_RT, either_RT, out=np.ones_like(shared_RT), where=either_RT > 0
        ).astype(np.float64)
