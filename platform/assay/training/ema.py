"""Exponential moving average of a model's weights: the weights that are evaluated."""

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class WeightAverage:
    """Averages the parameters of `source` into a model of its own; buffers are copied.

    The decay is warmed up as min(decay, (1 + step) / (10 + step)), so that a short run is not
    dominated by its initial weights.
    """

    def __init__(self, source: nn.Module, decay: float) -> None:
        self.decay = decay
        self.model = copy.deepcopy(source).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, source: nn.Module, step: int) -> None:
        """Move the average towards `source` after optimizer step `step`, counted from 1."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged: list[Tensor] = list(self.model.parameters())
        current: list[Tensor] = [parameter.detach() for parameter in source.parameters()]
        get_ema_multi_avg_fn(decay)(averaged, current, step)
        for mine, theirs in zip(self.model.buffers(), source.buffers(), strict=True):
            if mine is not theirs:
                mine.copy_(theirs)
