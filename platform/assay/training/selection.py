"""Weights chosen by validation: those of the best look at it, instead of the last."""

import copy
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import nn


class BestWeights:
    """A copy of the averaged weights at the best validation so far; the first of equal ones."""

    def __init__(self, source: nn.Module, figure: str, better: Literal["higher", "lower"]) -> None:
        """Choose by the validation figure of that name; before the first look nothing is chosen."""
        self.model = copy.deepcopy(source).requires_grad_(False).eval()
        self.figure, self.better = figure, better
        self.value: float | None = None
        self.step = 0

    @torch.no_grad()
    def consider(self, model: nn.Module, figures: Mapping[str, float], step: int) -> None:
        """Take the weights of `model`, shaped as the source, if its figures are the best so far."""
        value = figures[self.figure]
        sign = 1 if self.better == "higher" else -1
        if self.value is None or sign * (value - self.value) > 0:
            self.model.load_state_dict(model.state_dict())
            self.value, self.step = value, step

    def state(self) -> dict[str, Any]:
        """Return, as JSON, what was chosen."""
        return {"value": self.value, "step": self.step}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put back what `state` returned; the weights are put back apart."""
        self.value, self.step = state["value"], state["step"]
