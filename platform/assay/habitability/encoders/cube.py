"""Climate cubes: two convolutions in latitude, longitude and month.

Longitude and month have no ends: they are padded by what is on the other side. Beyond a pole lies
once more what is at it.

Shapes: B planets, V variables, J latitudes, L longitudes, M months, T tokens, D width.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, silu

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.data.modalities import CUBE_VARIABLES
from assay.habitability.encoders.encoder import Encoder, Tokens, all_there

TOKENS = 6 * 3 * 3
"""In latitude, longitude and season."""


class CubeEncoder(Encoder):
    """54 tokens, of 30° of latitude by a third of the longitudes by a season each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(len(CUBE_VARIABLES), width // 2, 3, stride=(3, 2, 2))
        self.second = nn.Conv3d(width // 2, width, 3, stride=(1, 2, 2))
        self.places_TD = nn.Parameter(0.1 * torch.randn(TOKENS, width))
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.LayerNorm(width))

    def forward(self, batch: MultiModalBatch) -> Tokens:
        """Return tokens, southernmost first."""
        x_BDJLM = self.convolved(batch.climate_cubes)
        return all_there(self.mix(x_BDJLM.flatten(2).mT) + self.places_TD)

    def convolved(self, cubes_BVJLM: Tensor) -> Tensor:
        """Return (B, D, 6, 3, 3), turned where the cubes are turned by four cells or months."""
        return self.second(_around(silu(self.first(_around(cubes_BVJLM)))))


def _around(x_BVJLM: Tensor) -> Tensor:
    """Return the cubes with a cell more on all sides."""
    turned = pad(x_BVJLM, (1, 1, 1, 1, 0, 0), mode="circular")
    return pad(turned, (0, 0, 0, 0, 1, 1), mode="replicate")
