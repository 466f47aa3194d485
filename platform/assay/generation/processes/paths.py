"""Paths in time: how much of the data and how much of the base a point holds.

    x_t = a(t) x_1 + b(t) x_0,   t = 0: base, t = 1: data

A diffusion's noise schedule and an interpolant's path are the same thing: two functions of time. A
path knows nothing of the space in which x lives; what follows from it is in `conversions`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


class Path(ABC):
    """Two scales that change with time; their derivatives follow by differentiation."""

    @abstractmethod
    def scales(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return a(t), of the data, and b(t), of the base, in the shape of `time`."""

    def rates(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return a'(t) and b'(t), in the shape of `time`."""
        a_rate = derivative(lambda t: self.scales(t)[0], time)
        return a_rate, derivative(lambda t: self.scales(t)[1], time)


class Linear(Path):
    """a = t, b = 1 - t: Lipman et al., "Flow matching for generative modeling", ICLR 2023."""

    def scales(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return t and 1 - t."""
        return time, 1 - time


@dataclass(frozen=True)
class VariancePreserving(Path):
    """The path of diffusion with a linear β: a² + b² = 1.

    log a = -(β₁ - β₀) u²/4 - β₀ u/2 with u = 1 - t: Song et al., "Score-based generative modeling
    through stochastic differential equations", ICLR 2021, eq. 33. a(0) is 0.0066, not 0.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0

    def scales(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return a and √(1 - a²)."""
        u = 1 - time
        log_a = -0.25 * (self.beta_max - self.beta_min) * u**2 - 0.5 * self.beta_min * u
        return log_a.exp(), (-torch.expm1(2 * log_a)).sqrt()


class Trigonometric(Path):
    """a = sin(πt/2), b = cos(πt/2): the other path of constant variance.

    Albergo, Boffi and Vanden-Eijnden, "Stochastic interpolants", JMLR 26 (2025), section 4.
    """

    def scales(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return sin(πt/2) and cos(πt/2)."""
        return (0.5 * math.pi * time).sin(), (0.5 * math.pi * time).cos()


class EncoderDecoder(Path):
    """b = cos²(πt) in the first half, a = cos²(πt) in the second: latent noise alone at t = 1/2.

    Albergo, Boffi and Vanden-Eijnden (2025), section 4. Below `LEAST` b is 0, so that the base can
    be told from what is left of it.
    """

    LEAST = 1e-3

    def scales(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return cos²(πt) in one half and 0 in the other, and the reverse."""
        wave = (math.pi * time).cos() ** 2
        nothing = torch.zeros_like(wave)
        base = (time < 0.5) & (wave >= self.LEAST)
        return torch.where(time > 0.5, wave, nothing), torch.where(base, wave, nothing)


@dataclass(frozen=True)
class Cosine(Path):
    """a = cos φ, b = sin φ with φ = (π/2) (u^ν + o)/(1 + o), u = 1 - t and o = 0.008.

    ν = 1: Nichol and Dhariwal, "Improved denoising diffusion probabilistic models", ICML 2021,
    eq. 17. Another ν: the adaptive schedule of Vignac et al., "MiDi", 2023, section 3.2, by which
    positions (ν = 2.5) settle before types (ν = 1).
    """

    exponent: float = 1.0

    def scales(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return cos φ and sin φ."""
        angle = 0.5 * math.pi * ((1 - time) ** self.exponent + 0.008) / 1.008
        return angle.cos(), angle.sin()


@dataclass(frozen=True)
class Polynomial(Path):
    """a² = (1 - 2p) (1 - u^k)² + p, b² = 1 - a², with u = 1 - t and p = 1e-5.

    Hoogeboom et al., "Equivariant diffusion for molecule generation in 3D", ICML 2022, appendix B,
    whose k is 2.
    """

    power: float = 2.0
    precision: float = 1e-5

    def scales(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return a and √(1 - a²), the latter without cancellation."""
        q = (1 - time) ** self.power
        share = 1 - 2 * self.precision
        a_squared = share * (1 - q) ** 2 + self.precision
        b_squared = share * q * (2 - q) + self.precision
        return a_squared.sqrt(), b_squared.sqrt()


@dataclass(frozen=True)
class Exploding(Path):
    """a = 1, b from `most` to `least` at equal ratios: noise added to coordinates on a torus.

    From `most` = 1/2 on, noise is as good as uniform. Jiao et al., "DiffCSP", NeurIPS 2023,
    appendix B, whose bounds these are.
    """

    most: float = 0.5
    least: float = 0.005

    def scales(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 and most^(1 - t) least^t."""
        return 1 + 0 * time, self.most ** (1 - time) * self.least**time


PATHS: Mapping[str, Path] = {
    "linear": Linear(),
    "variance_preserving": VariancePreserving(),
    "trigonometric": Trigonometric(),
    "encoder_decoder": EncoderDecoder(),
}
"""Those that have no parameters, by the name that settings give them."""


def derivative(function: Callable[[Tensor], Tensor], time: Tensor) -> Tensor:
    """Return df/dt at every element of `time`, for a function that works element by element."""
    with torch.enable_grad():
        here = time.detach().requires_grad_()
        return torch.autograd.grad(function(here).sum(), here)[0]
