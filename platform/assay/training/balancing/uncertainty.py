"""Weights that are learnt as the precision of each loss.

Kendall, Gal, Cipolla, "Multi-task learning using uncertainty to weigh losses for scene geometry and
semantics", CVPR 2018, equation 7: Σ L / (2 σ²) + log σ, with s = log σ² as the parameter. Twice
that here, Σ exp(-s) L + s, so that it begins as the plain sum; the minimum is the same.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from assay.training.balancing.balance import Balance, BalanceSettings, Part


class UncertaintySettings(BalanceSettings):
    """Of learnt uncertainties there is nothing more to say."""

    method: Literal["uncertainty"] = "uncertainty"

    def balance(self, weights: Mapping[str, float], seed: int) -> Balance:
        """Return the method."""
        return Uncertainty(weights)


class Uncertainty(Balance):
    """w_i = exp(-s_i), and Σ s_i is added; s is learnt with the model, from 0.

    At a constant loss L the best w is 1 / L. A loss that can fall below 0 has no such best.
    """

    method: ClassVar[str] = "uncertainty"
    needs_positive_losses: ClassVar[bool] = True

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__(weights)
        # A vector, so that it does not decay.
        self.log_variances_K = nn.Parameter(torch.zeros_like(self.given_K))

    def weigh(self, part: Part) -> Tensor:
        """Return the precisions."""
        return torch.exp(-self.log_variances_K)

    def penalty(self) -> Tensor:
        """Return Σ s, which keeps precisions from falling to 0."""
        return self.log_variances_K.sum()
