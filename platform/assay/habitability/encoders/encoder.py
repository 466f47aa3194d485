"""The contract of an encoder: from a batch to tokens of one modality.

Shapes: B planets, T tokens, D width.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from assay.habitability.data.batches import MultiModalBatch


@dataclass(frozen=True)
class Tokens:
    """What an encoder makes of a modality; of planets that lack it, nobody reads them."""

    x_BTD: Tensor
    mask_BT: Tensor
    """bool: there is such a token."""


class Encoder(nn.Module, ABC):
    """Reads one modality. It is called for all planets, those that lack it included.

    Tokens end in a layer norm, so that all modalities speak equally loud to begin with.
    """

    @abstractmethod
    def forward(self, batch: MultiModalBatch) -> Tokens:
        """Return the tokens of a batch, finite for every planet."""


def all_there(x_BTD: Tensor) -> Tokens:
    """Return tokens of which none is padding."""
    return Tokens(x_BTD, x_BTD.new_ones(x_BTD.shape[:2]).bool())
