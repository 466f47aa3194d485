"""What follows from a prediction of the data: noise, velocity, score; and the reverse.

With x_t = a x_1 + s ε and x̂ = E[x_1 | x_t], s being the scale of all noise together:

    ε̂ = (x_t - a x̂)/s                                   noise
    v = a' x̂ + s' ε̂ = ((a' s - a s') x̂ + s' x_t)/s       velocity dx/dt of the probability flow
    ∇ log p(x_t) = -ε̂/s                                 score, if ε is independent of x_1

Shapes: any; scales broadcast against positions.
"""

from typing import Literal

import torch
from torch import Tensor

from assay.generation.processes.paths import Path

Target = Literal["data", "noise", "velocity"]
"""What a network's raw output F stands for, and what its loss is measured on:

    data        F = x̂                                       weight 1
    noise       F = ε̂: x̂ = (x_t - s F)/a                     weight a²/s²
    velocity    F = (s x̂ - a ε̂)/√(a² + s²):                  weight (a² + s²)/s²
                x̂ = a/(a² + s²) x_t + s/√(a² + s²) F

With these weights of |x̂ - x_1|² the loss is the plain square of F's own error. `noise` is Ho, Jain
and Abbeel, NeurIPS 2020; `velocity` is, up to its sign, Salimans and Ho, ICLR 2022, where
a² + s² = 1, and for any scales the preconditioning of Karras et al., "Elucidating the design space
of diffusion-based generative models", NeurIPS 2022, eq. 7 and table 1, for data of unit variance:
F has unit scale at every t.
"""

_LEAST_SIGNAL = 0.01
"""Below this a, noise says nothing of the data: there `noise` divides by it instead of a."""


def output_scales(target: Target, a: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """Return the factors of x_t and of the raw output F in the prediction of the data."""
    if target == "data":
        return torch.zeros_like(a), torch.ones_like(a)
    if target == "noise":
        divisor = a.clamp(min=_LEAST_SIGNAL)
        return 1 / divisor, -s / divisor
    variance = a**2 + s**2
    return a / variance, s / variance.sqrt()


def loss_weight(target: Target, a: Tensor, s: Tensor) -> Tensor:
    """Return the weight of |x̂ - x_1|² that makes it the squared error of the raw output."""
    if target == "data":
        return torch.ones_like(a)
    power = a**2 if target == "noise" else a**2 + s**2
    return power / s.clamp(min=1e-6) ** 2


def noise(here: Tensor, clean: Tensor, a: Tensor, s: Tensor) -> Tensor:
    """Return ε̂ = (x_t - a x̂)/s."""
    return (here - a * clean) / s


def velocity(path: Path, time: Tensor, here: Tensor, clean: Tensor) -> Tensor:
    """Return E[a' x_1 + b' x_0 | x_t], with all of x_t that is not data taken for the base.

    Where the base has left the path (b = b' = 0) a' x̂ remains.
    """
    a, b = path.scales(time)
    a_rate, b_rate = path.rates(time)
    divisor = torch.where(b == 0, torch.ones_like(b), b)
    return ((a_rate * divisor - a * b_rate) * clean + b_rate * here) / divisor
