"""A Pairformer: a track of pairs refined by triangles, a track of atoms that attends through it.

After Abramson et al., "Accurate structure prediction of biomolecular interactions with
AlphaFold 3", Nature 630, 493 (2024), supplement, algorithm 17: triangle multiplication (outgoing,
incoming), triangle attention (starting, ending node), pair transition; attention with pair bias,
single transition. Geometry enters through distances and leaves through a weighted sum of
differences, so that the network is E(3)-equivariant.

Shapes: B systems (of a batch, or of one part of it), N atoms (padded), D width of atoms, C width of
pairs, H heads, R radial functions, K types. i, j, k run over atoms.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self

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
from assay.generation.architectures.parts import cut, split
from assay.generation.architectures.transformer import Block
from assay.generation.denoiser import Atoms, Conditions, Denoiser, Interface, Prediction


def _preset(
    width: int, pair_width: int, depth: int, heads: tuple[int, int], radial: int
) -> dict[str, int]:
    """Heads are those of atoms and those of pairs."""
    return {
        "width": width,
        "pair_width": pair_width,
        "depth": depth,
        "heads": heads[0],
        "pair_heads": heads[1],
        "radial": radial,
    }


class PairformerSettings(SizedSettings):
    """Width D of atoms and C of pairs, blocks, heads of atoms and of pairs, radial functions."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": _preset(64, 16, 3, (4, 2), 16),
        "s": _preset(128, 32, 2, (4, 2), 24),
        "m": _preset(192, 48, 5, (8, 4), 32),
        "l": _preset(256, 80, 4, (8, 4), 32),
        "xl": _preset(384, 96, 7, (12, 4), 48),
        "xs-parameters": _preset(64, 24, 2, (4, 2), 16),
        "s-parameters": _preset(96, 24, 3, (4, 2), 24),
        "m-parameters": _preset(192, 48, 4, (8, 4), 32),
        "l-parameters": _preset(256, 64, 4, (8, 4), 32),
        "xl-parameters": _preset(384, 96, 6, (12, 4), 48),
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
        self.pair_width = pair_width
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
        context_BD = self.context(atoms, time_B, previous, conditions)
        h_BND = self.embedding(atoms, previous) + context_BD.unsqueeze(1)
        pairs = self._pairs(atoms, previous, self.pair_ends(h_BND))
        for block in self.blocks:
            h_BND, pairs = block(h_BND, pairs, context_BD, atoms.mask_BN)
        ends = self.read_ends(self.atom_norm(h_BND)).split([len(each.mask_BN) for each in pairs])
        moves = [self._moves(of_part, x) for of_part, x in zip(pairs, ends, strict=True)]
        heads_BNX = torch.cat(moves)
        noise_BN3 = cell_B6 = cell_noise_B6 = None
        if heads_BNX.shape[-1] > 3:
            noise_BN3 = self.space.coordinates(heads_BNX[..., 3:], atoms)
        h_BND = self.norm(h_BND)
        if self.cell is not None and atoms.cell_B6 is not None:
            cell_B6, cell_noise_B6 = self.cell(h_BND, context_BD, atoms.mask_BN)
        moved_BN3 = self.space.coordinates(heads_BNX[..., :3], atoms)
        return Prediction(moved_BN3, self.types(h_BND), noise_BN3, cell_B6, cell_noise_B6)

    def _pairs(self, atoms: Atoms, previous: Prediction | None, ends_BNX: Tensor) -> list["_Pairs"]:
        parts = cut(atoms.mask_BN, 2 * self.pair_width)
        before: Sequence[Atoms | None] = [None] * len(parts)
        if previous is not None:
            before = split(as_seen(atoms, previous), parts)
        each = zip(split(atoms, parts), before, ends_BNX.split(parts), strict=True)
        return [self._pairs_of(now, seen, ends) for now, seen, ends in each]

    def _pairs_of(self, now: Atoms, before: Atoms | None, ends_BNX: Tensor) -> "_Pairs":
        features_BNNX, directions_BNN3 = self._seen(now)
        weight_CX = self.pair_distances.weight
        if before is None:
            weight_CX = weight_CX[:, : features_BNNX.shape[-1]]
        else:
            features_before_BNNX, before_BNN3 = self._seen(before)
            features_BNNX = torch.cat([features_BNNX, features_before_BNNX], dim=-1)
            directions_BNN3 = torch.cat([directions_BNN3, before_BNN3], dim=2)
        z_BNNC = nn.functional.linear(features_BNNX, weight_CX, self.pair_distances.bias)
        return _Pairs(_plus_ends(z_BNNC, ends_BNX), directions_BNN3, now.mask_BN)

    def _moves(self, pairs: "_Pairs", ends_BNX: Tensor) -> Tensor:
        """Return (B, N, 3 × heads): sums of directions, weighted by what is read of each pair."""
        pair_BNNC = _plus_ends(self.pair_norm(pairs.z_BNNC), ends_BNX)
        pulls_BNNX = self.pulls(pair_BNNC) * pair_mask(pairs.mask_BN).unsqueeze(-1)
        # (B, N, heads, 2N) @ (B, N, 2N, 3): each head is a weighted sum of both sets of directions.
        pulls_BNHX = pulls_BNNX.unflatten(-1, (-1, 2)).permute(0, 1, 3, 4, 2).flatten(3)
        directions_BNX3 = pairs.directions_BNX3
        pulls_BNHX = pulls_BNHX[..., : directions_BNX3.shape[2]]
        return (pulls_BNHX @ directions_BNX3.to(pulls_BNHX)).flatten(2)

    def _seen(self, atoms: Atoms) -> tuple[Tensor, Tensor]:
        """Return the features of all pairs, and their directions, shorter where they are near."""
        vectors_BNN3 = self.space.vectors(atoms)
        length_BNN = lengths(vectors_BNN3)
        features_BNNX = beside(self.radial(length_BNN), self.space.pairs(atoms))
        return features_BNNX, vectors_BNN3 / (length_BNN.unsqueeze(-1) + 1)


class _Pairs(NamedTuple):
    """The pairs of one part of a batch."""

    z_BNNC: Tensor
    directions_BNX3: Tensor
    """To the N atoms where they are, and where an earlier prediction has them, if there is one."""
    mask_BN: Tensor


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
        self, h_BND: Tensor, pairs: Sequence[_Pairs], time_BD: Tensor, mask_BN: Tensor
    ) -> tuple[Tensor, list[_Pairs]]:
        updated, biases = [], []
        for z_BNNC, directions_BNX3, part_mask_BN in pairs:
            for update in (self.outgoing, self.incoming, self.starting, self.ending):
                z_BNNC = z_BNNC + update(z_BNNC, part_mask_BN)
            z_BNNC = z_BNNC + self.transition(z_BNNC)
            biases.append(self.bias(z_BNNC).permute(0, 3, 1, 2))
            updated.append(_Pairs(z_BNNC, directions_BNX3, part_mask_BN))
        bias_BHNN = attention_bias(torch.cat(biases), mask_BN)
        return self.atoms(h_BND, time_BD, bias_BHNN), updated


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
        (B, N), C = mask_BN.shape, z_BNNC.shape[-1]
        both_BNN1 = (mask_BN.unsqueeze(2) & mask_BN.unsqueeze(1)).unsqueeze(-1)
        # Without biases, a masked pair gives a = b = 0: one product instead of two.
        z_BNNC = self.norm(z_BNNC) * both_BNN1
        # Transposed, so that every channel is a matrix of pairs.
        ab_XP = nn.functional.glu(self.gated.weight @ z_BNNC.flatten(0, 2).t(), dim=0)
        a_MNN, b_MNN = ab_XP.view(2, C * B, N, N)
        sum_MNN = a_MNN @ b_MNN.mT if self.outgoing else a_MNN.mT @ b_MNN
        sum_BNNC = sum_MNN.view(C, B, N, N).permute(1, 2, 3, 0).contiguous()
        return self.out(self.out_norm(sum_BNNC)) * self.gate(z_BNNC).sigmoid()


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
        B, N = mask_BN.shape
        z_BNNC = self.norm(z_BNNC)
        # Rows that attend are i of z_ij, or j.
        rows, back = ((0, 1, 3, 2, 4), (0, 1, 3, 2, 4)) if self.starting else (
            (0, 2, 3, 1, 4), (0, 3, 1, 2, 4)
        )  # fmt: skip

        def heads(weight_CC: Tensor) -> Tensor:
            x_BNNHd = nn.functional.linear(z_BNNC, weight_CC).view(B, N, N, self.heads, -1)
            return x_BNNHd.permute(rows).contiguous()

        query_CC, key_CC, value_CC = self.qkv.weight.chunk(3)
        scale = (z_BNNC.shape[-1] // self.heads) ** -0.5
        q, k, v = heads(query_CC * scale), heads(key_CC), heads(value_CC)
        bias_BHNN = self.bias(z_BNNC).permute((0, 3, 1, 2) if self.starting else (0, 3, 2, 1))
        scores_BNHNN = q @ k.mT
        scores_BNHNN += attention_bias(bias_BHNN, mask_BN).unsqueeze(1)
        mixed_BNHNd = scores_BNHNN.softmax(-1).to(v) @ v
        mixed_BNNC = mixed_BNHNd.permute(back).reshape(z_BNNC.shape)
        return self.out(mixed_BNNC * self.gate(z_BNNC).sigmoid())


class Transition(nn.Module):
    """A gated feed-forward network (SwiGLU), twice as wide inside; algorithm 11."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 4 * width, bias=False)
        self.out = nn.Linear(2 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the update, of the shape of x (…, C)."""
        x = self.norm(x)
        gate_weight, value_weight = self.project.weight.chunk(2)
        gate, value = nn.functional.linear(x, gate_weight), nn.functional.linear(x, value_weight)
        return self.out(nn.functional.silu(gate) * value)


def _plus_ends(pair_BNNC: Tensor, ends_BNX: Tensor) -> Tensor:
    """Return (B, N, N, C) p_ij + a_i + b_j; p is overwritten."""
    a_BNC, b_BNC = ends_BNX.chunk(2, dim=-1)
    pair_BNNC += a_BNC.unsqueeze(2)
    pair_BNNC += b_BNC.unsqueeze(1)
    return pair_BNNC
