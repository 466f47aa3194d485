"""Experts: by one each, every encoder is trained alone before a fusion joins them.

Shapes: B planets.
"""

from torch import nn

from assay.habitability.data.modalities import Modality
from assay.habitability.encoded import Encoded
from assay.habitability.fusions.single import FLOORS
from assay.habitability.heads import Heads, Told
from assay.habitability.model_settings import ModelSettings
from assay.habitability.targets import Averages


class Expert(nn.Module):
    """What the floor of a modality has on its encoder; of modalities it rebuilds its own alone."""

    def __init__(self, modality: Modality, settings: ModelSettings, averages: Averages) -> None:
        super().__init__()
        self.reading = FLOORS[modality](settings)
        self.heads = Heads(settings.width, averages, (modality,))

    def forward(self, encoded: Encoded) -> Told:
        """Return what the modality's tokens tell, and of planets that lack it what most are."""
        return self.heads(self.reading(encoded))
