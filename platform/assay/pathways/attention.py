"""Attention among the nodes of a graph, aware of what joins each pair.

Pre-norm blocks with residuals: Dwivedi, Bresson, "A generalization of transformer networks to
graphs" (2021). A pair's features bias its attention (Ying et al., Graphormer, NeurIPS 2021) and are
values beside those of the node attended to, so that a node hears by which edge it is told.

Shapes: B graphs, N nodes (padded), D width, H heads, C features of a pair.
"""

import torch
from torch import Tensor, nn

from assay.pathways.conditions import ModulatedNorm


class Block(nn.Module):
    """Attention and a network of two layers, each added to its input."""

    def __init__(self, width: int, heads: int, pairs: int, condition: int | None) -> None:
        """Build a block.

        Args:
            width: D, a multiple of `heads`.
            heads: H.
            pairs: C; 0 if pairs have no features.
            condition: Width of what modulates the norms; None if nothing does.
        """
        super().__init__()
        self.heads = heads
        self.before = ModulatedNorm(width, condition)
        self.qkv = nn.Linear(width, 3 * width)
        self.bias = nn.Linear(pairs, heads, bias=False) if pairs else None
        self.told = nn.Linear(heads * pairs, width, bias=False) if pairs else None
        self.out = nn.Linear(width, width)
        self.between = ModulatedNorm(width, condition)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(
        self, x_BND: Tensor, mask_BN: Tensor, pairs_BNNC: Tensor | None, condition_BD: Tensor
    ) -> Tensor:
        """Return (B, N, D); what padding holds is never read."""
        y_BND = self.before(x_BND, condition_BD)
        x_BND = x_BND + self._attend(y_BND, mask_BN, pairs_BNNC)
        return x_BND + self.mlp(self.between(x_BND, condition_BD))

    def _attend(self, y_BND: Tensor, mask_BN: Tensor, pairs_BNNC: Tensor | None) -> Tensor:
        B, N, D = y_BND.shape
        q, k, v = self.qkv(y_BND).view(B, N, 3, self.heads, D // self.heads).unbind(2)
        score_BHNN = torch.einsum("buhd,bvhd->bhuv", q, k) * (D // self.heads) ** -0.5
        if self.bias is not None and pairs_BNNC is not None:
            score_BHNN = score_BHNN + self.bias(pairs_BNNC).permute(0, 3, 1, 2)
        score_BHNN = score_BHNN.masked_fill(~mask_BN[:, None, None, :], -torch.inf)
        share_BHNN = score_BHNN.softmax(-1)
        found_BND = self.out(torch.einsum("bhuv,bvhd->buhd", share_BHNN, v).reshape(B, N, D))
        if self.told is None or pairs_BNNC is None:
            return found_BND
        told = torch.einsum("bhuv,buvc->buhc", share_BHNN, pairs_BNNC)
        return found_BND + self.told(told.flatten(2))
