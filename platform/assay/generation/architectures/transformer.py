"""A pre-norm Transformer over atoms as tokens, modulated by time, biased by distances.

Adaptive layer norm with zero-initialised gates: Peebles and Xie, "Scalable diffusion models with
transformers", ICCV 2023. Normalised queries and keys: Henry et al., "Query-key normalization",
2020. There is no encoding of the order of atoms, which would leak that of the SMILES.

Shapes: B molecules, N atoms (padded), D width, H heads, R radial functions, K types.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from pydantic import PositiveInt, model_validator
from torch import Tensor, nn

from assay.config import Size, SizedSettings
from assay.generation.architectures.features import (
    AtomEmbedding,
    RadialBasis,
    TimeEmbedding,
    attention_bias,
    pair_vectors,
    require_multiple,
)
from assay.generation.denoiser import Atoms, Denoiser, Head, Prediction


class TransformerSettings(SizedSettings):
    """Width D, number of blocks, attention heads H, radial functions R."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 128, "depth": 4, "heads": 8, "radial": 16},
        "s": {"width": 192, "depth": 8, "heads": 8, "radial": 24},
        "m": {"width": 256, "depth": 12, "heads": 8, "radial": 32},
        "l": {"width": 384, "depth": 12, "heads": 12, "radial": 32},
        "xl": {"width": 512, "depth": 16, "heads": 16, "radial": 48},
    }
    width: PositiveInt
    depth: PositiveInt
    heads: PositiveInt
    radial: PositiveInt

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        require_multiple("width", self.width, "heads", self.heads)
        return self


class Transformer(Denoiser):
    """Not equivariant: coordinates are inputs and outputs; trained on random rotations."""

    Settings = TransformerSettings
    equivariant = False

    def __init__(self, settings: TransformerSettings, n_types: int, heads: Sequence[Head]) -> None:
        super().__init__(settings, n_types, heads)
        width = settings.width
        self.embedding = AtomEmbedding(n_types, width)
        self.positions = nn.Linear(3, width, bias=False)
        self.previous = nn.Linear(3, width, bias=False)
        self.time = TimeEmbedding(width)
        self.radial = RadialBasis(settings.radial)
        self.bias = nn.Linear(2 * settings.radial, settings.depth * settings.heads, bias=False)
        self.blocks = nn.ModuleList(Block(width, settings.heads) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(width)
        self.types = nn.Linear(width, n_types)
        self.vectors = nn.Linear(width, 3 * (1 + len(heads)))
        self.n_heads, self.n_vectors = settings.heads, 1 + len(heads)

    def forward(self, atoms: Atoms, time_B: Tensor, previous: Prediction | None) -> Prediction:
        """Return displacements, type logits and the noise if asked for."""
        h_BND = self.embedding(atoms, previous) + self.positions(atoms.positions_BN3)
        now_BNNR = self.radial(pair_vectors(atoms.positions_BN3)[1])
        before_BNNR = torch.zeros_like(now_BNNR)
        if previous is not None:
            h_BND = h_BND + self.previous(previous.positions_BN3)
            before_BNNR = self.radial(pair_vectors(previous.positions_BN3)[1])
        bias_BNNX = self.bias(torch.cat([now_BNNR, before_BNNR], dim=-1))
        biases = bias_BNNX.permute(0, 3, 1, 2).split(self.n_heads, dim=1)
        time_BD = self.time(time_B)
        for block, bias_BHNN in zip(self.blocks, biases, strict=True):
            h_BND = block(h_BND, time_BD, attention_bias(bias_BHNN, atoms.mask_BN))
        h_BND = self.norm(h_BND)
        vectors = self.vectors(h_BND) * atoms.mask_BN.unsqueeze(-1)
        noise_BN3 = vectors[..., 3:] if self.n_vectors > 1 else None
        return Prediction(vectors[..., :3], self.types(h_BND), noise_BN3)


class Block(nn.Module):
    """Attention and a feed-forward network, each scaled, shifted and gated by time."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.query_norm = nn.RMSNorm(width // heads)
        self.key_norm = nn.RMSNorm(width // heads)
        self.out = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, h_BND: Tensor, time_BD: Tensor, bias_BHNN: Tensor) -> Tensor:
        """Return (B, N, D)."""
        modulation = self.modulation(nn.functional.silu(time_BD)).unsqueeze(1)
        shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = modulation.chunk(6, dim=-1)
        x_BND = self.norms[0](h_BND) * (1 + scale_a) + shift_a
        h_BND = h_BND + gate_a * self._attend(x_BND, bias_BHNN)
        x_BND = self.norms[1](h_BND) * (1 + scale_f) + shift_f
        return h_BND + gate_f * self.feed_forward(x_BND)

    def _attend(self, x_BND: Tensor, bias_BHNN: Tensor) -> Tensor:
        q, k, v = self.qkv(x_BND).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        # In fp32 under autocast as well: the norm decides the attention logits.
        q, k = self.query_norm(q.float()).to(v), self.key_norm(k.float()).to(v)
        out_BHNd = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias_BHNN)
        return self.out(out_BHNd.transpose(1, 2).flatten(2))
