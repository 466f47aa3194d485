"""Dynamic weight average: what falls slowly is given more weight.

Liu, Johns, Davison, "End-to-end multi-task learning with attention", CVPR 2019, equation 7. The
paper compares epochs; here a declared number of steps stands for one, as data sets and batch sizes
differ and a budget may end within the second epoch.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from assay.training.balancing.balance import Balance, BalanceSettings, Part, StepMeans

TINY = 1e-8


class DWASettings(BalanceSettings):
    """Over how many steps it looks, and how sharply it reacts."""

    method: Literal["dwa"] = "dwa"
    window: PositiveInt = 50
    """Steps over which a loss is averaged."""
    temperature: PositiveFloat = 2.0

    def balance(self, weights: Mapping[str, float], seed: int) -> Balance:
        """Return the method."""
        return DynamicWeightAverage(weights, self.window, self.temperature)


class DynamicWeightAverage(Balance):
    """w = K softmax(r / T), r_i = L_i(last window) / L_i(the one before); 1 until there are two."""

    method: ClassVar[str] = "dwa"
    needs_positive_losses: ClassVar[bool] = True
    sums_K: Tensor
    steps: Tensor
    last_K: Tensor
    earlier_K: Tensor
    windows: Tensor

    def __init__(self, weights: Mapping[str, float], window: int, temperature: float) -> None:
        super().__init__(weights)
        self.window, self.temperature = window, temperature
        self.means = StepMeans(len(self.names))
        for name in ("sums_K", "last_K", "earlier_K"):
            self.register_buffer(name, torch.zeros_like(self.given_K))
        for name in ("steps", "windows"):
            self.register_buffer(name, torch.tensor(0))

    def weigh(self, part: Part) -> Tensor:
        """Return the weights that follow from the two windows before this step."""
        ended_K = self.means.take(part)
        if ended_K is not None:
            self._count(ended_K)
        if int(self.windows) < 2:
            return torch.ones_like(self.given_K)
        rates_K = self.last_K / self.earlier_K.clamp(min=TINY)
        return len(self.names) * (rates_K / self.temperature).softmax(-1)

    def _count(self, ended_K: Tensor) -> None:
        self.sums_K += ended_K
        self.steps += 1
        if int(self.steps) == self.window:
            self.earlier_K.copy_(self.last_K)
            self.last_K.copy_(self.sums_K / self.window)
            self.windows += 1
            self.sums_K.zero_()
            self.steps.zero_()
