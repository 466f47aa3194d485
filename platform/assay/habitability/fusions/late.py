"""A late ensemble: each modality foretells for itself, and the mean counts.

Nothing that two modalities say together can be learnt: what the others beat is fusion's worth.

Shapes: B planets, M modalities, D width.
"""

import torch
from torch import nn

from assay.habitability.data.modalities import MODALITIES
from assay.habitability.encoded import Encoded
from assay.habitability.fusions.fusion import Fused, Fusion
from assay.habitability.model_settings import ModelSettings


class Late(Fusion):
    """A state a modality, by a network of its own, and one for a planet without any."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        D = settings.width
        self.members = nn.ModuleList(
            nn.Sequential(nn.Linear(D, 2 * D), nn.SiLU(), nn.Linear(2 * D, D)) for _ in MODALITIES
        )
        self.nothing_D = nn.Parameter(0.1 * torch.randn(D))

    def forward(self, encoded: Encoded) -> Fused:
        """Return a state a modality with equal shares, 0 for those that are missing."""
        x_BMD = encoded.pooled()
        states = [member(x_BMD[:, m]) for m, member in enumerate(self.members)]
        states.append(self.nothing_D.expand_as(states[0]))
        none_B1 = ~encoded.presence_BM.any(1, keepdim=True)
        there_BS = torch.cat([encoded.presence_BM, none_B1], 1).to(x_BMD.dtype)
        return Fused(torch.stack(states, 1), there_BS / there_BS.sum(1, keepdim=True))
