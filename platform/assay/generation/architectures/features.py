"""Input features that the architectures share: types, time, distances, an earlier prediction.

Shapes: B molecules, N atoms (padded), K types, R radial functions, D width.
"""

import math

import torch
from torch import Tensor, nn

from assay.generation.denoiser import Atoms, Prediction

_REACH = 6.0
"""Distance (in coordinate units) beyond which the radial functions no longer tell pairs apart."""


class RadialBasis(nn.Module):
    """Gaussians in exp(-d): fine at bond lengths, coarse far away.

    Source: Unke and Meuwly, "PhysNet", J. Chem. Theory Comput. 15, 3678 (2019), eq. 7.
    """

    centres_R: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        low = math.exp(-_REACH)
        self.register_buffer("centres_R", torch.linspace(low, 1.0, count), persistent=False)
        self.width = (2.0 / count * (1.0 - low)) ** -2

    def forward(self, distances: Tensor) -> Tensor:
        """Return (…, R) for distances (…)."""
        return torch.exp(-self.width * (torch.exp(-distances).unsqueeze(-1) - self.centres_R) ** 2)


class TimeEmbedding(nn.Module):
    """Time in [0, 1] as sinusoids through a small network: (B,) → (B, D)."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        frequencies = torch.exp(torch.linspace(0.0, math.log(1000.0), 32))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.network = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, time_B: Tensor) -> Tensor:
        """Return (B, D)."""
        angles = time_B.unsqueeze(-1) * self.frequencies
        return self.network(torch.cat([angles.sin(), angles.cos()], dim=-1))


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


def pair_vectors(positions_BN3: Tensor) -> tuple[Tensor, Tensor]:
    """Return x_i - x_j as (B, N, N, 3) and its length as (B, N, N)."""
    vectors_BNN3 = positions_BN3.unsqueeze(2) - positions_BN3.unsqueeze(1)
    return vectors_BNN3, (vectors_BNN3.square().sum(-1) + 1e-8).sqrt()


def pair_mask(mask_BN: Tensor) -> Tensor:
    """Return bool (B, N, N): both are atoms, and not the same one."""
    both_BNN = mask_BN.unsqueeze(2) & mask_BN.unsqueeze(1)
    return both_BNN & ~torch.eye(mask_BN.shape[1], dtype=torch.bool, device=mask_BN.device)


def attention_bias(bias_BHNN: Tensor, mask_BN: Tensor) -> Tensor:
    """Return the additive bias with keys that are padding shut out."""
    return bias_BHNN.masked_fill(~mask_BN[:, None, None, :], torch.finfo(bias_BHNN.dtype).min)


def require_multiple(whole_name: str, whole: int, part_name: str, part: int) -> None:
    """Refuse a width that its heads cannot share.

    Raises:
        ValueError: for pydantic, which names the key.
    """
    if whole % part:
        raise ValueError(f"{whole_name} {whole} is not a multiple of {part_name} {part}")
