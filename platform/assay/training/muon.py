"""Muon whose updates are made orthogonal in float32 on a CPU.

PyTorch's own does so in bfloat16 everywhere. GPUs have units for that; of CPUs only some do, and on
the others its products are 3 to 30 times as slow as those of float32, and slower than the network.
"""

import math
from typing import Any, cast

import torch
from torch import Tensor

_A, _B, _C = 3.4445, -4.7750, 2.0315
_ITERATIONS = 5
_LEAST_NORM = 1e-7


class Muon(torch.optim.Muon):
    """Muon with Nesterov's momentum, its updates scaled to the size of AdamW's."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move the parameters that have a gradient."""
        assert closure is None, "nothing is evaluated twice"
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            for parameter in cast(list[Tensor], group["params"]):
                grad = parameter.grad
                if grad is None:
                    continue
                state = self.state[parameter]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(grad)
                mean = state["momentum_buffer"].lerp_(grad, 1 - momentum)
                update = orthogonal(grad.lerp(mean, momentum))
                parameter.mul_(1 - rate * group["weight_decay"])
                # Liu et al., "Muon is scalable for LLM training", 2025, equation 4.
                parameter.add_(update, alpha=-0.2 * rate * math.sqrt(max(parameter.shape)))


def orthogonal(matrix: Tensor) -> Tensor:
    """Return U S' Vᵀ of a matrix (A, B) that is U S Vᵀ, S' between about 0.7 and 1.2.

    Five Newton–Schulz iterations of fifth order; singular values below 1/500 of the matrix's norm
    come out smaller. Source: Jordan et al., "Muon: an optimizer for hidden layers in neural
    networks", 2024.
    """
    x = matrix.float() if matrix.device.type == "cpu" else matrix.bfloat16()
    wide = matrix.shape[0] <= matrix.shape[1]
    x = x if wide else x.mT
    x = x / x.norm().clamp(min=_LEAST_NORM)
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    return x if wide else x.mT
