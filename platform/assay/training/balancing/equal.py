"""Weight 1 for every loss: unitary scalarisation, which tuned methods often do not beat.

Kurin et al., "In defense of the unitary scalarization for deep multi-task learning", NeurIPS 2022.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from assay.training.balancing.balance import Balance, BalanceSettings, Part


class EqualSettings(BalanceSettings):
    """Of equal weights there is nothing more to say."""

    method: Literal["equal"] = "equal"

    def balance(self, weights: Mapping[str, float], seed: int) -> Balance:
        """Return the method."""
        return Equal(weights)


class Equal(Balance):
    """w_i = 1."""

    method: ClassVar[str] = "equal"

    def weigh(self, part: Part) -> Tensor:
        """Return ones."""
        return torch.ones_like(self.given_K)
