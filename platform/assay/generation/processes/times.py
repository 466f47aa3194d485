"""At which times training looks at a path, and where a sampler stops on its way."""

from typing import ClassVar, Literal, Self

import scipy.special
import torch
from pydantic import PositiveFloat, model_validator
from torch import Tensor

from assay.generation.processes.process import ProcessSettings, belongs_to

_LAST_LEAP = 0.01
"""Time that logarithmic spacing leaves to the last interval (Irwin et al., "SemlaFlow", 2025)."""


class ContinuousTimeSettings(ProcessSettings):
    """Processes whose time is a real number: Beta times in training, a spaced grid in sampling."""

    of_sampling: ClassVar[frozenset[str]] = ProcessSettings.of_sampling | {
        "spacing",
        "spacing_power",
    }
    time_alpha: PositiveFloat = 2.0
    """Training times follow Beta(alpha, beta): 1, 1 is uniform; a larger alpha looks more often at
    points near the data."""
    time_beta: PositiveFloat = 1.0
    spacing: Literal["power", "log"] = "power"
    """Of the sampler's times: 1 - (1 - k/steps)^spacing_power, or logarithmic in 1 - t down to
    0.01."""
    spacing_power: PositiveFloat = 1.5
    """The grid is finer near the data as it grows; 1 is uniform."""

    @model_validator(mode="after")
    def _spacing_agrees(self) -> Self:
        if self.spacing != "power":
            belongs_to(self, "spacing power", "spacing_power")
        return self

    def training_times(self, unit_B: Tensor) -> Tensor:
        """Return times (B,) of Beta(time_alpha, time_beta) from uniform numbers (B,)."""
        return beta_quantile(unit_B, self.time_alpha, self.time_beta)

    def sampling_times(self, first: float = 0.0) -> Tensor:
        """Return (steps + 1,) increasing times from `first` to 1."""
        if self.spacing == "log":
            return log_times(self.steps, first)
        return power_times(self.steps, self.spacing_power, first)


def beta_quantile(unit: Tensor, alpha: float, beta: float) -> Tensor:
    """Return the quantiles of Beta(alpha, beta) at `unit`; those of Beta(alpha, 1) are a power."""
    if beta == 1:
        return unit ** (1 / alpha)
    quantiles = scipy.special.betaincinv(alpha, beta, unit.double().cpu().numpy())
    return torch.as_tensor(quantiles, dtype=unit.dtype, device=unit.device)


def power_times(steps: int, power: float, first: float = 0.0) -> Tensor:
    """Return (steps + 1,) times from `first` to 1, finer near 1 as `power` grows."""
    u = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    return (first + (1 - first) * (1 - (1 - u) ** power)).float()


def log_times(steps: int, first: float = 0.0) -> Tensor:
    """Return (steps + 1,) times from `first` to 1, logarithmic in 1 - t down to 0.01, then 1."""
    start = torch.tensor(1 - first, dtype=torch.float64).log10().item()
    end = torch.tensor(_LAST_LEAP, dtype=torch.float64).log10().item()
    left = torch.logspace(start, end, steps, dtype=torch.float64)
    return torch.cat([1 - left, torch.ones(1, dtype=torch.float64)]).float()
