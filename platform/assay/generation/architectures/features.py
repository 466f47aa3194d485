"""Inputs and outputs that the architectures share: types, pairs, time, cells, conditions.

Shapes: B systems, N atoms (padded), K types, R radial functions, F features of a pair in the space,
C conditions, D width.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from assay.generation.denoiser import Atoms, Conditions, Interface, Prediction

_REACH = 6.0
"""Distance (in coordinate units) beyond which the radial functions no longer tell pairs apart."""

_LEAST = 40.0
"""Radial functions end at exp(-40): below exp(-87) numbers are subnormal in float32, and a product
of a matrix of them is many times slower on a CPU."""


class RadialBasis(nn.Module):
    """Gaussians in exp(-d): fine at bond lengths, coarse far away.

    Source: Unke and Meuwly, "PhysNet", J. Chem. Theory Comput. 15, 3678 (2019), eq. 7.
    """

    centres_R: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        low = math.exp(-_REACH)
        self.register_buffer("centres_R", torch.linspace(low, 1.0, count), persistent=False)
        self.steepness = 1.0 / (2.0 / count * (1.0 - low))

    def forward(self, distances: Tensor) -> Tensor:
        """Return (…, R) for distances (…)."""
        near = (torch.exp(-distances) * self.steepness).unsqueeze(-1)
        off = near - self.centres_R * self.steepness
        return torch.exp(off.square().clamp(max=_LEAST).neg_())


class Context(nn.Module):
    """What holds for a whole system, as (B, D): time, the cell, what is asked for."""

    frequencies: Tensor

    def __init__(self, width: int, interface: Interface) -> None:
        super().__init__()
        frequencies = torch.exp(torch.linspace(0.0, math.log(1000.0), 32))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.time = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width))
        self.cell = self.previous = self.conditions = None
        if interface.space.periodic:
            self.cell = nn.Sequential(nn.Linear(7, width), nn.SiLU(), nn.Linear(width, width))
            self.previous = nn.Linear(6, width, bias=False)
        if interface.n_conditions:
            self.conditions = nn.Linear(2 * interface.n_conditions, width, bias=False)

    def forward(
        self,
        atoms: Atoms,
        time_B: Tensor,
        previous: Prediction | None,
        conditions: Conditions | None,
    ) -> Tensor:
        """Return (B, D)."""
        angles = time_B.unsqueeze(-1) * self.frequencies
        context_BD = self.time(torch.cat([angles.sin(), angles.cos()], dim=-1))
        if self.cell is not None and self.previous is not None and atoms.cell_B6 is not None:
            size_B1 = atoms.mask_BN.sum(1, keepdim=True).log()
            context_BD = context_BD + self.cell(torch.cat([atoms.cell_B6, size_B1], dim=-1))
            if previous is not None:
                assert previous.cell_B6 is not None, "a crystal's prediction has a cell"
                context_BD = context_BD + self.previous(previous.cell_B6)
        if self.conditions is not None and conditions is not None:
            known_BC = conditions.known_BC.to(conditions.values_BC)
            asked_BX = torch.cat([conditions.values_BC * known_BC, known_BC], dim=-1)
            context_BD = context_BD + self.conditions(asked_BX)
        return context_BD


class CellHead(nn.Module):
    """The cell of a crystal, and its latent noise if asked for, from the mean of its atoms."""

    def __init__(self, width: int, interface: Interface) -> None:
        super().__init__()
        count = 1 + len(interface.heads)
        self.network = nn.Sequential(
            nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, 6 * count)
        )

    def forward(
        self, h_BND: Tensor, context_BD: Tensor, mask_BN: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return the raw cell (B, 6), and the raw noise (B, 6) or None."""
        mask_BN1 = mask_BN.unsqueeze(-1).to(h_BND.dtype)
        mean_BD = (h_BND * mask_BN1).sum(1) / mask_BN1.sum(1)
        cell_BX = self.network(torch.cat([mean_BD, context_BD], dim=-1))
        return cell_BX[:, :6], cell_BX[:, 6:] if cell_BX.shape[-1] > 6 else None


class AtomEmbedding(nn.Module):
    """The present type and the type predicted before, if any: (B, N, D).

    Without an earlier prediction its probabilities are 0, which no prediction can be.
    """

    def __init__(self, n_types: int, width: int) -> None:
        super().__init__()
        self.types = nn.Embedding(n_types, width)
        self.previous = nn.Linear(n_types, width, bias=False)

    def forward(self, atoms: Atoms, previous: Prediction | None) -> Tensor:
        """Return (B, N, D)."""
        h_BND = self.types(atoms.types_BN)
        if previous is not None:
            h_BND = h_BND + self.previous(previous.type_logits_BNK.softmax(-1))
        return h_BND


def lengths(vectors: Tensor) -> Tensor:
    """Return (…) the lengths of vectors (…, 3), with a gradient at 0."""
    return (vectors.square().sum(-1) + 1e-8).sqrt()


def as_seen(atoms: Atoms, previous: Prediction) -> Atoms:
    """Return the atoms where an earlier prediction has them."""
    return replace(atoms, positions_BN3=previous.positions_BN3, cell_B6=previous.cell_B6)


def beside(radial_BNNR: Tensor, more_BNNF: Tensor | None) -> Tensor:
    """Return (B, N, N, R + F) the radial functions and what the space has to add, if anything."""
    return radial_BNNR if more_BNNF is None else torch.cat([radial_BNNR, more_BNNF], dim=-1)


def pair_mask(mask_BN: Tensor) -> Tensor:
    """Return bool (B, N, N): both are atoms, and not the same one."""
    both_BNN = mask_BN.unsqueeze(2) & mask_BN.unsqueeze(1)
    return both_BNN & ~torch.eye(mask_BN.shape[1], dtype=torch.bool, device=mask_BN.device)


def attention_bias(bias_BHNN: Tensor, mask_BN: Tensor) -> Tensor:
    """Return the additive bias with keys that are padding shut out."""
    # In the order of the scores, to which it is added.
    return bias_BHNN.contiguous() + shut_out(mask_BN, bias_BHNN.dtype)[:, None, None, :]


def shut_out(mask_BN: Tensor, dtype: torch.dtype) -> Tensor:
    """Return (B, N) 0 for atoms, and for padding what added to a score leaves it no weight."""
    shut_BN = torch.zeros(mask_BN.shape, dtype=dtype, device=mask_BN.device)
    return shut_BN.masked_fill(~mask_BN, torch.finfo(dtype).min)


def require_multiple(whole_name: str, whole: int, part_name: str, part: int) -> None:
    """Refuse a width that its heads cannot share.

    Raises:
        ValueError: for pydantic, which names the key.
    """
    if whole % part:
        raise ValueError(f"{whole_name} {whole} is not a multiple of {part_name} {part}")
