"""How losses become one: here each times a weight that never changes."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class WeightedSum(nn.Module):
    """A sum with fixed weights."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = dict(weights)

    def forward(
        self,
        losses: Mapping[str, Tensor],
        shared: Sequence[nn.Parameter],
        step: int | None,
        records: int = 1,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what is minimised, and the weights of the losses in it.

        Args:
            losses: By name, () each.
            shared: The parameters that several losses pull at.
            step: Of training; None in evaluation.
            records: In the batch.
        """
        used = {
            name: torch.tensor(self.weights[name], device=value.device)
            for name, value in losses.items()
        }
        total = torch.stack([used[name] * value for name, value in losses.items()]).sum()
        return total, used

    # Without nn.Module's hooks: those that count FLOPs would watch the shared parameters.
    __call__ = forward
