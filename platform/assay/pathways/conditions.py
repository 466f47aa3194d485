"""What a network is told of the environment: by modulation (FiLM), by concatenation, or both.

FiLM: Perez, Strub, de Vries, Dumoulin, Courville, AAAI 2018. An entry that is not known has a
learned vector of its own in the place of a value: unknown is not zero, and no value is read where
the mask is False.

Shapes: B graphs, N nodes, D width, K entries of the environment.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from assay.pathways.graphs import ENVIRONMENT

Way = Literal["film", "concatenation", "both", "none"]
"""How a network is told of the environment."""


class EnvironmentVector(nn.Module):
    """Four entries, each a value or unknown, as one vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        K = len(ENVIRONMENT)
        self.slope = nn.Parameter(torch.randn(K, width) * 0.5)
        self.known = nn.Parameter(torch.randn(K, width) * 0.5)
        self.unknown = nn.Parameter(torch.randn(K, width) * 0.5)
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(width, width))

    def forward(self, environment_B4: Tensor, known_B4: Tensor) -> Tensor:
        """Return (B, D)."""
        values_BKD = environment_B4.unsqueeze(-1) * self.slope + self.known
        parts_BKD = torch.where(known_B4.unsqueeze(-1), values_BKD, self.unknown)
        return self.mix(parts_BKD.sum(1))


class ModulatedNorm(nn.Module):
    """Layer norm whose scale and shift are functions of a vector; constants without one."""

    def __init__(self, width: int, condition: int | None) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=condition is None)
        self.film = None if condition is None else nn.Linear(condition, 2 * width)
        if self.film is not None:
            nn.init.normal_(self.film.weight, std=0.02)
            nn.init.zeros_(self.film.bias)

    def forward(self, x_BND: Tensor, condition_BD: Tensor) -> Tensor:
        """Return (B, N, D)."""
        x_BND = self.norm(x_BND)
        if self.film is None:
            return x_BND
        scale_BD, shift_BD = self.film(condition_BD).chunk(2, dim=-1)
        return x_BND * (1 + scale_BD.unsqueeze(1)) + shift_BD.unsqueeze(1)
