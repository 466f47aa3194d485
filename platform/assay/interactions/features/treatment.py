"""What a node without features is given: five treatments, one of them learned.

Shapes: V nodes, F features, D width.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from assay.errors import DataError
from assay.interactions.constant import Constant
from assay.interactions.features.node_features import NodeFeatures

Missing = Literal["zeros", "random", "mean", "fallback", "per_node"]
MISSING: tuple[Missing, ...] = get_args(Missing)


class _Known(Constant):
    x_VF: Tensor
    mask_V1: Tensor

    def __init__(self, x_VF: Tensor, mask_V1: Tensor) -> None:
        super().__init__()
        self.register_buffer("x_VF", x_VF, persistent=False)
        self.register_buffer("mask_V1", mask_V1, persistent=False)


class TreatedFeatures(nn.Module):
    """Features projected to a width, with something in place of those that are not known.

    zeros, random and mean stand before the projection: no features; a row a node, drawn from normal
    distributions with the standard deviations of the known rows, feature by feature; the mean of
    the known ones. fallback and per_node stand after it: one learned row for all unknown nodes,
    mask · proj(x) + (1 - mask) · fallback, or one for each. Then ReLU.
    """

    def __init__(self, features: NodeFeatures, width: int, missing: Missing, seed: int) -> None:
        super().__init__()
        x_VF, mask_V = torch.from_numpy(features.x_VF.copy()), torch.from_numpy(features.mask_V)
        unknown = int((~mask_V).sum())
        if missing in ("random", "mean") and unknown == len(mask_V):
            raise DataError("features: no node has any, so they have no mean and no deviation")
        if missing == "random":
            # Rows of deviation 1 would drown the known ones, which may be mostly zeros.
            generator = torch.Generator().manual_seed(seed)
            drawn_UF = torch.randn(unknown, x_VF.shape[1], generator=generator)
            x_VF[~mask_V] = drawn_UF * x_VF[mask_V].std(0, correction=0)
        elif missing == "mean":
            x_VF[~mask_V] = x_VF[mask_V].mean(0)
        self.known = _Known(x_VF, mask_V[:, None])
        self.proj = nn.Linear(x_VF.shape[1], width)
        self.fallback = nn.Parameter(torch.zeros(1, width)) if missing == "fallback" else None
        self.of_node = nn.Embedding(unknown, width) if missing == "per_node" and unknown else None
        for row in (self.fallback, None if self.of_node is None else self.of_node.weight):
            if row is not None:
                nn.init.normal_(row, std=0.1)

    def forward(self, nodes_N: Tensor | None = None) -> Tensor:
        """Return (V, D), or (N, D) of some nodes."""
        x_VF, mask_V1 = self.known.x_VF, self.known.mask_V1
        if nodes_N is not None:
            x_VF, mask_V1 = x_VF[nodes_N], mask_V1[nodes_N]
        h_VD = self.proj(x_VF)
        if self.fallback is not None:
            h_VD = torch.where(mask_V1, h_VD, self.fallback)
        elif self.of_node is not None:
            row_V = (~self.known.mask_V1[:, 0]).cumsum(0) - 1  # of an unknown node
            row_V = row_V if nodes_N is None else row_V[nodes_N]
            h_VD = torch.where(mask_V1, h_VD, self.of_node(row_V.clamp(min=0)))
        return h_VD.relu()
