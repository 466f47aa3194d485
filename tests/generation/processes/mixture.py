"""A law that is known exactly: molecules of two atoms whose distance vector is a Gaussian mixture.

With u = (x_0 - x_1)/√2 mean-free positions of two atoms are the points of R³, and standard normal
mean-free noise is standard normal there. Component k has u ~ N(m_k, σ_k²) and its own two types. So
what a perfect network would say of any point of any Gaussian path is known in closed form.

Shapes: B molecules, C components, K types.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from assay.generation.denoiser import Atoms, Prediction
from assay.generation.processes import conversions
from assay.generation.processes.process import GenerativeProcess
from assay.training.draws import Draws
from tests.generation.molecules import PRIOR

WEIGHTS_C = torch.tensor([0.35, 0.65])
MEANS_C3 = torch.tensor([[1.2, 0.0, 0.3], [-0.4, 0.9, -0.2]])
SPREADS_C = torch.tensor([0.25, 0.45])
TYPES_C2 = torch.tensor([[0, 1], [2, 1]])


def from_vector(u_B3: Tensor) -> Tensor:
    """Return positions (B, 2, 3)."""
    return torch.stack([u_B3, -u_B3], dim=1) / math.sqrt(2)


def to_vector(positions_B23: Tensor) -> Tensor:
    """Return u (B, 3)."""
    return (positions_B23[:, 0] - positions_B23[:, 1]) / math.sqrt(2)


def exact_molecules(count: int, seed: int, spread: float = 1.0) -> Atoms:
    """Return draws of the law; `spread` widens its components."""
    draws = Draws(seed, 0, torch.arange(count))
    k_B = draws.categorical("component", WEIGHTS_C.expand(count, -1))
    u_B3 = MEANS_C3[k_B] + spread * SPREADS_C[k_B, None] * draws.normal("place", 3)
    mask_B2 = torch.ones(count, 2, dtype=torch.bool)
    return Atoms(from_vector(u_B3), TYPES_C2[k_B], mask_B2)


@dataclass
class PerfectNetwork:
    """E[x_1 | x_t, c_t], the law of the types, and E[z | x_t, c_t], as a network would put them."""

    process: GenerativeProcess
    typed: bool = True
    """Whether types are part of the law, or all 0 and say nothing."""

    def __call__(self, atoms: Atoms, time_B: Tensor, previous: Prediction | None) -> Prediction:
        a_B1, s_B1 = (v[:, None] for v in self.process.signal_and_noise(time_B))
        u_B3 = to_vector(atoms.positions_BN3)
        share_BC, clean_B3 = self.posterior(u_B3, a_B1, s_B1, self._type_evidence(atoms, time_B))
        scales = (a_B1[..., None], s_B1[..., None])
        of_here, of_raw = conversions.output_scales(self.process.target, *scales)
        clean_BN3 = from_vector(clean_B3)
        raw_BN3 = (clean_BN3 - of_here * atoms.positions_BN3) / of_raw
        noise_BN3 = None
        if self.process.heads:
            gamma_B1 = self.process.latent.gamma(time_B)[:, None]
            noise_BN3 = from_vector(gamma_B1 / s_B1**2 * (u_B3 - a_B1 * clean_B3))
        law_BNK = torch.zeros(*atoms.types_BN.shape, len(PRIOR))
        if self.typed:
            of_component_CNK = torch.nn.functional.one_hot(TYPES_C2, len(PRIOR)).float()
            law_BNK = torch.einsum("bc,cnk->bnk", share_BC, of_component_CNK)
        else:
            law_BNK[..., 0] = 1.0
        return Prediction(raw_BN3, law_BNK.clamp(min=1e-30).log(), noise_BN3)

    @staticmethod
    def posterior(
        u_B3: Tensor, a_B1: Tensor, s_B1: Tensor, evidence_BC: Tensor | float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Return the components' shares (B, C) and E[u_1 | u_t] (B, 3)."""
        variance_BC = (a_B1 * SPREADS_C) ** 2 + s_B1**2
        off_BC3 = u_B3[:, None] - a_B1[..., None] * MEANS_C3
        density_BC = -off_BC3.square().sum(-1) / (2 * variance_BC) - 1.5 * variance_BC.log()
        share_BC = (WEIGHTS_C.log() + density_BC + evidence_BC).softmax(-1)
        gain_BC1 = (a_B1 * SPREADS_C**2 / variance_BC)[..., None]
        return share_BC, (share_BC[..., None] * (MEANS_C3 + gain_BC1 * off_BC3)).sum(1)

    def _type_evidence(self, atoms: Atoms, time_B: Tensor) -> Tensor | float:
        """Return (B, C) log q(c_t | the types of component k)."""
        if not self.typed:
            return 0.0
        keep_B11 = self.process.keep(time_B)[:, None, None]
        same_BC2 = (atoms.types_BN[:, None] == TYPES_C2).float()
        chance_BC2 = keep_B11 * same_BC2 + (1 - keep_B11) * PRIOR[atoms.types_BN][:, None]
        return chance_BC2.clamp(min=1e-30).log().sum(-1)
