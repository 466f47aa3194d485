"""Dropout by counter-based draws: an entry's fate is a function of seed, step, layer and row.

So micro-batches, workers, a resumed run and another device thin alike, which PyTorch's dropout does
not; sixteen bits an entry also take a fraction of the time that its floats take on the CPU.
"""

import torch
from torch import Tensor, nn

from assay.training.draws import Draws

_LEVELS = 1 << 16
_PER_WORD = 4
"""Of sixteen bits."""
_ROWS = 1024
"""At a time on the CPU: what is drawn stays in its cache."""


class Dropout(nn.Module):
    """Entries are 0 with probability `share`, in steps of 1/65,536, the others scaled up."""

    def __init__(self, share: float, name: str) -> None:
        """Thin under a name that no other layer of the model has."""
        super().__init__()
        self.share, self.name = share, name

    def forward(self, x_ND: Tensor, rows_N: Tensor) -> Tensor:
        """Return x, thinned while training.

        Args:
            x_ND: What is thinned.
            rows_N: int64, what each row is of: a node, or a pair. The seed is the one that the
                training loop sets for the step.
        """
        if not self.training or not self.share:
            return x_ND
        kept_ND = torch.empty(x_ND.shape, dtype=torch.bool, device=x_ND.device)
        some = _ROWS if x_ND.device.type == "cpu" else max(1, len(rows_N))
        for rows_n, kept_nD in zip(rows_N.split(some), kept_ND.split(some), strict=True):
            self._draw(rows_n, kept_nD)
        return x_ND * kept_ND * (1 / (1 - self.share))

    def _draw(self, rows_n: Tensor, kept_nD: Tensor) -> None:
        width = kept_nD.shape[1]
        draws = Draws(torch.initial_seed() >> 1, 0, rows_n)
        words = draws.bits(self.name, -(-width // _PER_WORD))
        level_nD = words.view(torch.int16)[:, :width]
        torch.ge(level_nD, round(self.share * _LEVELS) - _LEVELS // 2, out=kept_nD)
