"""IsoFLOP parabolas: at each budget of FLOPs, the size at which the loss is least.

The second approach of Hoffmann et al., "Training compute-optimal large language models", 2022,
section 3.2: log L is a parabola in log N at equal FLOPs, its minimum the best size at that budget,
and N* and D* are powers of the budget.

Shapes: R runs of one budget, C budgets, B resamples.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.statistics.scaling.fit import BOOTSTRAPS, Parameter, interval
from assay.statistics.scaling.runs import Runs, Values

_WIDTH = 0.1
_LEAST_SIZES = 4
_LEAST_BUDGETS = 3
_MOST_AT_AN_END = 0.025
"""Share of the resamples, beyond which an interval would end where the sizes do."""


@dataclass(frozen=True)
class Valley:
    """The parabola of one budget."""

    flops: float
    runs: Runs
    log_loss_3: Values
    """Coefficients of (log N)², log N and 1."""
    params: Parameter
    samples: Parameter


@dataclass(frozen=True)
class IsoFLOP:
    """N* = G · C^a and D* = H · C^b through the minima of several budgets."""

    valleys: tuple[Valley, ...]
    a: Parameter
    b: Parameter
    left_out: tuple[str, ...]
    """Budgets of which no minimum is known, each in a sentence."""


def isoflop(runs: Runs, bootstraps: int = BOOTSTRAPS, seed: int = 0) -> IsoFLOP:
    """Fit a parabola to every budget, and powers to their minima.

    Runs are of one budget where their FLOPs lie within a tenth.

    Raises:
        DataError: the runs have no FLOPs, or fewer than three budgets have a minimum.
    """
    if runs.flops_R is None:
        raise DataError("flops: the runs have no such column, and budgets are of FLOPs")
    valleys, minima, left_out, few = [], [], [], 0
    generator = np.random.default_rng(seed)
    for chosen_R in _budgets(runs.flops_R):
        of_budget = runs.at(chosen_R)
        if len(np.unique(of_budget.params_R)) < _LEAST_SIZES:
            few += 1
            continue
        try:
            valley, minima_B2 = _valley(of_budget, bootstraps, generator)
        except DataError as error:
            left_out.append(str(error))
            continue
        valleys.append(valley)
        minima.append(minima_B2)
    if few:
        left_out.append(
            f"{few} {'budget was' if few == 1 else 'budgets were'} run at fewer than "
            f"{_LEAST_SIZES} sizes; sizes meet at equal FLOPs in a ladder whose budget is in FLOPs"
        )
    if len(valleys) < _LEAST_BUDGETS:
        why = f" ({'; '.join(left_out)})" if left_out else ""
        raise DataError(
            f"{len(valleys)} budgets of FLOPs have a best size; {_LEAST_BUDGETS} are needed{why}"
        )
    log_C = np.log([valley.flops for valley in valleys])
    best_C2 = np.log([[valley.params.value, valley.samples.value] for valley in valleys])
    slope_2 = _slopes(log_C, best_C2[None])[0]
    low_2, high_2 = interval(_slopes(log_C, np.stack(minima, axis=1)))
    a, b = (Parameter.of(*each) for each in zip(slope_2, low_2, high_2, strict=True))
    return IsoFLOP(tuple(valleys), a, b, tuple(left_out))


def _budgets(flops_R: Values) -> list[NDArray[np.bool_]]:
    """Return masks (R,) of runs whose FLOPs lie within a tenth of the least of them."""
    left, found = np.ones(len(flops_R), bool), []
    while left.any():
        chosen_R = left & (flops_R <= flops_R[left].min() * (1 + _WIDTH))
        found.append(chosen_R)
        left &= ~chosen_R
    return found


def _valley(runs: Runs, bootstraps: int, generator: np.random.Generator) -> tuple[Valley, Values]:
    """Return the parabola, and (B, 2) log N* and log D* of its resamples."""
    flops_R = np.asarray(runs.flops_R)
    flops = float(np.exp(np.log(flops_R).mean()))
    x_R, y_R = np.log(runs.params_R), np.log(runs.loss_R)
    coefficients_3 = np.polyfit(x_R, y_R, 2)
    best = float(_lowest(coefficients_3[:, None], x_R)[0])
    if not x_R.min() < best < x_R.max():
        raise DataError(
            f"{flops:.2g} FLOPs: the loss is not least between the smallest and the largest size"
        )
    # Residuals are resampled, not runs: of five sizes a resample seldom has enough.
    off_R = (y_R - np.polyval(coefficients_3, x_R)) * np.sqrt(len(runs) / max(1, len(runs) - 3))
    drawn_RB = np.polyval(coefficients_3, x_R)[:, None] + generator.choice(
        off_R, (len(runs), bootstraps)
    )
    log_params_B = _lowest(np.polyfit(x_R, drawn_RB, 2), x_R)
    at_an_end = float(np.mean((log_params_B <= x_R.min()) | (log_params_B >= x_R.max())))
    if at_an_end > _MOST_AT_AN_END:
        raise DataError(
            f"{flops:.2g} FLOPs: in {at_an_end:.0%} of the resamples the loss is least at the "
            "smallest or the largest size; more sizes, further apart, would tell the best"
        )
    log_cost_2 = np.polyfit(x_R, np.log(flops_R / runs.samples_R), 1)
    log_samples_B = np.log(flops) - np.polyval(log_cost_2, log_params_B)
    params = _around(math.exp(best), np.exp(log_params_B))
    cost = math.exp(float(np.polyval(log_cost_2, best)))
    samples = _around(flops / cost, np.exp(log_samples_B))
    valley = Valley(flops, runs, coefficients_3, params, samples)
    return valley, np.stack([log_params_B, log_samples_B], axis=1)


def _lowest(coefficients_3B: Values, x_R: Values) -> Values:
    """Return (B,) where between the least and the greatest x each parabola is lowest."""
    low, high = x_R.min(), x_R.max()
    curvature_B, slope_B = coefficients_3B[0], coefficients_3B[1]
    ends_B = np.where(curvature_B * (high + low) + slope_B < 0, high, low)
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex_B = np.clip(-slope_B / (2 * curvature_B), low, high)
    return np.where(curvature_B > 0, vertex_B, ends_B)


def _around(value: float, found_B: Values) -> Parameter:
    low, high = interval(found_B)
    return Parameter.of(value, float(low), float(high))


def _slopes(log_C: Values, minima_BC2: Values) -> Values:
    """Return (B, 2) the slopes of lines through (log C, minimum)."""
    centred_C = log_C - log_C.mean()
    return np.einsum("c,bcx->bx", centred_C, minima_BC2) / (centred_C @ centred_C)
