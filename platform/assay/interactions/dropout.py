"""Dropout whose mask is cheap on the CPU.

PyTorch's draws a float for every entry there, which takes longer than all products of a step over
a graph; sixteen bits an entry do. Elsewhere it is PyTorch's.
"""

import torch
from torch import Tensor, nn

_LEVELS = 1 << 16


class Dropout(nn.Module):
    """Entries are 0 with probability `share`, in steps of 1/65,536, the others scaled up."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Return x of any shape, thinned while training."""
        if not self.training or not self.share:
            return x
        if x.device.type != "cpu":
            return nn.functional.dropout(x, self.share)
        return x * _kept(x.shape, self.share) * (1 / (1 - self.share))


def _kept(shape: torch.Size, share: float) -> Tensor:
    """Return bool: which entries stay."""
    count = shape.numel()
    words = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    levels = words.view(torch.int16)[:count].view(shape)
    return levels >= round(share * _LEVELS) - _LEVELS // 2
