"""E(3)-equivariant message passing over all pairs of atoms.

After Satorras, Hoogeboom and Welling, "E(n) equivariant graph neural networks", ICML 2021, eq. 3-6,
with the first edge layer split into W_i h_i + W_j h_j + W_e e_ij, which is algebraically the same
as the layer on the concatenation [h_i, h_j, e_ij] and never builds it.

In a crystal the pairs are those of nearest images, and atoms move in Cartesian coordinates.

Shapes: B systems, N atoms (padded), D width, R radial functions, E features of a pair (R and those
of the space), K types.
"""

from collections.abc import Mapping
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
from assay.generation.denoiser import Atoms, Conditions, Denoiser, Interface, Prediction


class GNNSettings(SizedSettings):
    """Width D, number of layers, radial functions R."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 64, "depth": 5, "radial": 16},
        "s": {"width": 96, "depth": 6, "radial": 24},
        "m": {"width": 192, "depth": 8, "radial": 32},
        "l": {"width": 256, "depth": 9, "radial": 32},
        "xl": {"width": 384, "depth": 12, "radial": 48},
    }
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
        n_types = interface.space.n_types
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
        mask_BNN1 = pair_mask(atoms.mask_BN).unsqueeze(-1).to(atoms.positions_BN3.dtype)
        context_BD = self.context(atoms, time_B, previous, conditions)
        h_BND = self.embedding(atoms, previous) + context_BD.unsqueeze(1)
        start_BNN3, before_BNNE = self.space.vectors(atoms), None
        if previous is not None:
            seen = as_seen(atoms, previous)
            before_BNNR = self.radial(lengths(self.space.vectors(seen)))
            before_BNNE = beside(before_BNNR, self.space.pairs(seen))
        more_BNNF = self.space.pairs(atoms)
        x_BN3 = torch.zeros_like(atoms.positions_BN3)

        def edges() -> tuple[Tensor, Tensor, Tensor]:
            vectors_BNN3 = start_BNN3 + (x_BN3.unsqueeze(2) - x_BN3.unsqueeze(1))
            length_BNN1 = lengths(vectors_BNN3).unsqueeze(-1)
            edge_BNNE = beside(self.radial(length_BNN1.squeeze(-1)), more_BNNF)
            return edge_BNNE, vectors_BNN3 / (length_BNN1 + 1), mask_BNN1

        for layer in self.layers:
            h_BND, step_BN3 = layer(h_BND, *edges(), before_BNNE)
            x_BN3 = x_BN3 + step_BN3
        h_BND = self.norm(h_BND)
        noise_BN3 = cell_B6 = cell_noise_B6 = None
        if self.noise is not None:
            noise_BN3 = self.noise(h_BND, *edges(), before_BNNE)
            noise_BN3 = self.space.coordinates(noise_BN3, atoms)
        if self.cell is not None:
            cell_B6, cell_noise_B6 = self.cell(h_BND, context_BD, atoms.mask_BN)
        moved_BN3 = self.space.coordinates(x_BN3, atoms)
        return Prediction(moved_BN3, self.types(h_BND), noise_BN3, cell_B6, cell_noise_B6)


class _Message(nn.Module):
    """m_ij = φ(h_i, h_j, e_ij), two layers, the first one split."""

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ends = nn.Linear(width, 2 * width)
        self.edge = nn.Linear(features, width, bias=False)
        self.before = nn.Linear(features, width, bias=False)
        self.second = nn.Linear(width, width)

    def forward(self, h_BND: Tensor, edge_BNNE: Tensor, before_BNNE: Tensor | None) -> Tensor:
        to_BND, from_BND = self.ends(self.norm(h_BND)).chunk(2, dim=-1)
        m_BNND = self.edge(edge_BNNE) + to_BND.unsqueeze(2) + from_BND.unsqueeze(1)
        if before_BNNE is not None:
            m_BNND = m_BNND + self.before(before_BNNE)
        return nn.functional.silu(self.second(nn.functional.silu(m_BNND)))


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
        self,
        h_BND: Tensor,
        edge_BNNE: Tensor,
        direction_BNN3: Tensor,
        mask_BNN1: Tensor,
        before_BNNE: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Return the new features, and by how much each atom moves."""
        m_BNND = self.message(h_BND, edge_BNNE, before_BNNE)
        gate_BNN1, pull_BNN1 = self.gates(m_BNND).split(1, dim=-1)
        gate_BNN1 = gate_BNN1.sigmoid() * mask_BNN1
        # (B, N, 1, N) @ (B, N, N, D): the masked sum without a (B, N, N, D) product.
        sum_BND = (gate_BNN1.transpose(2, 3) @ m_BNND).squeeze(2)
        h_BND = h_BND + self.update(torch.cat([h_BND, sum_BND], dim=-1))
        return h_BND, _sum_of(direction_BNN3, pull_BNN1 * mask_BNN1)


class _VectorHead(nn.Module):
    """One more vector for every atom, from its differences to the others."""

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.message = _Message(width, features)
        self.pull = nn.Linear(width, 1)

    def forward(
        self,
        h_BND: Tensor,
        edge_BNNE: Tensor,
        direction_BNN3: Tensor,
        mask_BNN1: Tensor,
        before_BNNE: Tensor | None,
    ) -> Tensor:
        m_BNND = self.message(h_BND, edge_BNNE, before_BNNE)
        return _sum_of(direction_BNN3, self.pull(m_BNND) * mask_BNN1)


def _sum_of(direction_BNN3: Tensor, weight_BNN1: Tensor) -> Tensor:
    """Return (B, N, 3) the weighted sum over the other atoms."""
    return (weight_BNN1.transpose(2, 3) @ direction_BNN3.to(weight_BNN1)).squeeze(2)
