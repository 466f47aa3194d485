"""The contract of a fusion: from tokens of several modalities to states of a planet.

A fusion may leave several states, each with a share: then each foretells for itself, and what
counts is the mean of what they say. One that reads a single modality is a floor.

Shapes: B planets, S states of a planet, D width.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from assay.habitability.data.modalities import MODALITIES, Modality
from assay.habitability.encoded import Encoded
from assay.habitability.model_settings import ModelSettings


@dataclass(frozen=True)
class Fused:
    """What a planet is, after everything about it was read."""

    states_BSD: Tensor
    shares_BS: Tensor
    """They sum to 1."""

    @property
    def whole_BD(self) -> Tensor:
        """The mean of the states by their shares."""
        return (self.states_BSD * self.shares_BS.unsqueeze(-1)).sum(1)


def alone(state_BD: Tensor) -> Fused:
    """Return one state a planet."""
    return Fused(state_BD.unsqueeze(1), state_BD.new_ones(len(state_BD), 1))


class Fusion(nn.Module, ABC):
    """Joins modalities; it has a state for a planet of which nothing is known, too."""

    Settings: ClassVar[type[ModelSettings]] = ModelSettings
    reads: ClassVar[tuple[Modality, ...]] = MODALITIES

    def __init__(self, settings: ModelSettings) -> None:
        """Build it; torch's generator has been seeded."""
        super().__init__()
        self.settings = settings

    @abstractmethod
    def forward(self, encoded: Encoded) -> Fused:
        """Return the states; what is not there is not read."""


class Vectors(nn.Module):
    """One vector a modality: the mean of its tokens, or a learned one where it is missing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.missing_MD = nn.Parameter(0.1 * torch.randn(len(MODALITIES), width))

    def forward(self, encoded: Encoded) -> Tensor:
        """Return (B, M, D)."""
        there_BM1 = encoded.presence_BM.unsqueeze(-1)
        return torch.where(there_BM1, encoded.pooled(), self.missing_MD)
