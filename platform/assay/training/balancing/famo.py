"""FAMO: all losses fall at like rates, without a gradient of each.

Liu et al., "FAMO: fast adaptive multitask optimization", NeurIPS 2023, algorithm 1 and equation 10.
The paper measures how a step changed the losses by a second forward pass of the same batch; here by
the first pass of the next one, so that a step costs what any other does, and what batches differ by
is noise in it. The weights are the paper's times K, so that they are 1 in the mean.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor
from torch.optim.adam import adam

from assay.training.balancing.balance import Balance, BalanceSettings, Part, summed_over_workers

TINY = 1e-8


class FAMOSettings(BalanceSettings):
    """How fast it adapts."""

    method: Literal["famo"] = "famo"
    rate: PositiveFloat = 0.025
    """Learning rate of the logits, by Adam."""
    decay: NonNegativeFloat = 1e-3
    """Of the logits: what draws the shares back to equal ones."""

    def balance(self, weights: Mapping[str, float], seed: int) -> Balance:
        """Return the method."""
        return FAMO(weights, self.rate, self.decay)


class FAMO(Balance):
    """w_i = K (z_i / L_i) / Σ_j (z_j / L_j), z = softmax of logits that follow how losses fell."""

    method: ClassVar[str] = "famo"
    needs_whole_batches: ClassVar[bool] = True
    needs_positive_losses: ClassVar[bool] = True
    logits_K: Tensor
    before_K: Tensor
    first_moment_K: Tensor
    second_moment_K: Tensor
    updates: Tensor
    step: Tensor

    def __init__(self, weights: Mapping[str, float], rate: float, decay: float) -> None:
        super().__init__(weights)
        self.rate, self.decay = rate, decay
        for name in ("logits_K", "before_K", "first_moment_K", "second_moment_K"):
            self.register_buffer(name, torch.zeros_like(self.given_K))
        self.register_buffer("updates", torch.tensor(0.0))
        self.register_buffer("step", torch.tensor(-1))

    @torch.no_grad()
    def weigh(self, part: Part) -> Tensor:
        """Return the weights, from the losses of all workers."""
        sums_K, count = summed_over_workers(part.values_K, part.records)
        now_K = (sums_K / count).clamp(min=0) + TINY
        if int(self.step) != part.step:
            if int(self.step) >= 0:
                self._follow(self.before_K.log() - now_K.log())
            self.before_K.copy_(now_K)
            self.step.fill_(part.step)
        shares_K = self.logits_K.softmax(-1) / now_K
        return len(self.names) * shares_K / shares_K.sum()

    def _follow(self, fell_K: Tensor) -> None:
        """Move the logits against the gradient of Σ z_i fell_i: what fell least gains."""
        z_K = self.logits_K.softmax(-1)
        gradient_K = z_K * (fell_K - (z_K * fell_K).sum())
        adam(
            [self.logits_K], [gradient_K], [self.first_moment_K], [self.second_moment_K], [],
            [self.updates],
            amsgrad=False, beta1=0.9, beta2=0.999, lr=self.rate, weight_decay=self.decay, eps=1e-8,
            maximize=False, foreach=False,
        )  # fmt: skip
