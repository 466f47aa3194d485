"""The latent noise of an interpolant, γ(t) z: noise that is there between the ends and only there.

Albergo, Boffi and Vanden-Eijnden, "Stochastic interpolants", JMLR 26 (2025), definition 2.1 and
section 4. Every family has a strength c: γ(t)² = c g(t).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from assay.generation.processes.paths import Linear, Path, derivative


@dataclass(frozen=True)
class Latent(ABC):
    """γ(t) with γ(0) = γ(1) = 0."""

    strength: float

    @abstractmethod
    def gamma(self, time: Tensor) -> Tensor:
        """Return γ(t), in the shape of `time`."""

    def drift(self, time: Tensor, path: Path) -> Tensor:
        """Return γ' - γ b'/b: what ẑ adds to a velocity that takes all noise for the base's.

        Where the base has left the path (b = b' = 0) γ' remains.
        """
        rate = derivative(self.gamma, time)
        _, b = path.scales(time)
        _, b_rate = path.rates(time)
        return rate - self.gamma(time) * b_rate / torch.where(b == 0, torch.ones_like(b), b)


class Brownian(Latent):
    """γ = √(c t (1 - t)), the spread of a Brownian bridge."""

    def gamma(self, time: Tensor) -> Tensor:
        """Return √(c t (1 - t))."""
        return (self.strength * time * (1 - time)).sqrt()

    def drift(self, time: Tensor, path: Path) -> Tensor:
        """Return γ' - γ b'/b; along a straight line its diverging parts cancel to c/(2γ)."""
        if isinstance(path, Linear):
            return self.strength / (2 * self.gamma(time))
        return super().drift(time, path)


class Quadratic(Latent):
    """γ = √c t (1 - t)."""

    def gamma(self, time: Tensor) -> Tensor:
        """Return √c t (1 - t)."""
        return math.sqrt(self.strength) * time * (1 - time)


class SineSquared(Latent):
    """γ = √c sin²(πt)."""

    def gamma(self, time: Tensor) -> Tensor:
        """Return √c sin²(πt)."""
        return math.sqrt(self.strength) * (math.pi * time).sin() ** 2


LATENTS: Mapping[str, type[Latent]] = {
    "brownian": Brownian,
    "quadratic": Quadratic,
    "sine_squared": SineSquared,
}


@dataclass(frozen=True)
class Folded(Path):
    """A path whose Gaussian base takes the latent noise in: b → √(b² + γ²), the same law of x_t."""

    path: Path
    latent: Latent

    def scales(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return a and √(b² + γ²)."""
        a, b = self.path.scales(time)
        return a, (b**2 + self.latent.gamma(time) ** 2).sqrt()
