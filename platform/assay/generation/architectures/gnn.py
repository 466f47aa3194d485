"""E(3)-equivariant message passing over all pairs of atoms.

After Satorras, Hoogeboom and Welling, "E(n) equivariant graph neural networks", ICML 2021, eq. 3-6,
with the first edge layer split into W_i h_i + W_j h_j + W_e e_ij, which is algebraically the same
as the layer on the concatenation [h_i, h_j, e_ij] and never builds it.

Shapes: B molecules, N atoms (padded), D width, R radial functions, K types.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from assay.config import Size, SizedSettings
from assay.generation.architectures.features import (
    AtomEmbedding,
    RadialBasis,
    TimeEmbedding,
    pair_mask,
    pair_vectors,
)
from assay.generation.denoiser import Atoms, Denoiser, Head, Prediction


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

    def __init__(self, settings: GNNSettings, n_types: int, heads: Sequence[Head]) -> None:
        super().__init__(settings, n_types, heads)
        width = settings.width
        self.embedding = AtomEmbedding(n_types, width)
        self.time = TimeEmbedding(width)
        self.radial = RadialBasis(settings.radial)
        self.layers = nn.ModuleList(_Layer(width, settings.radial) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(width)
        self.types = nn.Linear(width, n_types)
        self.noise = _VectorHead(width, settings.radial) if "noise" in heads else None

    def forward(self, atoms: Atoms, time_B: Tensor, previous: Prediction | None) -> Prediction:
        """Return the displacement of every atom, type logits and the noise if asked for."""
        mask_BNN1 = pair_mask(atoms.mask_BN).unsqueeze(-1).to(atoms.positions_BN3.dtype)
        time_BD = self.time(time_B)
        h_BND = self.embedding(atoms, previous) + time_BD.unsqueeze(1)
        before_BNNR, start_BN3 = None, atoms.positions_BN3
        if previous is not None:
            before_BNNR = self.radial(pair_vectors(previous.positions_BN3)[1])
        x_BN3 = start_BN3
        for layer in self.layers:
            h_BND, x_BN3 = layer(h_BND, x_BN3, self.radial, before_BNNR, mask_BNN1)
        h_BND = self.norm(h_BND)
        noise_BN3 = None
        if self.noise is not None:
            noise_BN3 = self.noise(h_BND, x_BN3, self.radial, before_BNNR, mask_BNN1)
        return Prediction(x_BN3 - start_BN3, self.types(h_BND), noise_BN3)


class _Message(nn.Module):
    """m_ij = φ(h_i, h_j, e_ij), two layers, the first one split."""

    def __init__(self, width: int, radial: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ends = nn.Linear(width, 2 * width)
        self.edge = nn.Linear(radial, width, bias=False)
        self.before = nn.Linear(radial, width, bias=False)
        self.second = nn.Linear(width, width)

    def forward(self, h_BND: Tensor, edge_BNNR: Tensor, before_BNNR: Tensor | None) -> Tensor:
        to_BND, from_BND = self.ends(self.norm(h_BND)).chunk(2, dim=-1)
        m_BNND = self.edge(edge_BNNR) + to_BND.unsqueeze(2) + from_BND.unsqueeze(1)
        if before_BNNR is not None:
            m_BNND = m_BNND + self.before(before_BNNR)
        return nn.functional.silu(self.second(nn.functional.silu(m_BNND)))


class _Layer(nn.Module):
    def __init__(self, width: int, radial: int) -> None:
        super().__init__()
        self.message = _Message(width, radial)
        self.gates = nn.Linear(width, 2)
        nn.init.xavier_uniform_(self.gates.weight, gain=0.1)
        self.update = nn.Sequential(
            nn.Linear(2 * width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(
        self,
        h_BND: Tensor,
        x_BN3: Tensor,
        radial: RadialBasis,
        before_BNNR: Tensor | None,
        mask_BNN1: Tensor,
    ) -> tuple[Tensor, Tensor]:
        vectors_BNN3, length_BNN = pair_vectors(x_BN3)
        m_BNND = self.message(h_BND, radial(length_BNN), before_BNNR)
        gate_BNN1, pull_BNN1 = self.gates(m_BNND).split(1, dim=-1)
        gate_BNN1 = gate_BNN1.sigmoid() * mask_BNN1
        # (B, N, 1, N) @ (B, N, N, D): the masked sum without a (B, N, N, D) product.
        sum_BND = (gate_BNN1.transpose(2, 3) @ m_BNND).squeeze(2)
        h_BND = h_BND + self.update(torch.cat([h_BND, sum_BND], dim=-1))
        step_BNN1 = pull_BNN1 * mask_BNN1 / (length_BNN.unsqueeze(-1) + 1)
        x_BN3 = x_BN3 + (step_BNN1.transpose(2, 3) @ vectors_BNN3).squeeze(2)
        return h_BND, x_BN3


class _VectorHead(nn.Module):
    """One more vector for every atom, from its differences to the others."""

    def __init__(self, width: int, radial: int) -> None:
        super().__init__()
        self.message = _Message(width, radial)
        self.pull = nn.Linear(width, 1)

    def forward(
        self,
        h_BND: Tensor,
        x_BN3: Tensor,
        radial: RadialBasis,
        before_BNNR: Tensor | None,
        mask_BNN1: Tensor,
    ) -> Tensor:
        vectors_BNN3, length_BNN = pair_vectors(x_BN3)
        m_BNND = self.message(h_BND, radial(length_BNN), before_BNNR)
        step_BNN1 = self.pull(m_BNND) * mask_BNN1 / (length_BNN.unsqueeze(-1) + 1)
        return (step_BNN1.transpose(2, 3) @ vectors_BNN3).squeeze(2)
