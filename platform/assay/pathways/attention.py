"""Attention among the nodes of a graph, aware of what joins each pair.

Pre-norm blocks with residuals: Dwivedi, Bresson, "A generalization of transformer networks to
graphs" (2021). A pair's features bias its attention (Ying et al., Graphormer, NeurIPS 2021) and are
values beside those of the node attended to, so that a node hears by which edge it is told.

Shapes: B graphs, N nodes (padded), D width, H heads, C features of a pair, P listed pairs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from assay.pathways.candidates import Place
from assay.pathways.conditions import ModulatedNorm


@dataclass(frozen=True)
class ListedPairs:
    """Features of some pairs of a batch's nodes; all others have one vector in common.

    But for marks: few numbers of each pair, listed or not, which add a vector each.
    """

    place: Place
    """Each pair once."""
    features_PC: Tensor
    rest_C: Tensor
    """Of every pair that is not listed."""
    marked: tuple[Tensor, Tensor] | None = None
    """Marks (B, N, N, M), and what each of them adds to the features of a pair (M, C)."""

    @property
    def apart_PC(self) -> Tensor:
        """By how much the listed ones differ from the rest, which moves no share of attention."""
        return self.features_PC - self.rest_C

    def biases(self, bias: nn.Module, B: int, N: int) -> Tensor:
        """Return (B, H, N, N): what pairs add to scores, by a linear map without a constant."""
        values_PH = bias(self.apart_PC)
        zeros_BNNH = values_PH.new_zeros(B, N, N, values_PH.shape[-1])
        found_BNNH = zeros_BNNH.index_put(self.place, values_PH)
        if self.marked is not None:
            marks_BNNM, added_MC = self.marked
            found_BNNH = found_BNNH + marks_BNNM @ bias(added_MC)
        return found_BNNH.permute(0, 3, 1, 2)

    def heard(self, share_BHNN: Tensor) -> Tensor:
        """Return (B, N, H, C): Σ_v share(u, v) · features(u, v), where shares of u add up to 1."""
        B, H, N, _ = share_BHNN.shape
        graph_P, row_P, _ = self.place
        share_PH = share_BHNN.permute(0, 2, 3, 1)[self.place]
        told_PHC = share_PH.unsqueeze(-1) * self.apart_PC.unsqueeze(1)
        zeros_MHC = told_PHC.new_zeros(B * N, H, told_PHC.shape[-1])
        heard_MHC = zeros_MHC.index_add(0, graph_P * N + row_P, told_PHC)
        heard_BNHC = heard_MHC.view(B, N, H, -1) + self.rest_C
        if self.marked is None:
            return heard_BNHC
        marks_BNNM, added_MC = self.marked
        return heard_BNHC + torch.einsum("bhuv,buvm->buhm", share_BHNN, marks_BNNM) @ added_MC


Pairs = Tensor | ListedPairs
"""Features of all pairs, (B, N, N, C), or of some."""


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
        self, x_BND: Tensor, mask_BN: Tensor, pairs: Pairs | None, condition_BD: Tensor
    ) -> Tensor:
        """Return (B, N, D); what padding holds is never read."""
        y_BND = self.before(x_BND, condition_BD)
        x_BND = x_BND + self._attend(y_BND, mask_BN, pairs)
        return x_BND + self.mlp(self.between(x_BND, condition_BD))

    def _attend(self, y_BND: Tensor, mask_BN: Tensor, pairs: Pairs | None) -> Tensor:
        B, N, D = y_BND.shape
        q, k, v = self.qkv(y_BND).view(B, N, 3, self.heads, D // self.heads).unbind(2)
        score_BHNN = torch.einsum("buhd,bvhd->bhuv", q, k) * (D // self.heads) ** -0.5
        if self.bias is not None and isinstance(pairs, ListedPairs):
            score_BHNN = score_BHNN + pairs.biases(self.bias, B, N)
        elif self.bias is not None and pairs is not None:
            score_BHNN = score_BHNN + self.bias(pairs).permute(0, 3, 1, 2)
        score_BHNN = score_BHNN.masked_fill(~mask_BN[:, None, None, :], -torch.inf)
        share_BHNN = score_BHNN.softmax(-1)
        found_BND = self.out(torch.einsum("bhuv,bvhd->buhd", share_BHNN, v).reshape(B, N, D))
        if self.told is None or pairs is None:
            return found_BND
        if isinstance(pairs, ListedPairs):
            heard_BNHC = pairs.heard(share_BHNN)
        else:
            heard_BNHC = torch.einsum("bhuv,buvc->buhc", share_BHNN, pairs)
        return found_BND + self.told(heard_BNHC.flatten(2))
