"""A Pairformer: a track of pairs refined by triangles, a track of atoms that attends through it.

After Abramson et al., "Accurate structure prediction of biomolecular interactions with
AlphaFold 3", Nature 630, 493 (2024), supplement, algorithm 17: triangle multiplication (outgoing,
incoming), triangle attention (starting, ending node), pair transition; attention with pair bias,
single transition. Geometry enters through distances and leaves through a weighted sum of
differences, so that the network is E(3)-equivariant.

Shapes: B systems, N atoms (padded), D width of atoms, C width of pairs, H heads, R radial
functions, K types. i, j, k run over atoms.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from pydantic import PositiveInt, model_validator
from torch import Tensor, nn

from assay.config import Size, SizedSettings
from assay.generation.architectures.features import (
    AtomEmbedding,
    CellHead,
    Context,
    RadialBasis,
    as_seen,
    attention_bias,
    beside,
    lengths,
    pair_mask,
    require_multiple,
)
from assay.generation.architectures.transformer import Block
from assay.generation.denoiser import Atoms, Conditions, Denoiser, Interface, Prediction


class PairformerSettings(SizedSettings):
    """Width D of atoms and C of pairs, blocks, heads of atoms and of pairs, radial functions."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {
            "width": 64,
            "pair_width": 24,
            "depth": 2,
            "heads": 4,
            "pair_heads": 2,
            "radial": 16,
        },
        "s": {
            "width": 128,
            "pair_width": 48,
            "depth": 3,
            "heads": 8,
            "pair_heads": 4,
            "radial": 24,
        },
        "m": {
            "width": 256,
            "pair_width": 64,
            "depth": 4,
            "heads": 8,
            "pair_heads": 4,
            "radial": 32,
        },
        "l": {
            "width": 384,
            "pair_width": 96,
            "depth": 6,
            "heads": 12,
            "pair_heads": 4,
            "radial": 32,
        },
        "xl": {
            "width": 512,
            "pair_width": 128,
            "depth": 8,
            "heads": 16,
            "pair_heads": 4,
            "radial": 48,
        },
    }
    width: PositiveInt
    pair_width: PositiveInt
    depth: PositiveInt
    heads: PositiveInt
    pair_heads: PositiveInt
    radial: PositiveInt

    @model_validator(mode="after")
    def _heads_share_the_widths(self) -> Self:
        require_multiple("width", self.width, "heads", self.heads)
        require_multiple("pair_width", self.pair_width, "pair_heads", self.pair_heads)
        return self


class Pairformer(Denoiser):
    """Pairs and atoms refine each other; vectors are read off the pairs."""

    Settings = PairformerSettings
    equivariant = True

    def __init__(self, settings: PairformerSettings, interface: Interface) -> None:
        super().__init__(settings, interface)
        width, pair_width, space = settings.width, settings.pair_width, interface.space
        features = 2 * (settings.radial + space.pair_features)
        self.embedding = AtomEmbedding(space.n_types, width)
        self.context = Context(width, interface)
        self.radial = RadialBasis(settings.radial)
        self.pair_ends = nn.Linear(width, 2 * pair_width)
        self.pair_distances = nn.Linear(features, pair_width, bias=False)
        self.blocks = nn.ModuleList(_PairformerBlock(settings) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(width)
        self.types = nn.Linear(width, space.n_types)
        self.pair_norm = nn.LayerNorm(pair_width)
        self.atom_norm = nn.LayerNorm(width)
        self.read_ends = nn.Linear(width, 2 * pair_width, bias=False)
        self.pulls = nn.Sequential(
            nn.Linear(pair_width, pair_width),
            nn.SiLU(),
            nn.Linear(pair_width, 2 * (1 + len(interface.heads))),
        )
        self.cell = CellHead(width, interface) if space.periodic else None

    def forward(
        self,
        atoms: Atoms,
        time_B: Tensor,
        previous: Prediction | None,
        conditions: Conditions | None = None,
    ) -> Prediction:
        """Return displacements, type logits, the cell, the noise if asked for."""
        now_BNNX, now_BNN3 = self._seen(atoms)
        before_BNNX, before_BNN3 = torch.zeros_like(now_BNNX), torch.zeros_like(now_BNN3)
        if previous is not None:
            before_BNNX, before_BNN3 = self._seen(as_seen(atoms, previous))
        context_BD = self.context(atoms, time_B, previous, conditions)
        h_BND = self.embedding(atoms, previous) + context_BD.unsqueeze(1)
        z_BNNC = self.pair_distances(torch.cat([now_BNNX, before_BNNX], dim=-1))
        z_BNNC = z_BNNC + _outer_sum(self.pair_ends(h_BND))
        for block in self.blocks:
            h_BND, z_BNNC = block(h_BND, z_BNNC, context_BD, atoms.mask_BN)
        pair_BNNC = self.pair_norm(z_BNNC) + _outer_sum(self.read_ends(self.atom_norm(h_BND)))
        pulls_BNNX = self.pulls(pair_BNNC) * pair_mask(atoms.mask_BN).unsqueeze(-1)
        # (B, N, heads, 2N) @ (B, N, 2N, 3): each head is a weighted sum of both sets of directions.
        pulls_BNHX = pulls_BNNX.unflatten(-1, (-1, 2)).permute(0, 1, 3, 4, 2).flatten(3)
        heads_BNH3 = pulls_BNHX @ torch.cat([now_BNN3, before_BNN3], dim=2).to(pulls_BNHX)
        noise_BN3 = cell_B6 = cell_noise_B6 = None
        if heads_BNH3.shape[2] > 1:
            noise_BN3 = self.space.coordinates(heads_BNH3[:, :, 1], atoms)
        h_BND = self.norm(h_BND)
        if self.cell is not None:
            cell_B6, cell_noise_B6 = self.cell(h_BND, context_BD, atoms.mask_BN)
        moved_BN3 = self.space.coordinates(heads_BNH3[:, :, 0], atoms)
        return Prediction(moved_BN3, self.types(h_BND), noise_BN3, cell_B6, cell_noise_B6)

    def _seen(self, atoms: Atoms) -> tuple[Tensor, Tensor]:
        """Return the features of all pairs, and their directions, shorter where they are near."""
        vectors_BNN3 = self.space.vectors(atoms)
        length_BNN = lengths(vectors_BNN3)
        features_BNNX = beside(self.radial(length_BNN), self.space.pairs(atoms))
        return features_BNNX, vectors_BNN3 / (length_BNN.unsqueeze(-1) + 1)


class _PairformerBlock(nn.Module):
    def __init__(self, settings: PairformerSettings) -> None:
        super().__init__()
        width, pair_width = settings.width, settings.pair_width
        self.outgoing = TriangleMultiplication(pair_width, outgoing=True)
        self.incoming = TriangleMultiplication(pair_width, outgoing=False)
        self.starting = TriangleAttention(pair_width, settings.pair_heads, starting=True)
        self.ending = TriangleAttention(pair_width, settings.pair_heads, starting=False)
        self.transition = Transition(pair_width)
        self.bias = nn.Sequential(
            nn.LayerNorm(pair_width), nn.Linear(pair_width, settings.heads, bias=False)
        )
        self.atoms = Block(width, settings.heads)

    def forward(
        self, h_BND: Tensor, z_BNNC: Tensor, time_BD: Tensor, mask_BN: Tensor
    ) -> tuple[Tensor, Tensor]:
        z_BNNC = z_BNNC + self.outgoing(z_BNNC, mask_BN)
        z_BNNC = z_BNNC + self.incoming(z_BNNC, mask_BN)
        z_BNNC = z_BNNC + self.starting(z_BNNC, mask_BN)
        z_BNNC = z_BNNC + self.ending(z_BNNC, mask_BN)
        z_BNNC = z_BNNC + self.transition(z_BNNC)
        bias_BHNN = self.bias(z_BNNC).permute(0, 3, 1, 2)
        return self.atoms(h_BND, time_BD, attention_bias(bias_BHNN, mask_BN)), z_BNNC


class TriangleMultiplication(nn.Module):
    """z_ij ← Σ_k a_ik ⊙ b_jk (outgoing) or Σ_k a_ki ⊙ b_kj (incoming); algorithms 12 and 13."""

    def __init__(self, width: int, outgoing: bool) -> None:
        super().__init__()
        self.outgoing = outgoing
        self.norm = nn.LayerNorm(width)
        self.gated = nn.Linear(width, 4 * width, bias=False)
        self.gate = nn.Linear(width, width)
        self.out_norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, width)

    def forward(self, z_BNNC: Tensor, mask_BN: Tensor) -> Tensor:
        """Return the update (B, N, N, C)."""
        mask_BNN1 = (mask_BN.unsqueeze(2) & mask_BN.unsqueeze(1)).unsqueeze(-1)
        z_BNNC = self.norm(z_BNNC)
        # Without biases, a masked pair gives a = b = 0: one product instead of two.
        ab_BNNX = nn.functional.glu(self.gated(z_BNNC * mask_BNN1))
        a_BCNN, b_BCNN = ab_BNNX.permute(0, 3, 1, 2).contiguous().chunk(2, dim=1)
        if self.outgoing:
            sum_BCNN = a_BCNN @ b_BCNN.transpose(-1, -2)
        else:
            sum_BCNN = a_BCNN.transpose(-1, -2) @ b_BCNN
        update_BNNC = self.out(self.out_norm(sum_BCNN.permute(0, 2, 3, 1)))
        return update_BNNC * self.gate(z_BNNC).sigmoid()


class TriangleAttention(nn.Module):
    """Row i (starting) or column j (ending) of the pairs attends; algorithms 14 and 15.

    Written out rather than through the fused kernel, which on the CPU cannot differentiate the bias
    without copying it for every row (1.5 × slower forward and backward at N = 18).
    """

    def __init__(self, width: int, heads: int, starting: bool) -> None:
        super().__init__()
        self.heads, self.starting = heads, starting
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.bias = nn.Linear(width, heads, bias=False)
        self.gate = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, z_BNNC: Tensor, mask_BN: Tensor) -> Tensor:
        """Return the update (B, N, N, C)."""
        z_BNNC = self.norm(z_BNNC if self.starting else z_BNNC.transpose(1, 2))
        # (3, B, rows, H, N, C/H), contiguous for the batched products
        qkv = self.qkv(z_BNNC).unflatten(-1, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        q, k, v = qkv.contiguous().unbind(0)
        bias_BHNN = attention_bias(self.bias(z_BNNC).permute(0, 3, 1, 2), mask_BN)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + bias_BHNN.unsqueeze(1)
        mixed_BNNC = (scores.softmax(-1) @ v).transpose(2, 3).flatten(3)
        update_BNNC = self.out(mixed_BNNC * self.gate(z_BNNC).sigmoid())
        return update_BNNC if self.starting else update_BNNC.transpose(1, 2)


class Transition(nn.Module):
    """A gated feed-forward network (SwiGLU), twice as wide inside; algorithm 11."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 4 * width, bias=False)
        self.out = nn.Linear(2 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the update, of the shape of x (…, C)."""
        gate, value = self.project(self.norm(x)).chunk(2, dim=-1)
        return self.out(nn.functional.silu(gate) * value)


def _outer_sum(ends: Tensor) -> Tensor:
    """(B, N, 2C) → (B, N, N, C): a_i + b_j."""
    a_BNC, b_BNC = ends.chunk(2, dim=-1)
    return a_BNC.unsqueeze(2) + b_BNC.unsqueeze(1)
