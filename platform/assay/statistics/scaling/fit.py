"""Fitting a scaling law, and how surely its parameters are known.

The sum over runs of the Huber loss of log L̂ - log L is minimised (Hoffmann et al. 2022, section
3.3, δ = 10⁻³). The sum, not the mean: with the mean the optimiser stops early, and intervals come
out far too narrow (Besiroglu et al., "Chinchilla scaling: a replication attempt", 2024).

Shapes: R runs, P parameters, B resamples, G points of a grid.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Self

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import erf

from assay.errors import DataError
from assay.statistics.intervals import CONFIDENCE
from assay.statistics.scaling.forms import EXPONENTS, Form
from assay.statistics.scaling.runs import Runs, Values

DELTA = 1e-3
BOOTSTRAPS = 1000
VERSION = "4"
"""2: forms are compared by chains of runs, no longer by runs as if all were independent.
3: the power of a term that is in the loss of runs at one value alone is refused.
4: so is an R_star on which the loss hardly depends, and its form gives way to a better one."""

_FIRST_DELTA = 0.03
_TRIES = 12
_FACTOR_OF_NO_USE = 1000.0
_OF_NO_USE = 0.01
_HARDLY = 1e-3
"""Relative, in the loss of any run, for an R_star that is e times as large."""
_DIGITS = 6
_TOLD_AT = (
    "the runs are fitted as well without its term",
    "its term is in the loss of runs at one value alone: a step, whose power cannot be told",
)
"""Why a power is not told, by the number of values at which its term is in the loss."""

Watch = Callable[[float], None]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a law with its interval; `refusal` says why it is not known, if so."""

    value: float
    low: float
    high: float
    refusal: str | None = None

    @classmethod
    def of(cls, value: float, low: float, high: float) -> Self:
        """Return a parameter whose interval holds its value."""
        return cls(float(value), float(min(low, value)), float(max(high, value)))

    def unless_of_no_use(self) -> Self:
        """Return it, refused where its interval spans more than three orders of magnitude."""
        if np.isfinite(self.high) and self.high <= _FACTOR_OF_NO_USE * self.low:
            return self
        reason = f"the runs tell too little of it: {self.low:.1g} to {self.high:.1g}"
        return replace(self, refusal=reason)


@dataclass(frozen=True)
class Fit:
    """A law fitted to runs, and to resamples of them."""

    form: Form
    runs: Runs
    centre_T: Values
    theta_P: Values
    thetas_BP: Values

    @cached_property
    def residuals_R(self) -> Values:
        """(R,) log L̂ - log L."""
        return self._log_loss(self.runs, self.theta_P) - np.log(self.runs.loss_R)

    def predict(self, runs: Runs) -> tuple[Values, Values, Values]:
        """Return (R,) the loss of runs like these, and the interval of their law."""
        spread_BR = self._log_loss(runs, self.thetas_BP)
        low_R, high_R = interval(spread_BR)
        value_R = self._log_loss(runs, self.theta_P)
        low_R, high_R = np.minimum(low_R, value_R), np.maximum(high_R, value_R)
        with np.errstate(over="ignore"):
            return np.exp(value_R), np.exp(low_R), np.exp(high_R)

    def plain(self, theta_xP: Values) -> Values:
        """Return (…, P) the parameters as `form.parameters` names them; logs but for exponents.

        A factor that is not told may lie beyond all numbers.
        """
        T = len(self.centre_T)
        alpha_xT = theta_xP[..., 1 + T : 1 + 2 * T]
        log_factors_xT = theta_xP[..., 1 : 1 + T] + alpha_xT * self.centre_T
        pairs_xT2 = np.stack([log_factors_xT, alpha_xT], axis=-1)
        pairs_xX = pairs_xT2.reshape(*theta_xP.shape[:-1], 2 * T)
        return np.concatenate([theta_xP[..., :1], pairs_xX, theta_xP[..., 1 + 2 * T :]], axis=-1)

    def parameters(self) -> dict[str, Parameter]:
        """Return every parameter with its interval, or with the reason why it is not known."""
        ends = (self.plain(self.theta_P), *interval(self.plain(self.thetas_BP)))
        found, untold = {}, self._untold()
        for name, at in zip(self.form.parameters, zip(*ends, strict=True), strict=True):
            if name not in EXPONENTS:
                with np.errstate(over="ignore"):
                    at = np.exp(at)
            found[name] = self._judged(name, Parameter.of(*at))
            if name in untold and found[name].refusal is None:
                found[name] = replace(found[name], refusal=untold[name])
        return found

    def _untold(self) -> dict[str, str]:
        """Return why the parameters of a term are not known where it is in hardly any run.

        A term that is no hundredth of any run's loss, or of runs at one value alone (a step, which
        every steeper power is as well), has next to no derivatives: resamples begin at the fit and
        leave them where it stopped, in intervals of no width, which say nothing.
        """
        T, found = len(self.centre_T), {}
        log_loss_R, slope_RP = self.form.inputs(self.runs).log_loss(self.centre_T, self.theta_P)
        for term in range(T):
            share_R = slope_RP[:, 1 + term]
            there = share_R >= _OF_NO_USE
            log_term_R = log_loss_R[there] + np.log(share_R[there])
            values = len(np.unique(np.round(log_term_R, _DIGITS)))
            if values < len(_TOLD_AT):
                names = self.form.parameters[1 + 2 * term : 3 + 2 * term]
                found |= dict.fromkeys(names, _TOLD_AT[values])
        if self.form.repeats and np.abs(slope_RP[:, -1]).max() < _HARDLY:
            found["R_star"] = (
                "the loss hardly depends on it: any larger, or any smaller one will do"
            )
        return found

    @cached_property
    def log_likelihood(self) -> float:
        """Of the residuals, under the density that the Huber loss is minus the log of.

        p(r) ∝ exp(-ρ(r)/s), with the scale s that makes it greatest.
        """
        total, n = float(huber(self.residuals_R, DELTA).sum()), len(self.runs)

        def negative(log_s: float) -> float:
            s = np.exp(log_s)
            core = np.sqrt(2 * np.pi * s) * erf(DELTA / np.sqrt(2 * s))
            tails = 2 * s / DELTA * np.exp(-(DELTA**2) / (2 * s))
            return n * float(np.log(core + tails)) + total / s

        log_mean = np.log(max(total / n, 1e-300))
        best = minimize_scalar(negative, bounds=(log_mean - 5, log_mean + 10), method="bounded")
        return -float(best.fun)

    @property
    def aicc(self) -> float:
        """Akaike's criterion, corrected for few runs: Hurvich and Tsai, Biometrika 76 (1989) 297.

        Runs of one chain share their chance and count as one observation, with the mean of their
        log likelihoods: as if they were wholly dependent, which is the careful end. Infinite where
        chains are no more than parameters (the scale is one) and one.
        """
        k, n = len(self.theta_P) + 1, self.runs.chains
        if n <= k + 1:
            return np.inf
        log_likelihood = self.log_likelihood * n / len(self.runs)
        return 2 * k - 2 * log_likelihood + 2 * k * (k + 1) / (n - k - 1)

    def _log_loss(self, runs: Runs, theta_xP: Values) -> Values:
        return self.form.inputs(runs).log_loss(self.centre_T, theta_xP)[0]

    def _judged(self, name: str, found: Parameter) -> Parameter:
        low, high = found.low, found.high
        reason = None
        if name in EXPONENTS:
            if low <= 0:
                reason = f"the loss need not fall at all: {low:.2g} to {high:.2g}"
        elif name == "E":
            of_no_use = _OF_NO_USE * float(self.runs.loss_R.min())
            if high < of_no_use:
                reason = "the runs see no floor: they are fitted as well by powers alone"
            elif low < of_no_use:
                reason = f"the runs are far from a floor: it lies anywhere below {high:.3g}"
        else:
            return found.unless_of_no_use()
        return replace(found, refusal=reason)


def fit(
    form: Form, runs: Runs, bootstraps: int = BOOTSTRAPS, seed: int = 0, watch: Watch | None = None
) -> Fit:
    """Fit a law to all runs, and to resamples of the runs.

    Args:
        form: of the law.
        runs: at least one more than the form has parameters.
        bootstraps: B; with 0 nothing that has an interval can be asked of the fit.
        seed: of the resamples.
        watch: hears the fraction of the resamples that is done.

    Raises:
        DataError: the runs cannot tell the parameters of the form.
    """
    form.require(runs)
    problem = _Problem(form, runs)
    theta_P = problem.best(np.ones(len(runs)))
    generator = np.random.default_rng(seed)
    found = []
    for done in range(bootstraps):
        weight_R = _resampled(form, runs, generator)
        found.append(problem.solve(theta_P, weight_R)[1])
        if watch is not None:
            watch((done + 1) / bootstraps)
    thetas_BP = np.array(found).reshape(bootstraps, len(theta_P))
    return Fit(form, runs, problem.centre_T, theta_P, thetas_BP)


def interval(values_Bx: Values, confidence: float = CONFIDENCE) -> tuple[Values, Values]:
    """Return the percentile interval (…) over the first axis.

    Raises:
        ValueError: there is nothing on it.
    """
    if len(values_Bx) == 0:
        raise ValueError("no resamples: fit with bootstraps to have intervals")
    tail = (1 - confidence) / 2
    low_x, high_x = np.quantile(values_Bx, [tail, 1 - tail], axis=0)
    return low_x, high_x


def huber(residuals: Values, delta: float) -> Values:
    """Return ρ(r): r²/2 up to δ, and δ(|r| - δ/2) beyond."""
    size = np.abs(residuals)
    return np.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta))


def _resampled(form: Form, runs: Runs, generator: np.random.Generator) -> Values:
    """Return (R,) how often each run is drawn, such that the form can still be told.

    Chains are drawn whole: their runs share a beginning, and so their chance.
    """
    R = len(runs)
    places_R = np.arange(R)
    chain_R = places_R if runs.chain_R is None else np.unique(runs.chain_R, return_inverse=True)[1]
    chains = runs.chains
    if chains <= len(form.parameters):
        raise DataError(
            f"{chains} chains of runs that share a beginning; intervals of the "
            f"{len(form.parameters)} parameters of {form.formula} need more: more sizes, numbers "
            "of records or seeds"
        )
    for _ in range(1000):
        drawn_C = np.bincount(generator.integers(chains, size=chains), minlength=chains)
        count_R = drawn_C[chain_R]
        try:
            form.require(runs.at(np.repeat(places_R, count_R)))
        except DataError:
            continue
        return count_R.astype(np.float64)
    raise DataError(
        f"{R} runs vary so little that hardly a resample of them tells {form.formula}; more runs "
        "at more values are needed"
    )


class _Problem:
    """The objective of a form on runs, and its minimum."""

    def __init__(self, form: Form, runs: Runs) -> None:
        self.form, self.inputs = form, form.inputs(runs)
        self.log_loss_R = np.log(runs.loss_R)
        self.centre_T = self.inputs.logs_TR.mean(axis=-1)

    def best(self, weight_R: Values) -> Values:
        """Return the lowest of the minima that are reached from the best points of a grid."""
        starts_GP = self._grid()
        off_GR = self.inputs.log_loss(self.centre_T, starts_GP)[0] - self.log_loss_R
        order_G = np.argsort(huber(off_GR, _FIRST_DELTA) @ weight_R, kind="stable")
        found = [self.solve(starts_GP[g], weight_R) for g in order_G[:_TRIES]]
        return min(found, key=lambda each: each[0])[1]

    def solve(self, start_P: Values, weight_R: Values) -> tuple[float, Values]:
        """Return the least objective that is reached from a point, and where.

        First with a wider quadratic part: from far away the narrow one is nearly without curvature.
        """
        value, theta_P = np.inf, start_P
        for delta in (_FIRST_DELTA, DELTA):
            result = minimize(
                self._value_and_gradient, theta_P, (weight_R, delta), method="BFGS", jac=True,
                options={"gtol": 1e-7, "maxiter": 500},
            )  # fmt: skip
            value, theta_P = float(result.fun), result.x
        return value, theta_P

    def _value_and_gradient(
        self, theta_P: Values, weight_R: Values, delta: float
    ) -> tuple[float, Values]:
        # Over δ, so that the tolerance of the gradient means the same for every δ.
        log_loss_R, slope_RP = self.inputs.log_loss(self.centre_T, theta_P)
        off_R = log_loss_R - self.log_loss_R
        value = float(weight_R @ huber(off_R, delta)) / delta
        return value, (weight_R * np.clip(off_R, -delta, delta)) @ slope_RP / delta

    def _grid(self) -> Values:
        """Return (G, P) starting points, spread around what the runs show."""
        low, mean, T = self.log_loss_R.min(), self.log_loss_R.mean(), len(self.centre_T)
        floors = low + np.log([0.03, 0.5, 0.9])
        sizes = mean + np.log([0.05, 0.2, 0.6])
        exponents, repeats = (0.1, 0.3, 0.6, 1.2), np.log([1.0, 5.0, 25.0])
        axes = [floors, *[sizes] * T, *[exponents] * T]
        return np.array(list(product(*axes, *([repeats] if self.form.repeats else []))))
