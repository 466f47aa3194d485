"""The best size and the best number of samples for a budget of compute.

Of L = E + A/N^α + B/D^β with measured FLOPs C = c N^p D, the loss at a budget is least where
α A/N^α = p β B/D^β, so that N* is in proportion to C^(β/(α + pβ)) and D* to C^(α/(α + pβ)).
Hoffmann et al. 2022, equation 4, has p = 1 and c = 6; here both are measured, since FLOPs a
parameter differ by a factor of ten and more between architectures.

Shapes: R runs, G budgets, B resamples.
"""

from dataclasses import dataclass

import numpy as np

from assay.errors import DataError
from assay.statistics.scaling.fit import Fit, Parameter, interval
from assay.statistics.scaling.runs import Runs, Values


@dataclass(frozen=True)
class Optimum:
    """N*(C), D*(C) and the loss that they reach, with intervals."""

    flops_G: Values
    params_G: tuple[Parameter, ...]
    samples_G: tuple[Parameter, ...]
    loss_G: tuple[Parameter, ...]
    a: Parameter
    """N* is in proportion to C^a."""
    b: Parameter
    """D* is in proportion to C^b."""
    cost_2: tuple[float, float]
    """p and log c of the measured cost."""
    fall: float
    """Share of the resamples whose exponents are both positive: the intervals are theirs."""


def optimum(fit: Fit, flops_G: Values) -> Optimum:
    """Return the best size and number of samples for each budget of FLOPs.

    Raises:
        DataError: the law is not of params and samples, its exponents are not known, or the runs
            have no FLOPs.
    """
    if fit.form.name != "params_samples":
        raise DataError(
            f"{fit.form.formula}: has no best size; it takes a law of params and samples"
        )
    known = fit.parameters()
    for name in ("alpha", "beta"):
        if (reason := known[name].refusal) is not None:
            raise DataError(f"no best size is known, as {name} is not: {reason}")
    p, log_c = _cost(fit.runs)
    value = _solved(fit.plain(fit.theta_P), p, log_c, flops_G)
    plain_BP = fit.plain(fit.thetas_BP)
    fall_B = (plain_BP[:, 2] > 0) & (plain_BP[:, 4] > 0)
    low, high = interval(_solved(plain_BP[fall_B], p, log_c, flops_G))
    with np.errstate(over="ignore"):
        for ends in (value, low, high):
            ends[:3] = np.exp(ends[:3])
    by_quantity = [
        tuple(Parameter.of(*at) for at in zip(v, a, b, strict=True))
        for v, a, b in zip(value, low, high, strict=True)
    ]
    params_G, samples_G, loss_G, a_G, b_G = by_quantity
    sizes_G, counts_G = (
        tuple(each.unless_of_no_use() for each in found_G) for found_G in (params_G, samples_G)
    )
    fall = float(fall_B.mean())
    return Optimum(flops_G, sizes_G, counts_G, loss_G, a_G[0], b_G[0], (p, log_c), fall)


def _cost(runs: Runs) -> tuple[float, float]:
    """Return p and log c of C = c N^p D, by least squares on logarithms."""
    if runs.flops_R is None:
        raise DataError("flops: the runs have no such column, and a budget is of FLOPs")
    cost_R = np.log(runs.flops_R / runs.samples_R)
    p, log_c = np.polyfit(np.log(runs.params_R), cost_R, 1)
    if p <= 0:
        raise DataError("flops: larger networks cost no more a sample; look at the column")
    return float(p), float(log_c)


def _solved(plain_xP: Values, p: float, log_c: float, flops_G: Values) -> Values:
    """Return (…, 5, G): the logarithms of N*, D* and their loss, and both exponents."""
    log_E, log_A, alpha, log_B, beta = (plain_xP[..., part, None] for part in range(5))
    log_rate_G = np.log(flops_G) - log_c
    a = beta / (alpha + p * beta)
    odds = np.log(alpha) + log_A - np.log(p) - np.log(beta) - log_B
    log_N = (odds + beta * log_rate_G) / (alpha + p * beta)
    log_D = log_rate_G - p * log_N
    of_size = np.logaddexp(log_A - alpha * log_N, log_B - beta * log_D)
    a_xG, b_xG = np.broadcast_to(a, log_N.shape), np.broadcast_to(1 - p * a, log_N.shape)
    return np.stack([log_N, log_D, np.logaddexp(log_E, of_size), a_xG, b_xG], axis=-2)
