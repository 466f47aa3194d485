"""Parameters of orbit, star and body: a network of two layers."""

from torch import nn

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.data.modalities import PARAMETERS
from assay.habitability.encoders.encoder import Encoder, Tokens, all_there


class ParameterEncoder(Encoder):
    """One token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(len(PARAMETERS), width), nn.SiLU(), nn.Linear(width, width),
            nn.LayerNorm(width),
        )  # fmt: skip

    def forward(self, batch: MultiModalBatch) -> Tokens:
        """Return it."""
        return all_there(self.layers(batch.planet_params).unsqueeze(1))
