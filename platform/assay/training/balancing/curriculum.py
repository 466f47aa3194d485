"""Weights that rise, or fall, over declared steps: what is hard comes in later.

Bengio et al., "Curriculum learning", ICML 2009, of losses in the place of records.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor

from assay.config import Settings
from assay.training.balancing.balance import Balance, BalanceSettings, Part, require_loss


class Ramp(Settings):
    """A straight line, in shares of the given weight."""

    begin: NonNegativeInt = 0
    """The last step at `start`; steps are those of the whole training, whatever its stages."""
    end: PositiveInt
    """The first step at `stop`."""
    start: NonNegativeFloat = 0.0
    stop: NonNegativeFloat = 1.0

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        if self.begin >= self.end:
            raise ValueError(f"a ramp from step {self.begin} to {self.end}: end comes after begin")
        if self.start == self.stop:
            raise ValueError(f"a ramp from {self.start:g} to {self.stop:g} changes nothing")
        return self


class CurriculumSettings(BalanceSettings):
    """The ramps, by name of the loss; losses without one keep their given weights."""

    method: Literal["curriculum"] = "curriculum"
    ramps: dict[str, Ramp] = Field(min_length=1)

    def balance(self, weights: Mapping[str, float], seed: int) -> Balance:
        """Return the method."""
        for name in self.ramps:
            require_loss(name, weights, "balancing curriculum")
        return Curriculum(weights, self.ramps)


class Curriculum(Balance):
    """w_i(t) = w_i (a + (b - a) clip((t - t_begin) / (t_end - t_begin), 0, 1))."""

    method: ClassVar[str] = "curriculum"

    def __init__(self, weights: Mapping[str, float], ramps: Mapping[str, Ramp]) -> None:
        super().__init__(weights)
        self.ramps = dict(ramps)

    def weigh(self, part: Part) -> Tensor:
        """Return the step's weights."""
        shares = [_share(self.ramps.get(name), part.step) for name in self.names]
        return self.given_K * torch.tensor(shares, device=self.given_K.device)


def _share(ramp: Ramp | None, step: int) -> float:
    if ramp is None:
        return 1.0
    passed = min(max((step - ramp.begin) / (ramp.end - ramp.begin), 0.0), 1.0)
    return ramp.start + (ramp.stop - ramp.start) * passed
