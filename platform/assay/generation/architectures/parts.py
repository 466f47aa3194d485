"""Parts of a batch whose pairs stay in the processor's cache while they are worked on.

Work on pairs is a chain of small products and elementwise passes: in the cache the products run at
the machine's full rate and a pass costs little, in memory neither holds. Training and sampling make
batches of systems of like sizes, so a batch is cut as it comes: it is padded as before, and its
FLOPs are the same.

On a GPU, and under torch.compile, the whole batch is one part: kernels are large or fused.
"""

from collections.abc import Sequence
from dataclasses import fields, replace

import torch
from torch import Tensor

from assay.generation.denoiser import Atoms

_FLOATS = 2**19
"""A thread, of the widest tensor of a part's pairs: 2 MiB, about a core's second cache."""


def cut(mask_BN: Tensor, width: int) -> list[int]:
    """Return the systems of each part, of a batch whose widest tensor has `width` numbers a pair.

    The parts are of equal size, give or take one system, in the order of the batch.
    """
    B, N = mask_BN.shape
    if mask_BN.device.type != "cpu" or torch.compiler.is_compiling():
        return [B]
    most = max(1, torch.get_num_threads() * _FLOATS // (width * N * N))
    count = -(-B // most)
    return [B // count + (part < B % count) for part in range(count)]


def split(atoms: Atoms, parts: Sequence[int]) -> list[Atoms]:
    """Return the systems of each part."""
    found = {each.name: getattr(atoms, each.name) for each in fields(atoms)}
    tensors = {k: v.split(list(parts)) for k, v in found.items() if isinstance(v, Tensor)}
    return [
        replace(atoms, **{name: of_parts[part] for name, of_parts in tensors.items()})
        for part in range(len(parts))
    ]
