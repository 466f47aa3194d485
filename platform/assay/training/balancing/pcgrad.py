"""Gradient surgery: where two losses' gradients conflict, the one's part along the other is taken.

Yu et al., "Gradient surgery for multi-task learning", NeurIPS 2020, algorithm 1. The update is a
linear combination of the losses' gradients, and its coefficients follow from their inner products
alone: so they become weights of the losses, and the ordinary backward pass does the rest.

Shapes: K losses, P entries of the shared parameters.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from assay.errors import ConfigError
from assay.training.balancing.balance import Balance, BalanceSettings, Part, summed_over_workers
from assay.training.draws import Draws, fold


class PCGradSettings(BalanceSettings):
    """Of gradient surgery there is nothing more to say."""

    method: Literal["pcgrad"] = "pcgrad"

    def balance(self, weights: Mapping[str, float], seed: int) -> Balance:
        """Return the method."""
        return PCGrad(weights, seed)


class PCGrad(Balance):
    """w_j = Σ_i c_ij, c_i the coefficients of loss i's gradient after the surgery; each is ≥ 1.

    Parameters that are not shared, such as a head, are moved by w_j times their loss's gradient.
    """

    method: ClassVar[str] = "pcgrad"
    needs_whole_batches: ClassVar[bool] = True
    takes_gradients: ClassVar[bool] = True

    def __init__(self, weights: Mapping[str, float], seed: int) -> None:
        super().__init__(weights)
        self.seed = fold(seed, "balancing pcgrad")

    def weigh(self, part: Part) -> Tensor:
        """Return the weights, from gradients over the step's records on all workers."""
        learning = [parameter for parameter in part.shared if parameter.requires_grad]
        if not learning:
            raise ConfigError(
                "balancing pcgrad: no shared parameter learns, so no gradients can conflict; "
                "choose another method for this stage"
            )
        rows_KP = torch.stack([_gradient(loss, learning) for loss in part.losses])
        sums_KP, count = summed_over_workers(rows_KP, part.records)
        rows_KP = sums_KP / count
        K = len(self.names)
        everybody = torch.zeros(1, dtype=torch.int64, device=self.given_K.device)
        order_KK = Draws(self.seed, part.step, everybody).uniform("order", K, K)[0].argsort(-1)
        return surgery(rows_KP @ rows_KP.mT, order_KK)


def surgery(gram_KK: Tensor, order_KK: Tensor) -> Tensor:
    """Return (K,) the weights of the losses whose gradients have these inner products.

    Args:
        gram_KK: Inner products of the gradients.
        order_KK: int64, in which order each gradient meets the others.
    """
    K = len(gram_KK)
    gram = gram_KK.double().tolist()
    weights = [0.0] * K
    for i, order in enumerate(order_KK.tolist()):
        mine = [float(k == i) for k in range(K)]
        for j in order:
            along = sum(c * g for c, g in zip(mine, gram[j], strict=True))
            if j != i and along < 0:
                mine[j] -= along / gram[j][j]
        weights = [w + c for w, c in zip(weights, mine, strict=True)]
    return gram_KK.new_tensor(weights)


def _gradient(loss: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
    """Return (P,); zeros of a loss that is constant, or that no shared parameter reaches."""
    if not loss.requires_grad:
        return loss.new_zeros(sum(parameter.numel() for parameter in parameters))
    found = torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True)
    return torch.cat([each.flatten().float() for each in found])
