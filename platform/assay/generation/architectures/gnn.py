"""E(3)-equivariant message passing over all pairs of atoms.

After Satorras, Hoogeboom and Welling, "E(n) equivariant graph neural networks", ICML 2021, eq. 3-6,
with the first edge layer split into W_i h_i + W_j h_j + W_e e_ij, which is algebraically the same
as the layer on the concatenation [h_i, h_j, e_ij] and never builds it.

In a crystal the pairs are those of nearest images, and atoms move in Cartesian coordinates.

Shapes: B systems (of a batch, or of one part of it), N atoms (padded), P pairs of all of them,
D width, R radial functions, E features of a pair (R and those of the space), K types.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from assay.config import Size, SizedSettings
from assay.generation.architectures.features import (
    AtomEmbedding,
    CellHead,
    Context,
    RadialBasis,
    as_seen,
    beside,
    lengths,
    pair_mask,
)
from assay.generation.architectures.parts import cut, split
from assay.generation.denoiser import Atoms, Conditions, Denoiser, Interface, Prediction
from assay.generation.space import Space

silu = nn.functional.silu


_SIZES: dict[Size, dict[str, int]] = {
    "xs": {"width": 64, "depth": 5, "radial": 16},
    "s": {"width": 96, "depth": 6, "radial": 24},
    "m": {"width": 192, "depth": 8, "radial": 32},
    "l": {"width": 256, "depth": 9, "radial": 32},
    "xl": {"width": 384, "depth": 12, "radial": 48},
}
_OF_EQUAL_PARAMETERS: dict[Size, dict[str, int]] = {
    "xs-parameters": _SIZES["xs"],
    "s-parameters": _SIZES["s"],
    "m-parameters": _SIZES["m"],
    "l-parameters": _SIZES["l"],
    "xl-parameters": _SIZES["xl"],
}


class GNNSettings(SizedSettings):
    """Width D, number of layers, radial functions R.

    The GNN is the yardstick of both families of sizes: at a size the other architectures take its
    FLOPs, at a size of equal parameters they have its parameters. Size l has the width and depth of
    Hoogeboom et al., "Equivariant diffusion for molecule generation in 3D", ICML 2022, on QM9.
    """

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = _SIZES | _OF_EQUAL_PARAMETERS
    width: PositiveInt
    depth: PositiveInt
    radial: PositiveInt


class GNN(Denoiser):
    """Messages between all pairs update features and move atoms along their differences."""

    Settings = GNNSettings
    equivariant = True

    def __init__(self, settings: GNNSettings, interface: Interface) -> None:
        super().__init__(settings, interface)
        width, features = settings.width, settings.radial + interface.space.pair_features
        n_types, self.width = interface.space.n_types, width
        self.embedding = AtomEmbedding(n_types, width)
        self.context = Context(width, interface)
        self.radial = RadialBasis(settings.radial)
        self.layers = nn.ModuleList(_Layer(width, features) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(width)
        self.types = nn.Linear(width, n_types)
        self.noise = _VectorHead(width, features) if "noise" in interface.heads else None
        self.cell = CellHead(width, interface) if interface.space.periodic else None

    def forward(
        self,
        atoms: Atoms,
        time_B: Tensor,
        previous: Prediction | None,
        conditions: Conditions | None = None,
    ) -> Prediction:
        """Return the displacement of every atom, type logits, the cell, the noise if asked for."""
        context_BD = self.context(atoms, time_B, previous, conditions)
        h_BND = self.embedding(atoms, previous) + context_BD.unsqueeze(1)
        x_BN3 = torch.zeros_like(atoms.positions_BN3)
        pairs = self._pairs(atoms, previous)
        for layer in self.layers:
            h_BND, step_BN3 = layer(h_BND, x_BN3, pairs)
            x_BN3 = x_BN3 + step_BN3
        h_BND = self.norm(h_BND)
        noise_BN3 = cell_B6 = cell_noise_B6 = None
        if self.noise is not None:
            noise_BN3 = self.space.coordinates(self.noise(h_BND, x_BN3, pairs), atoms)
        if self.cell is not None and atoms.cell_B6 is not None:
            cell_B6, cell_noise_B6 = self.cell(h_BND, context_BD, atoms.mask_BN)
        moved_BN3 = self.space.coordinates(x_BN3, atoms)
        return Prediction(moved_BN3, self.types(h_BND), noise_BN3, cell_B6, cell_noise_B6)

    def _pairs(self, atoms: Atoms, previous: Prediction | None) -> list["_Pairs"]:
        parts = cut(atoms.mask_BN, self.width)
        before: Sequence[Atoms | None] = [None] * len(parts)
        if previous is not None:
            before = split(as_seen(atoms, previous), parts)
        return [
            _Pairs.of(now, seen, self.space, self.radial)
            for now, seen in zip(split(atoms, parts), before, strict=True)
        ]


@dataclass(frozen=True)
class _Pairs:
    """The pairs of one part of a batch: what stays as it is while atoms move."""

    start_BNN3: Tensor
    fixed_BNNE: Tensor | None
    """Features beyond the radial functions of the present distance."""
    conditioned: bool
    """Among them are those of an earlier prediction."""
    mask_BNN1: Tensor
    radial: RadialBasis

    @classmethod
    def of(cls, now: Atoms, before: Atoms | None, space: Space, radial: RadialBasis) -> "_Pairs":
        fixed = [space.pairs(now)]
        if before is not None:
            fixed += [radial(lengths(space.vectors(before))), space.pairs(before)]
        fixed = [features for features in fixed if features is not None]
        mask_BNN1 = pair_mask(now.mask_BN).unsqueeze(-1).to(now.positions_BN3.dtype)
        fixed_BNNE = torch.cat(fixed, dim=-1) if fixed else None
        return cls(space.vectors(now), fixed_BNNE, before is not None, mask_BNN1, radial)

    def seen(self, x_BN3: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and directions, shorter where atoms are near, of atoms moved by x."""
        vectors_BNN3 = self.start_BNN3 + (x_BN3.unsqueeze(2) - x_BN3.unsqueeze(1))
        length_BNN = lengths(vectors_BNN3)
        edge_BNNE = beside(self.radial(length_BNN), self.fixed_BNNE)
        return edge_BNNE, vectors_BNN3 / (length_BNN.unsqueeze(-1) + 1)


class _Message(nn.Module):
    """m_ij = φ(h_i, h_j, e_ij), two layers, the first one split."""

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ends = nn.Linear(width, 2 * width)
        self.edge = nn.Linear(features, width, bias=False)
        self.before = nn.Linear(features, width, bias=False)
        self.second = nn.Linear(width, width)

    def forward(
        self, h_BND: Tensor, x_BN3: Tensor, pairs: Sequence[_Pairs]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the messages (B, N, N, D) of each part, and the directions of its pairs."""
        parts = [len(of_part.mask_BNN1) for of_part in pairs]
        ends = self.ends(self.norm(h_BND)).split(parts)
        weight_DE = self.edge.weight
        if pairs[0].conditioned:
            weight_DE = torch.cat([weight_DE, self.before.weight], dim=1)
        for of_part, ends_BNX, moved_BN3 in zip(pairs, ends, x_BN3.split(parts), strict=True):
            edge_BNNE, direction_BNN3 = of_part.seen(moved_BN3)
            to_BND, from_BND = ends_BNX.chunk(2, dim=-1)
            m_BNND = nn.functional.linear(edge_BNNE, weight_DE)
            m_BNND += to_BND.unsqueeze(2)
            m_BNND += from_BND.unsqueeze(1)
            yield silu(self.second(silu(m_BNND))), direction_BNN3


class _Layer(nn.Module):
    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.message = _Message(width, features)
        self.gates = nn.Linear(width, 2)
        nn.init.xavier_uniform_(self.gates.weight, gain=0.1)
        self.update = nn.Sequential(
            nn.Linear(2 * width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(
        self, h_BND: Tensor, x_BN3: Tensor, pairs: Sequence[_Pairs]
    ) -> tuple[Tensor, Tensor]:
        """Return the new features, and by how much each atom moves."""
        sums, steps = [], []
        messages = self.message(h_BND, x_BN3, pairs)
        for of_part, (m_BNND, direction_BNN3) in zip(pairs, messages, strict=True):
            # Transposed: a product with two columns is four times slower than one with two rows.
            out_2P = self.gates.weight @ m_BNND.flatten(0, 2).t()
            out_2BNN1 = out_2P.unflatten(1, of_part.mask_BNN1.shape)
            out_2BNN1 = out_2BNN1 + self.gates.bias.view(2, 1, 1, 1, 1)
            gate_BNN1, pull_BNN1 = out_2BNN1.unbind(0)
            gate_BNN1 = gate_BNN1.sigmoid() * of_part.mask_BNN1
            # (B, N, 1, N) @ (B, N, N, D): the masked sum without a (B, N, N, D) product.
            sums.append((gate_BNN1.mT @ m_BNND).squeeze(2))
            steps.append(_sum_of(direction_BNN3, pull_BNN1 * of_part.mask_BNN1))
        h_BND = h_BND + self.update(torch.cat([h_BND, torch.cat(sums)], dim=-1))
        return h_BND, torch.cat(steps)


class _VectorHead(nn.Module):
    """One more vector for every atom, from its differences to the others."""

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.message = _Message(width, features)
        self.pull = nn.Linear(width, 1)

    def forward(self, h_BND: Tensor, x_BN3: Tensor, pairs: Sequence[_Pairs]) -> Tensor:
        """Return (B, N, 3)."""
        messages = self.message(h_BND, x_BN3, pairs)
        vectors = [
            _sum_of(direction_BNN3, self.pull(m_BNND) * of_part.mask_BNN1)
            for of_part, (m_BNND, direction_BNN3) in zip(pairs, messages, strict=True)
        ]
        return torch.cat(vectors)


def _sum_of(direction_BNN3: Tensor, weight_BNN1: Tensor) -> Tensor:
    """Return (B, N, 3) the weighted sum over the other atoms."""
    return (weight_BNN1.mT @ direction_BNN3.to(weight_BNN1)).squeeze(2)
