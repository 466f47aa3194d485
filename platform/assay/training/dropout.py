"""Dropout by counter-based draws: an entry's fate is a function of seed, step, layer and row.

So micro-batches, workers, a resumed run and another device thin alike, which PyTorch's dropout does
not; sixteen bits an entry also take a fraction of the time that its floats take on the CPU.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

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
        if not self.thins:
            return x_ND
        scales_ND = torch.empty_like(x_ND)
        for part in _parts(x_ND):
            self.fill_scales(scales_ND[part], rows_N[part])
        return x_ND * scales_ND

    def of_relu(self, x_ND: Tensor, rows_N: Tensor) -> Tensor:
        """Return max(x, 0), thinned while training: `self(x_ND.relu(), rows_N)` in one pass."""
        return _ThinnedRelu.apply(x_ND, rows_N, self) if self.thins else x_ND.relu()

    @property
    def thins(self) -> bool:
        """Whether anything is taken away at present."""
        return self.training and self.share > 0

    def fill_scales(self, scales_nD: Tensor, rows_n: Tensor) -> None:
        """Fill (n, D) with what entries of some rows are multiplied by: 0 or 1 / (1 - share).

        Numbers, not truth values: products with these, and choices by them, take PyTorch five to
        thirty times as long on the CPU.
        """
        width = scales_nD.shape[1]
        draws = Draws(torch.initial_seed() >> 1, 0, rows_n)
        words = draws.bits(self.name, -(-width // _PER_WORD))
        level_nD = words.view(torch.int16)[:, :width]
        torch.ge(level_nD, round(self.share * _LEVELS) - _LEVELS // 2, out=scales_nD)
        scales_nD *= 1 / (1 - self.share)


class _ThinnedRelu(torch.autograd.Function):
    """What was taken away or below 0 is 0, and nothing flows back through it."""

    @staticmethod
    def forward(ctx: Any, x_ND: Tensor, rows_N: Tensor, dropout: Dropout) -> Tensor:
        ctx.scale, thinned_ND = 1 / (1 - dropout.share), torch.empty_like(x_ND)
        for part in _parts(x_ND):
            thinned_nD = torch.clamp_min(x_ND[part], 0, out=thinned_ND[part])
            scales_nD = torch.empty_like(thinned_nD)
            dropout.fill_scales(scales_nD, rows_N[part])
            thinned_nD *= scales_nD
        ctx.save_for_backward(thinned_ND)
        return thinned_ND

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, None, None]:
        (thinned_ND,) = ctx.saved_tensors
        back_ND, of_relu = (
            torch.empty_like(thinned_ND),
            torch.ops.aten.threshold_backward.grad_input,
        )
        for part in _parts(thinned_ND):
            back_nD = back_ND[part]
            of_relu(gradients[0][part], thinned_ND[part], 0, grad_input=back_nD)
            back_nD.mul_(ctx.scale)
        return back_ND, None, None


def _parts(x_ND: Tensor) -> Iterator[slice]:
    some = _ROWS if x_ND.device.type == "cpu" else max(1, len(x_ND))
    return (slice(first, first + some) for first in range(0, len(x_ND), some))
