"""Steps of a sampler from one time to the next, for any space in which positions can be added.

Solvers follow dx/dt = v. Euler evaluates the network once a step, Heun twice (second order), and
rk45 is the Dormand-Prince pair of orders 5 and 4, whose steps are as long as its tolerance lets
them be (torchdiffeq). The others take one step from a prediction of the data and fresh noise.
"""

from collections.abc import Callable
from typing import Literal, cast

import torch
from torch import Tensor
from torchdiffeq import odeint

from assay.errors import TrainingError
from assay.generation.processes import conversions

Solver = Literal["euler", "heun", "rk45"]
Rate = Callable[[Tensor, Tensor], Tensor]
"""The velocity at (positions, time): one evaluation of the network."""
Scales = tuple[Tensor, Tensor]
"""a and s of a path at one time."""

_MOST_STEPS = 200
"""Of rk45 in one interval of the grid."""


def evaluations(solver: Solver, intervals: int) -> int:
    """Return the network's evaluations over a grid (rk45: the least); the last interval is one."""
    per_interval = {"euler": 1, "heun": 2, "rk45": 7}[solver]
    return per_interval * (intervals - 1) + 1


def euler(here: Tensor, start: Tensor, now: Tensor, then: Tensor) -> Tensor:
    """Return x + Δt v, v being the velocity at the start."""
    return here + (then - now) * start


def heun(here: Tensor, start: Tensor, now: Tensor, then: Tensor, rate: Rate) -> Tensor:
    """Return x + Δt (v + v')/2, v' being the velocity where Euler's step ends."""
    return here + 0.5 * (then - now) * (start + rate(euler(here, start, now, then), then))


def rk45(
    here: Tensor,
    start: Tensor,
    now: Tensor,
    then: Tensor,
    rate: Rate,
    tolerance: float,
    norm: Callable[[Tensor], Tensor],
) -> Tensor:
    """Return the solution at `then`; `norm` measures errors relative to tolerance (1 + |x|).

    Raises:
        TrainingError: the velocity is not finite, or too rough for the tolerance.
    """
    known = [start]  # the solver begins with the velocity that the caller has already

    def velocity(time: Tensor, positions: Tensor) -> Tensor:
        return known.pop() if known else rate(positions, time)

    options = {
        "norm": norm,
        "first_step": then - now,
        "step_t": then.unsqueeze(0),  # or it would step past `then` and interpolate
        "max_num_steps": _MOST_STEPS,
    }
    span = torch.stack([now, then])
    try:
        path = odeint(
            velocity, here, span, rtol=tolerance, atol=tolerance, method="dopri5", options=options
        )
    except AssertionError as error:
        raise TrainingError(
            f"sampling: rk45 found no way from t = {float(now):.4g} to {float(then):.4g} "
            f"({str(error)[:60]}); raise process.tolerance, or use process.solver=heun"
        ) from error
    return cast(Tensor, path)[-1]


def ddpm(here: Tensor, clean: Tensor, now: Scales, then: Scales, fresh: Tensor) -> Tensor:
    """Return a draw of q(x_then | x_now, x̂): Ho, Jain and Abbeel, NeurIPS 2020, eq. 6-7."""
    (a_now, s_now), (a_then, s_then) = now, then
    ratio = a_now / a_then
    added = s_now**2 - ratio**2 * s_then**2
    mean = (ratio * s_then**2 * here + a_then * added * clean) / s_now**2
    return mean + _fresh_variance(now, then).sqrt() * fresh


def ddim(
    here: Tensor, clean: Tensor, now: Scales, then: Scales, eta: float, fresh: Tensor
) -> Tensor:
    """Return a' x̂ + √(s'² - σ²) ε̂ + σ ξ with σ = η times the spread of DDPM's step.

    Source: Song, Meng and Ermon, "Denoising diffusion implicit models", ICLR 2021, eq. 12, 16.
    """
    a_then, s_then = then
    spread = eta * _fresh_variance(now, then).sqrt()
    kept = (s_then**2 - spread**2).clamp(min=0).sqrt()
    eps = conversions.noise(here, clean, *now)
    return a_then * clean + kept * eps + spread * fresh


def euler_maruyama(
    here: Tensor,
    velocity: Tensor,
    latent: Tensor,
    scale: Tensor,
    epsilon: Tensor,
    step: Tensor,
    fresh: Tensor,
) -> Tensor:
    """Return a step of dx = (v + ε s) dt + √(2ε) dW, with the score s = -ẑ/scale."""
    drift = velocity - epsilon / scale * latent
    return here + step * drift + (2 * epsilon * step).sqrt() * fresh


def _fresh_variance(now: Scales, then: Scales) -> Tensor:
    (a_now, s_now), (a_then, s_then) = now, then
    return (s_then**2 / s_now**2) * (s_now**2 - (a_now / a_then) ** 2 * s_then**2)
