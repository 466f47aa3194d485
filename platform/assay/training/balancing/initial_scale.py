"""Every loss in units of what it was at the beginning: the plainest cure of unlike scales."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import PositiveFloat
from torch import Tensor

from assay.training.balancing.balance import Balance, BalanceSettings, Part, StepMeans


class InitialScaleSettings(BalanceSettings):
    """How small a unit may be."""

    method: Literal["initial_scale"] = "initial_scale"
    floor: PositiveFloat = 1e-3
    """A loss that begins below it counts as if it began there: what is next to nothing at first
    would be given a weight without bounds."""

    def balance(self, weights: Mapping[str, float], seed: int) -> Balance:
        """Return the method."""
        return InitialScale(weights, self.floor)


class InitialScale(Balance):
    """w_i = 1 / max(L_i(0), floor), L(0) the mean over the first step's batch.

    That first step itself is made with the given weights: a micro-batch of it does not know what
    the others hold.
    """

    method: ClassVar[str] = "initial_scale"
    needs_positive_losses: ClassVar[bool] = True
    initial_K: Tensor
    is_known: Tensor

    def __init__(self, weights: Mapping[str, float], floor: float) -> None:
        super().__init__(weights)
        self.floor = floor
        self.means = StepMeans(len(self.names))
        self.register_buffer("initial_K", torch.zeros_like(self.given_K))
        self.register_buffer("is_known", torch.tensor(False))

    def weigh(self, part: Part) -> Tensor:
        """Return the weights."""
        if not self.is_known:
            first_K = self.means.take(part)
            if first_K is None:
                return self.given_K
            self.initial_K.copy_(first_K)
            self.is_known.fill_(True)
        return 1 / self.initial_K.clamp(min=self.floor)
