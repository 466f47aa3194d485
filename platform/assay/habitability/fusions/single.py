"""Floors that read one modality: what a fusion has to beat.

Shapes: B planets, D width.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from assay.habitability.data.modalities import MODALITIES, Modality
from assay.habitability.encoded import Encoded
from assay.habitability.fusions.fusion import Fused, Fusion, alone
from assay.habitability.model_settings import ModelSettings


class Single(Fusion):
    """A network of two layers on one modality; a state of its own where it is missing."""

    reads: ClassVar[tuple[Modality, ...]]

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        D = settings.width
        self.layers = nn.Sequential(nn.Linear(D, 2 * D), nn.SiLU(), nn.Linear(2 * D, D))
        self.nothing_D = nn.Parameter(0.1 * torch.randn(D))

    def forward(self, encoded: Encoded) -> Fused:
        """Return one state a planet."""
        m = MODALITIES.index(self.reads[0])
        told_BD = self.layers(encoded.pooled()[:, m])
        return alone(torch.where(encoded.presence_BM[:, m, None], told_BD, self.nothing_D))


class OnlyBioGraphs(Single):
    """The metabolic network alone."""

    reads = ("bio_graphs",)


class OnlyClimateCubes(Single):
    """The climate alone."""

    reads = ("climate_cubes",)


class OnlySpectra(Single):
    """The spectrum alone."""

    reads = ("spectra",)


class OnlyTextDescriptions(Single):
    """The description alone."""

    reads = ("text_descriptions",)


class OnlyPlanetParams(Single):
    """The parameters alone."""

    reads = ("planet_params",)


FLOORS: Mapping[Modality, type[Single]] = {
    floor.reads[0]: floor
    for floor in (
        OnlyBioGraphs, OnlyClimateCubes, OnlySpectra, OnlyTextDescriptions, OnlyPlanetParams,
    )
}  # fmt: skip
"""By what they read."""
