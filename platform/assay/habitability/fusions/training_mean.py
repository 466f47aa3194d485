"""The floor that learns nothing: every planet is the mean of the training planets.

Shapes: B planets, M modalities.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from assay.config import Settings
from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.data.modalities import MODALITIES, Modality
from assay.habitability.encoded import Encoded
from assay.habitability.heads import Foretold, Told, constants_of
from assay.habitability.targets import Averages


class TrainingMeanSettings(Settings):
    """There is nothing to set."""


class TrainingMean(nn.Module):
    """Tells the same of every planet, and reads nothing."""

    Settings: ClassVar[type[TrainingMeanSettings]] = TrainingMeanSettings
    reads: ClassVar[tuple[Modality, ...]] = ()

    def __init__(self, averages: Averages) -> None:
        super().__init__()
        self.register_buffer("odds_K", averages.reached_K.logit())
        for name, constant in constants_of(averages).items():
            self.register_buffer(f"mean_{name}", constant)

    @property
    def device(self) -> torch.device:
        """Where the means are."""
        return self.get_buffer("odds_K").device

    def encode(self, batch: MultiModalBatch) -> Encoded:
        """Return no tokens at all."""
        B, device = len(batch), batch.presence.device
        none_BT = torch.zeros(B, 0, dtype=torch.bool, device=device)
        none_T = torch.zeros(0, dtype=torch.int64, device=device)
        return Encoded(
            torch.zeros(B, 0, 1, device=device), none_BT, none_T, torch.zeros_like(batch.presence)
        )

    def foretell(self, encoded: Encoded) -> Foretold:
        """Return the training planets' shares."""
        B = len(encoded.presence_BM)
        odds_BSK = self.get_buffer("odds_K").expand(B, 1, -1)
        return Foretold(odds_BSK, odds_BSK.new_ones(B, 1))

    def tell(self, encoded: Encoded) -> Told:
        """Return the training planets' means."""
        B = len(encoded.presence_BM)

        def of(name: str) -> Tensor:
            mean = self.get_buffer(f"mean_{name}")
            return mean.expand(B, *mean.shape)

        modalities: dict[Modality, Tensor] = {name: of(name) for name in MODALITIES}
        return Told(
            self.foretell(encoded), of("liquid_water").sigmoid(), of("environment"), modalities
        )
