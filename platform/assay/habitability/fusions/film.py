"""Modalities that modulate a state in turn, by scale and shift.

FiLM: Perez, Strub, de Vries, Dumoulin, Courville, AAAI 2018.
"""

import torch
from torch import nn

from assay.habitability.data.modalities import MODALITIES
from assay.habitability.encoded import Encoded
from assay.habitability.fusions.fusion import Fused, Fusion, Vectors, alone
from assay.habitability.model_settings import ModelSettings
from assay.pathways.conditions import ModulatedNorm


class Modulated(nn.Module):
    """A layer whose norm one modality modulates, added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = ModulatedNorm(width, width)
        self.layers = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(self, state_BD: torch.Tensor, by_BD: torch.Tensor) -> torch.Tensor:
        """Return a new state."""
        return state_BD + self.layers(self.norm(state_BD.unsqueeze(1), by_BD).squeeze(1))


class Film(Fusion):
    """A learned state that meets one modality after the other, the first one once more."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.vectors = Vectors(settings.width)
        self.begin_D = nn.Parameter(torch.randn(settings.width))
        self.order = (*range(len(MODALITIES)), 0)
        """The first could tell the others nothing: it comes again when they have spoken."""
        self.meetings = nn.ModuleList(Modulated(settings.width) for _ in self.order)

    def forward(self, encoded: Encoded) -> Fused:
        """Return one state a planet."""
        x_BMD = self.vectors(encoded)
        state_BD = self.begin_D.expand(len(x_BMD), -1)
        for modality, meeting in zip(self.order, self.meetings, strict=True):
            state_BD = meeting(state_BD, x_BMD[:, modality])
        return alone(state_BD)
