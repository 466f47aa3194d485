"""One vector a modality, side by side, and a network of two layers."""

from torch import nn

from assay.habitability.data.modalities import MODALITIES
from assay.habitability.encoded import Encoded
from assay.habitability.fusions.fusion import Fused, Fusion, Vectors, alone
from assay.habitability.model_settings import ModelSettings


class Concatenation(Fusion):
    """The plainest way of reading everything."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        D = settings.width
        self.vectors = Vectors(D)
        self.layers = nn.Sequential(
            nn.Linear(len(MODALITIES) * D, 2 * D), nn.SiLU(), nn.Linear(2 * D, D)
        )

    def forward(self, encoded: Encoded) -> Fused:
        """Return one state a planet."""
        return alone(self.layers(self.vectors(encoded).flatten(1)))
