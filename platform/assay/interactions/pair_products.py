"""Products of the nodes of many pairs, made a block at a time so that none of it leaves the cache.

Of 131,072 pairs and width 256 every array takes 134 MB: written and read again for each gather and
each product, these cost as much as the decoder's matrices. Shapes: V nodes, D width, P pairs.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_PAIRS = 1024
"""At a time on the CPU."""


def pair_products(h_VD: Tensor, pairs_P2: Tensor) -> Tensor:
    """Return (P, D): of each pair the product of its two nodes, entry by entry.

    Under autocast in its precision; what flows back into a node is summed in float32.

    Args:
        h_VD: Of nodes, float32.
        pairs_P2: int64, pairs of rows of `h_VD`.
    """
    kind = h_VD.device.type
    lower = torch.is_autocast_enabled(kind)
    dtype = torch.get_autocast_dtype(kind) if lower else torch.float32
    return _PairProducts.apply(h_VD.float(), pairs_P2, dtype)


class _PairProducts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h_VD: Tensor, pairs_P2: Tensor, dtype: torch.dtype) -> Tensor:
        held_VD = h_VD.to(dtype)
        ctx.save_for_backward(held_VD, pairs_P2)
        products_PD = held_VD.new_empty(len(pairs_P2), h_VD.shape[1])
        for part in _parts(h_VD, len(pairs_P2)):
            u_p, v_p = pairs_P2[part].unbind(1)
            torch.index_select(held_VD, 0, u_p, out=products_PD[part])
            products_PD[part] *= held_VD.index_select(0, v_p)
        return products_PD

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, None, None]:
        held_VD, pairs_P2 = ctx.saved_tensors
        into_VD = torch.zeros_like(held_VD, dtype=torch.float32)
        for part in _parts(held_VD, len(pairs_P2)):
            u_p, v_p = pairs_P2[part].unbind(1)
            gradient_pD = gradients[0][part].float()
            for here_p, other_p in ((u_p, v_p), (v_p, u_p)):
                flowing_pD = gradient_pD * held_VD.index_select(0, other_p)
                into_VD.index_put_((here_p,), flowing_pD, accumulate=True)
        return into_VD, None, None


def _parts(like: Tensor, count: int) -> list[slice]:
    some = _PAIRS if like.device.type == "cpu" else max(1, count)
    return [slice(first, first + some) for first in range(0, count, some)]
