"""The given weights, at every step: what all other methods are held against."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from torch import Tensor

from assay.training.balancing.balance import Balance, BalanceSettings, Part


class FixedSettings(BalanceSettings):
    """Of the given weights there is nothing more to say."""

    method: Literal["fixed"] = "fixed"

    def balance(self, weights: Mapping[str, float], seed: int) -> Balance:
        """Return the method."""
        return Fixed(weights)


class Fixed(Balance):
    """w_i as given."""

    method: ClassVar[str] = "fixed"

    def weigh(self, part: Part) -> Tensor:
        """Return the given weights."""
        return self.given_K
