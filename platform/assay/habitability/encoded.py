"""What the encoders make of a batch: tokens of all modalities, and who has which.

Shapes: B planets, M modalities, T tokens of all of them, D width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import pad

from assay.habitability.data.modalities import MODALITIES, Modality
from assay.habitability.encoders.encoder import Tokens


@dataclass(frozen=True)
class Encoded:
    """Tokens of B planets."""

    x_BTD: Tensor
    mask_BT: Tensor
    """bool: there is such a token, where its modality is."""
    of_T: Tensor
    """int64: the tokens' modalities, as positions in MODALITIES."""
    presence_BM: Tensor
    """bool: which modalities may be read; False for those without tokens."""

    @classmethod
    def of(cls, tokens: Mapping[Modality, Tokens], presence_BM: Tensor) -> Self:
        """Join the tokens of modalities, in the order that they are given in."""
        counts = [len(each.mask_BT[0]) for each in tokens.values()]
        places = torch.tensor([MODALITIES.index(name) for name in tokens])
        read_M = torch.tensor([name in tokens for name in MODALITIES], device=presence_BM.device)
        return cls(
            torch.cat([each.x_BTD for each in tokens.values()], 1),
            torch.cat([each.mask_BT for each in tokens.values()], 1),
            places.repeat_interleave(torch.tensor(counts)).to(presence_BM.device),
            presence_BM & read_M,
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the planets of several batches; the modality whose length varies comes last."""
        longest = max(parts, key=lambda part: len(part.of_T))
        missing = [len(longest.of_T) - len(part.of_T) for part in parts]
        return cls(
            torch.cat([pad(p.x_BTD, (0, 0, 0, k)) for p, k in zip(parts, missing, strict=True)]),
            torch.cat([pad(p.mask_BT, (0, k)) for p, k in zip(parts, missing, strict=True)]),
            longest.of_T,
            torch.cat([part.presence_BM for part in parts]),
        )

    @property
    def there_BT(self) -> Tensor:
        """Bool: what may be read."""
        return self.mask_BT & self.presence_BM[:, self.of_T]

    def keeping(self, kept_BM: Tensor) -> Self:
        """Return the same without the modalities that are not kept; bool, (B, M) or (M,)."""
        return replace(self, presence_BM=self.presence_BM & kept_BM)

    def swapped(self, modality: int, order_B: Tensor) -> Self:
        """Return the same with one modality taken from the planets at `order_B`, presence too."""
        own_T = self.of_T == modality
        presence_BM = self.presence_BM.clone()
        presence_BM[:, modality] = self.presence_BM[order_B, modality]
        return replace(
            self,
            x_BTD=torch.where(own_T[:, None], self.x_BTD[order_B], self.x_BTD),
            mask_BT=torch.where(own_T, self.mask_BT[order_B], self.mask_BT),
            presence_BM=presence_BM,
        )

    def pooled(self) -> Tensor:
        """Return (B, M, D): the mean over a modality's tokens, 0 where it is not there."""
        own_TM = self.of_T[:, None] == torch.arange(len(MODALITIES), device=self.of_T.device)
        weight_BTM = (self.there_BT[:, :, None] & own_TM).to(self.x_BTD.dtype)
        total_BMD = weight_BTM.mT @ self.x_BTD
        return total_BMD / weight_BTM.sum(1).clamp(min=1).unsqueeze(-1)
