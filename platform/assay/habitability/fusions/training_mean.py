"""The floor that reads nothing: every planet is the mean of the training planets.

Shapes: B planets.
"""

import torch

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.encoded import Encoded
from assay.habitability.fusions.floor import Floor, said
from assay.habitability.heads import Foretold


class TrainingMean(Floor):
    """Tells the same of every planet."""

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
        return said(self.get_buffer("reached_K").expand(len(encoded.presence_BM), -1))
