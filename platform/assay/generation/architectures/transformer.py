"""A pre-norm Transformer over atoms as tokens, modulated by time, biased by distances.

Adaptive layer norm with zero-initialised gates: Peebles and Xie, "Scalable diffusion models with
transformers", ICCV 2023. Normalised queries and keys: Henry et al., "Query-key normalization",
2020. There is no encoding of the order of atoms, which would leak that of the SMILES.

In a crystal a token sees its fractional coordinates as waves, which no lattice translation changes,
and answers in fractions of the cell: a standardised cell has no orientation to be turned.

Shapes: B systems, N atoms (padded), D width, H heads, R radial functions, K types.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from pydantic import PositiveInt, model_validator
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from assay.config import Size, SizedSettings
from assay.generation.architectures.features import (
    AtomEmbedding,
    CellHead,
    Context,
    RadialBasis,
    as_seen,
    beside,
    lengths,
    require_multiple,
    shut_out,
)
from assay.generation.denoiser import Atoms, Conditions, Denoiser, Interface, Prediction


class TransformerSettings(SizedSettings):
    """Width D, number of blocks, attention heads H, radial functions R."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 128, "depth": 3, "heads": 4, "radial": 16},
        "s": {"width": 128, "depth": 8, "heads": 4, "radial": 24},
        "m": {"width": 256, "depth": 10, "heads": 8, "radial": 32},
        "l": {"width": 384, "depth": 9, "heads": 12, "radial": 32},
        "xl": {"width": 512, "depth": 15, "heads": 16, "radial": 48},
        "xs-parameters": {"width": 48, "depth": 5, "heads": 4, "radial": 16},
        "s-parameters": {"width": 64, "depth": 7, "heads": 4, "radial": 24},
        "m-parameters": {"width": 160, "depth": 6, "heads": 5, "radial": 32},
        "l-parameters": {"width": 192, "depth": 8, "heads": 6, "radial": 32},
        "xl-parameters": {"width": 256, "depth": 14, "heads": 8, "radial": 48},
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

    def __init__(self, settings: TransformerSettings, interface: Interface) -> None:
        super().__init__(settings, interface)
        width, space = settings.width, interface.space
        features = 2 * (settings.radial + space.pair_features)
        self.embedding = AtomEmbedding(space.n_types, width)
        self.positions = nn.Linear(space.place_features, width, bias=False)
        self.previous = nn.Linear(space.place_features, width, bias=False)
        self.context = Context(width, interface)
        self.radial = RadialBasis(settings.radial)
        self.bias = nn.Linear(features, settings.depth * settings.heads, bias=False)
        self.blocks = nn.ModuleList(Block(width, settings.heads) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(width)
        self.types = nn.Linear(width, space.n_types)
        self.vectors = nn.Linear(width, 3 * (1 + len(interface.heads)))
        self.cell = CellHead(width, interface) if space.periodic else None
        self.n_heads, self.n_vectors = settings.heads, 1 + len(interface.heads)

    def forward(
        self,
        atoms: Atoms,
        time_B: Tensor,
        previous: Prediction | None,
        conditions: Conditions | None = None,
    ) -> Prediction:
        """Return displacements, type logits, the cell, the noise if asked for."""
        h_BND = self.embedding(atoms, previous) + self.positions(self.space.place(atoms))
        seen_BNNX, weight_HX = self._pairs(atoms), self.bias.weight
        if previous is None:
            weight_HX = weight_HX[:, : seen_BNNX.shape[-1]]
        else:
            seen = as_seen(atoms, previous)
            h_BND = h_BND + self.previous(self.space.place(seen))
            seen_BNNX = torch.cat([seen_BNNX, self._pairs(seen)], dim=-1)
        biases = self._biases(weight_HX, seen_BNNX, atoms.mask_BN)
        context_BD = self.context(atoms, time_B, previous, conditions)
        for block, bias_BHNN in zip(self.blocks, biases, strict=True):
            h_BND = block(h_BND, context_BD, bias_BHNN)
        h_BND = self.norm(h_BND)
        vectors = self.vectors(h_BND) * atoms.mask_BN.unsqueeze(-1)
        noise_BN3 = vectors[..., 3:] if self.n_vectors > 1 else None
        cell_B6 = cell_noise_B6 = None
        if self.cell is not None and atoms.cell_B6 is not None:
            cell_B6, cell_noise_B6 = self.cell(h_BND, context_BD, atoms.mask_BN)
        return Prediction(vectors[..., :3], self.types(h_BND), noise_BN3, cell_B6, cell_noise_B6)

    def _biases(self, weight_HX: Tensor, seen_BNNX: Tensor, mask_BN: Tensor) -> list[Tensor]:
        """Return the bias (B, H, N, N) of every block, of one product for all."""
        B, N = mask_BN.shape
        bias_HBNN = (weight_HX @ seen_BNNX.flatten(0, 2).t()).view(-1, B, N, N)
        bias_HBNN += shut_out(mask_BN, bias_HBNN.dtype).unsqueeze(1)
        return [bias.transpose(0, 1) for bias in bias_HBNN.split(self.n_heads)]

    def _pairs(self, atoms: Atoms) -> Tensor:
        radial_BNNR = self.radial(lengths(self.space.vectors(atoms)))
        return beside(radial_BNNR, self.space.pairs(atoms))


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
        x_BND = self.norms[0](h_BND) * (1 + scale_a)
        x_BND += shift_a
        h_BND = h_BND + gate_a * self._attend(x_BND, bias_BHNN)
        x_BND = self.norms[1](h_BND) * (1 + scale_f)
        x_BND += shift_f
        return h_BND + gate_f * self.feed_forward(x_BND)

    def _attend(self, x_BND: Tensor, bias_BHNN: Tensor) -> Tensor:
        """Return what each atom gathers (B, N, D).

        Written out rather than through the fused kernel, which on the CPU is slower for so few
        atoms.
        """
        qkv = self.qkv(x_BND).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.contiguous().unbind(0)
        weight_d = self.query_norm.weight * self.key_norm.weight * q.shape[-1] ** -0.5
        scores_BHNN = _NormalisedScores.apply(q, k, weight_d) + bias_BHNN
        out_BHNd = scores_BHNN.softmax(-1).to(v) @ v
        return self.out(out_BHNd.transpose(1, 2).flatten(2))


class _NormalisedScores(torch.autograd.Function):
    """S = (w ⊙ q / rms(q)) · (k / rms(k)), without a normalised copy of queries or keys.

    With G the gradient of S and r = 1 / rms, that of q is w ⊙ ((G ⊙ r_q r_k) k), less what lies
    along q, which a norm takes away: q r_q² Σ_k (G ⊙ S) / d. That of k is alike. A third of the
    passes over memory that differentiating the norms takes.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, weight_d: Tensor) -> Tensor:
        """Return (B, H, N, N) for (B, H, N, d), (B, H, N, d) and (d,)."""
        weighted = (q * weight_d).to(k.dtype)
        # In fp32 under autocast as well: the norm decides the attention logits.
        r_q, r_k = _inverse_rms(q), _inverse_rms(k)
        scores = weighted @ k.mT * (r_q * r_k.mT)
        ctx.save_for_backward(q, k, weight_d, weighted, r_q, r_k, scores)
        return scores

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of q, k and the weight."""
        q, k, weight_d, weighted, r_q, r_k, scores = ctx.saved_tensors
        (grad,) = grad_outputs
        along = grad * scores / q.shape[-1]
        inner = (grad * (r_q * r_k.mT)).to(k.dtype)
        of_weighted = inner @ k
        of_q = of_weighted * weight_d - q * (r_q.square() * along.sum(-1, keepdim=True))
        of_k = inner.mT @ weighted - k * (r_k.square() * along.sum(-2).unsqueeze(-1))
        of_weight_d = (of_weighted * q).flatten(0, -2).sum(0)
        return of_q.to(q), of_k.to(k), of_weight_d.to(weight_d)


def _inverse_rms(x: Tensor) -> Tensor:
    """Return (…, 1) the inverse root mean square of vectors (…, d)."""
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    squares = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square() / x.shape[-1]
    return (squares + torch.finfo(torch.float32).eps).rsqrt()
