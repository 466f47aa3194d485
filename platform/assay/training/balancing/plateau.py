"""A part that stagnates is given more weight, at the cost of the others."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from assay.training.balancing.balance import ROUNDING, Balance, BalanceSettings, Part, StepMeans


class PlateauSettings(BalanceSettings):
    """What stagnation is, and what it brings."""

    method: Literal["plateau"] = "plateau"
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.98
    """Share of the old in the running mean of a loss, a step."""
    patience: PositiveInt = 100
    """Steps without a new best after which a part stagnates."""
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """By what share of the best a running mean must fall below it to be a new one."""
    factor: Annotated[float, Field(gt=1)] = 1.5
    """On the weight of a part, each time that it stagnates."""
    most: Annotated[float, Field(gt=1)] = 10.0
    """Of all factors together."""

    def balance(self, weights: Mapping[str, float], seed: int) -> Balance:
        """Return the method."""
        return Plateau(weights, self)


class Plateau(Balance):
    """w_i = given_i f_i, rescaled to the sum of the given: if all stagnate, nothing changes.

    f_i, at first 1, is multiplied by `factor` whenever the running mean of L_i has had no new best
    for `patience` steps; then the search for a best begins anew from where it is. A loss of 0 has
    nothing to gain.
    """

    method: ClassVar[str] = "plateau"
    smoothed_K: Tensor
    best_K: Tensor
    waited_K: Tensor
    raised_K: Tensor
    steps: Tensor

    def __init__(self, weights: Mapping[str, float], settings: PlateauSettings) -> None:
        super().__init__(weights)
        self.rule = settings
        self.means = StepMeans(len(self.names))
        self.register_buffer("smoothed_K", torch.zeros_like(self.given_K))
        self.register_buffer("best_K", torch.zeros_like(self.given_K))
        self.register_buffer("waited_K", torch.zeros(len(self.names), dtype=torch.int64))
        self.register_buffer("raised_K", torch.ones_like(self.given_K))
        self.register_buffer("steps", torch.tensor(0))

    def weigh(self, part: Part) -> Tensor:
        """Return the weights that follow from the steps before this one."""
        ended_K = self.means.take(part)
        if ended_K is not None:
            self._look(ended_K)
        weights_K = self.given_K * self.raised_K
        return weights_K * self.given_K.sum() / weights_K.sum()

    def _look(self, ended_K: Tensor) -> None:
        rule, keep = self.rule, self.rule.smoothing
        self.steps += 1
        self.smoothed_K.mul_(keep).add_(ended_K, alpha=1 - keep)
        mean_K = self.smoothed_K / (1 - keep ** int(self.steps))  # it began at 0
        is_best_K = mean_K < self.best_K - rule.threshold * self.best_K.abs()
        is_best_K |= self.steps == 1
        self.best_K.copy_(torch.where(is_best_K, mean_K, self.best_K))
        self.waited_K.add_(1).masked_fill_(is_best_K, 0)
        stagnates_K = (self.waited_K >= rule.patience) & (mean_K.abs() > ROUNDING)
        raised_K = (self.raised_K * rule.factor).clamp(max=rule.most)
        self.raised_K.copy_(torch.where(stagnates_K, raised_K, self.raised_K))
        self.best_K.copy_(torch.where(stagnates_K, mean_K, self.best_K))
        self.waited_K.masked_fill_(stagnates_K, 0)
