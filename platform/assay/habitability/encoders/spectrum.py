"""Transmission spectra: convolutions along the wavelength.

Shapes: B planets, W bins, T tokens, D width.
"""

import torch
from torch import nn

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.data.modalities import SPECTRUM_CHANNELS
from assay.habitability.encoders.encoder import Encoder, Tokens, all_there
from assay.habitability.spectra.bands import N_BINS

BINS_A_TOKEN = 8


class SpectrumEncoder(Encoder):
    """12 tokens, of 8 bins each and what is about them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = len(SPECTRUM_CHANNELS)
        self.convolutions = nn.Sequential(
            nn.Conv1d(channels, width // 2, 5, stride=2, padding=2), nn.SiLU(),
            nn.Conv1d(width // 2, width, 5, stride=2, padding=2), nn.SiLU(),
            nn.Conv1d(width, width, 3, stride=2, padding=1), nn.SiLU(),
        )  # fmt: skip
        self.mix = nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width))
        self.places_TD = nn.Parameter(0.1 * torch.randn(N_BINS // BINS_A_TOKEN, width))

    def forward(self, batch: MultiModalBatch) -> Tokens:
        """Return tokens, the shortest wavelengths first."""
        return all_there(self.mix(self.convolutions(batch.spectra).mT) + self.places_TD)
