"""Crystal structure prediction: how often, and how closely, a structure is found from its formula.

Source: Xie et al. (CDVAE), ICLR 2022, and Jiao et al. (DiffCSP), NeurIPS 2023, with their public
code; cRMSE is that of Martirossyan et al., "All that structure matches does not glitter", arXiv
2509.12178. docs/protocols_crystals.md says where the two conventions differ.

Shapes: T targets, K predictions of each.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.crystals import Crystals
from assay.errors import DataError
from assay.generation.metrics.cdvae import validity
from assay.generation.metrics.crystal_matching import SITE_TOLERANCE, distances
from assay.statistics.intervals import bootstrap, wilson
from assay.task import Estimate

VERSION = "1"
"""Changes whenever a number could: results of another version are evaluated again."""

_EQUAL = 1e-9


@dataclass(frozen=True)
class Matches:
    """What became of each target."""

    distances_TK: NDArray[np.float64]
    """Of each prediction from its target, as `crystal_matching.distances`; nan without a match."""
    valid_TK: NDArray[np.bool_]
    """The prediction is valid in the sense of CDVAE."""
    valid_T: NDArray[np.bool_]
    """So is the target."""

    def nearest(self, target_valid: bool) -> NDArray[np.float64]:
        """Return (T,) the least distance of a valid prediction, nan without a match.

        Args:
            target_valid: of valid targets only (DiffCSP), or of all (CDVAE).
        """
        counted_TK = self.valid_TK & ~np.isnan(self.distances_TK)
        if target_valid:
            counted_TK &= self.valid_T[:, None]
        least_T = np.where(counted_TK, self.distances_TK, np.inf).min(1, initial=np.inf)
        return np.where(np.isfinite(least_T), least_T, np.nan)


def match(
    predictions: Crystals,
    targets: Crystals,
    processes: int = 1,
    missing: NDArray[np.int64] | None = None,
) -> Matches:
    """Compare predictions with their targets.

    Args:
        predictions: T·K crystals; those of target t are `t * K` to `(t + 1) * K - 1`.
        targets: T crystals.
        processes: as in `crystal_matching.distances`.
        missing: places among the T·K of predictions that could not be read, and are left out of
            `predictions`: they match nothing.

    Raises:
        DataError: there is no target, or not the same number of predictions for each.
        MachineError: pymatgen or smact is missing.
    """
    T = len(targets)
    total = len(predictions) + (0 if missing is None else len(missing))
    if T == 0 or total == 0 or total % T:
        raise DataError(
            f"{total:,} predictions cannot be those of {T:,} targets: give as many for "
            "each, one target's after the other's, in the order of the targets"
        )
    K = total // T
    places = np.arange(total)
    if missing is not None:
        places = np.setdiff1d(places, missing)
    valid_TK, distances_TK = np.zeros((T, K), dtype=np.bool_), np.full((T, K), np.nan)
    valid = np.flatnonzero(validity(predictions).both) if len(predictions) else places[:0]
    valid_TK.flat[places[valid]] = True
    paired = targets.select(places[valid] // K)
    distances_TK.flat[places[valid]] = distances(predictions.select(valid), paired, processes)
    return Matches(distances_TK, valid_TK, validity(targets).both)


def evaluate(
    predictions: Crystals,
    targets: Crystals,
    processes: int = 1,
    seed: int = 0,
    missing: NDArray[np.int64] | None = None,
) -> dict[str, Estimate]:
    """Score predictions of one structure a target, or the best of several.

    `csp/match_rate`, the share of targets that are matched; `csp/rmse`, the mean distance of those
    that are; and `csp/crmse`, the mean of all, those without a match counted at SITE_TOLERANCE,
    so that matching less is no advantage. A match needs a valid prediction and a valid target, as
    in DiffCSP and the tables after it. `…_cdvae` are the same where the target need not be valid.
    Without a match there is no `rmse`.

    Args:
        predictions: as in `match`.
        targets: as in `match`.
        processes: as in `crystal_matching.distances`.
        seed: of the resampling.
        missing: as in `match`.
    """
    found = match(predictions, targets, processes, missing)
    estimates = {}
    for suffix, target_valid in (("", True), ("_cdvae", False)):
        nearest_T = found.nearest(target_valid)
        matched = nearest_T[~np.isnan(nearest_T)]
        estimates[f"csp/match_rate{suffix}"] = _match_rate(len(matched), len(nearest_T))
        if len(matched):
            estimates[f"csp/rmse{suffix}"] = _mean(matched, seed)
        all_T = np.where(np.isnan(nearest_T), SITE_TOLERANCE, nearest_T)
        estimates[f"csp/crmse{suffix}"] = _mean(all_T, seed)
    return estimates


def _match_rate(successes: int, n: int) -> Estimate:
    low, high = wilson(successes, n)
    return Estimate(value=successes / n, low=low, high=high, n=n, version=VERSION, better="higher")


def _mean(values: NDArray[np.float64], seed: int) -> Estimate:
    """Return the mean of distances of at most SITE_TOLERANCE.

    Where all are equal, resampling sees no spread: then each is taken as a trial that either
    succeeds or fails, which is the widest that values between 0 and the tolerance allow.
    """
    value, n = float(values.mean()), len(values)
    low, high = bootstrap(values, lambda drawn: drawn.mean(axis=-1), seed=seed)
    if np.ptp(values) < _EQUAL:
        low, high = (SITE_TOLERANCE * end for end in wilson(n * value / SITE_TOLERANCE, n))
    low, high = min(low, value), max(high, value)
    return Estimate(value=value, low=low, high=high, n=n, version=VERSION, better="lower")
