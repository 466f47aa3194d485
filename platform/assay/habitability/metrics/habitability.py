"""How well habitability is foretold: its value, whether it reaches a half, and how surely.

Shapes: N records, R resamples, K bins.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from assay.habitability.data.target import HABITABLE, THRESHOLDS
from assay.habitability.metrics.units import Statistic, Units, mean_of
from assay.task import Estimate

VERSION = "1"
BINS = 10
_LEAST_VARIANCE = 1e-12


def evaluate(
    label_N: NDArray[np.floating],
    expected_N: NDArray[np.floating],
    chance_N: NDArray[np.floating],
    units: Units,
    seed: int,
    under: str = "habitability",
) -> dict[str, Estimate]:
    """Return `r2`, `mae`, `auroc` and `ece` under a name.

    `r2` is 1 less the squared error over the variance of the labels, about their own mean: it is
    below 0 of what is worse than that mean. `auroc` and `ece` are of the chance to reach
    `THRESHOLDS[HABITABLE]`, a half; the former is left out where all planets are of one kind.

    Args:
        label_N: 0 to 1.
        expected_N: What is foretold.
        chance_N: Of a half or more.
        units: Who is resampled as one.
        seed: Of resampling.
        under: The protocol's name.
    """
    habitable_N = label_N >= THRESHOLDS[HABITABLE]
    told = f"{VERSION}: {len(label_N)} records"
    limit = f"{told}, habitable from {THRESHOLDS[HABITABLE]:g} on"
    found = {
        "r2": units.estimate(explained(label_N, expected_N), told, "higher", seed),
        "mae": units.estimate(mean_of(np.abs(label_N - expected_N)), told, "lower", seed),
        "ece": units.estimate(
            calibration_error(habitable_N, chance_N), f"{limit}, {BINS} bins", "lower", seed
        ),
    }
    if 0 < habitable_N.sum() < len(habitable_N):
        found["auroc"] = units.estimate(ranking(habitable_N, chance_N), limit, "higher", seed)
    return {f"{under}/{name}": each for name, each in found.items()}


def scores(
    label_N: NDArray[np.floating],
    expected_N: NDArray[np.floating],
    chance_N: NDArray[np.floating],
) -> dict[str, float]:
    """Return `mae`, `r2` and `ece` as `evaluate` defines them, without their intervals.

    Args:
        label_N: 0 to 1.
        expected_N: What is foretold.
        chance_N: Of a half or more.
    """
    statistics = {
        "mae": mean_of(np.abs(label_N - expected_N)),
        "r2": explained(label_N, expected_N),
        "ece": calibration_error(label_N >= THRESHOLDS[HABITABLE], chance_N),
    }
    once = np.ones((1, len(label_N)))
    return {name: float(of(once)[0]) for name, of in statistics.items()}


def explained(label_N: NDArray[np.floating], expected_N: NDArray[np.floating]) -> Statistic:
    """Return the statistic R²; 0 of records that are all alike."""

    def of(weights_RN: NDArray[np.float64]) -> NDArray[np.float64]:
        n_R = weights_RN.sum(1)
        variance_R = weights_RN @ label_N**2 / n_R - (weights_RN @ label_N / n_R) ** 2
        left_R = weights_RN @ (label_N - expected_N) ** 2 / n_R
        alike_R = variance_R < _LEAST_VARIANCE
        return np.where(alike_R, 0.0, 1 - left_R / np.where(alike_R, 1.0, variance_R))

    return of


def ranking(positive_N: NDArray[np.bool_], score_N: NDArray[np.floating]) -> Statistic:
    """Return the statistic that is the area under the ROC curve.

    The chance that a positive scores above a negative; a tie counts one half (Hanley, McNeil,
    Radiology 143 (1982) 29). Of a resample without either: a half, as if nothing were known.
    """
    order_N = np.argsort(score_N, kind="stable")
    sorted_N = score_N[order_N]
    first_T = np.flatnonzero(np.diff(sorted_N, prepend=-np.inf))

    def of(weights_RN: NDArray[np.float64]) -> NDArray[np.float64]:
        sorted_RN = weights_RN[:, order_N]
        above_RT = np.add.reduceat(sorted_RN * positive_N[order_N], first_T, axis=1)
        below_RT = np.add.reduceat(sorted_RN * ~positive_N[order_N], first_T, axis=1)
        beaten_RT = below_RT.cumsum(1) - below_RT / 2
        pairs_R = above_RT.sum(1) * below_RT.sum(1)
        wins_R = (above_RT * beaten_RT).sum(1)
        return np.where(pairs_R > 0, wins_R / np.where(pairs_R > 0, pairs_R, 1), 0.5)

    return of


def calibration_error(reached_N: NDArray[np.bool_], chance_N: NDArray[np.floating]) -> Statistic:
    """Return the statistic Σₖ |Σ (y − p)| / n over bins of equal width.

    Naeini, Cooper, Hauskrecht, AAAI 2015. By chance alone the share of a bin misses its mean: its
    floor is above 0, and the higher the fewer records there are.
    """
    off_NK = (reached_N - chance_N)[:, None] * _members(chance_N)
    return lambda weights_RN: np.abs(weights_RN @ off_NK).sum(1) / weights_RN.sum(1)


def reliability(
    label_N: NDArray[np.floating], chance_N: NDArray[np.floating]
) -> list[Mapping[str, float]]:
    """Return the reliability diagram: of each bin that is not empty its records and two shares.

    `records`, the mean `probability` of being habitable, and the `share` of them that is.
    """
    habitable_N, members_NK = label_N >= THRESHOLDS[HABITABLE], _members(chance_N)
    return [
        {
            "records": int(own.sum()),
            "probability": float(chance_N[own].mean()),
            "share": float(habitable_N[own].mean()),
        }
        for own in members_NK.T
        if own.any()
    ]


def _members(chance_N: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return (N, K): which bin a chance is in."""
    bin_N = np.minimum((chance_N * BINS).astype(np.int64), BINS - 1)
    return bin_N[:, None] == np.arange(BINS)
