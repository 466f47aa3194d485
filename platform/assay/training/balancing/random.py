"""Weights drawn anew at every step: a litmus test of cleverer ones.

Lin et al., "Reasonable effectiveness of random weighting: a litmus test for multi-task learning",
TMLR 2022, algorithm 1: the softmax of standard normal draws. Times K here, so that weights are 1 in
the mean, as those of the other methods.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from assay.training.balancing.balance import Balance, BalanceSettings, Part
from assay.training.draws import Draws, fold


class RandomSettings(BalanceSettings):
    """Of random weights there is nothing more to say; they follow from the cell's seed."""

    method: Literal["random"] = "random"

    def balance(self, weights: Mapping[str, float], seed: int) -> Balance:
        """Return the method."""
        return Random(weights, seed)


class Random(Balance):
    """w = K softmax(z), z normal and a function of (seed, step)."""

    method: ClassVar[str] = "random"

    def __init__(self, weights: Mapping[str, float], seed: int) -> None:
        super().__init__(weights)
        self.seed = fold(seed, "balancing random")

    def weigh(self, part: Part) -> Tensor:
        """Return the step's weights, the same on every worker and in every micro-batch."""
        everybody = torch.zeros(1, dtype=torch.int64, device=self.given_K.device)
        drawn_K = Draws(self.seed, part.step, everybody).normal("weights", len(self.names))[0]
        return len(self.names) * drawn_K.softmax(-1)
