"""One loss alone: the single-task models that several tasks together are held against."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from assay.training.balancing.balance import Balance, BalanceSettings, Part, require_loss


class SingleSettings(BalanceSettings):
    """Which loss it is."""

    method: Literal["single"] = "single"
    loss: str

    def balance(self, weights: Mapping[str, float], seed: int) -> Balance:
        """Return the method."""
        require_loss(self.loss, weights, "balancing single")
        return Single(weights, self.loss)


class Single(Balance):
    """w_i = 1 for one loss, 0 for the others, which are computed and logged all the same."""

    method: ClassVar[str] = "single"
    only_K: Tensor

    def __init__(self, weights: Mapping[str, float], loss: str) -> None:
        super().__init__(weights)
        only_K = torch.tensor([float(name == loss) for name in self.names])
        self.register_buffer("only_K", only_K, persistent=False)

    def weigh(self, part: Part) -> Tensor:
        """Return 1 for that loss."""
        return self.only_K
