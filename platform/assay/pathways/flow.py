"""A prior of the graphs' latents that is learned: a normalising flow, given the environment.

Affine couplings: Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", ICLR 2017; as
the prior of an autoencoder: Chen et al., "Variational lossy autoencoder", ICLR 2017.

Shapes: B graphs, L latent entries, D width of the condition.
"""

import math

import torch
from torch import Tensor, nn

LARGEST_SCALE = 2.0
"""Of a coupling, as a logarithm."""


class Coupling(nn.Module):
    """One half of the entries is scaled and shifted by what the other half says."""

    def __init__(self, entries: int, condition: int, first: bool) -> None:
        """Build a coupling that changes the first half, or else the second."""
        super().__init__()
        moved_L = (torch.arange(entries) < entries // 2) == first
        self.register_buffer("moved_L", moved_L.to(torch.float32), persistent=False)
        hidden = 4 * entries
        self.network = nn.Sequential(
            nn.Linear(entries + condition, hidden), nn.SiLU(), nn.Linear(hidden, 2 * entries)
        )
        last = self.network[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)  # a flow begins as the identity
        nn.init.zeros_(last.bias)

    def forward(self, z_BL: Tensor, condition_BD: Tensor, back: bool) -> tuple[Tensor, Tensor]:
        """Return the entries on the other side, and (B,) the logarithm of the volume's growth."""
        moved_L = self.get_buffer("moved_L")
        kept_BL = z_BL * (1 - moved_L)
        told = self.network(torch.cat([kept_BL, condition_BD], -1))
        scale_BL, shift_BL = (part * moved_L for part in told.chunk(2, dim=-1))
        scale_BL = LARGEST_SCALE * torch.tanh(scale_BL / LARGEST_SCALE)
        if back:
            return (z_BL - shift_BL) * (-scale_BL).exp(), -scale_BL.sum(-1)
        return z_BL * scale_BL.exp() + shift_BL, scale_BL.sum(-1)


class FlowPrior(nn.Module):
    """Couplings between a standard normal and the latents of graphs."""

    def __init__(self, couplings: int, entries: int, condition: int) -> None:
        super().__init__()
        self.couplings = nn.ModuleList(
            Coupling(entries, condition, first=k % 2 == 0) for k in range(couplings)
        )

    def forward(self, noise_BL: Tensor, condition_BD: Tensor) -> Tensor:
        """Return latents (B, L) of standard normal noise."""
        for coupling in self.couplings:
            noise_BL, _ = coupling(noise_BL, condition_BD, back=False)
        return noise_BL

    def log_density(self, z_BL: Tensor, condition_BD: Tensor) -> Tensor:
        """Return (B,) the log density of latents, in nats."""
        growth_B = z_BL.new_zeros(len(z_BL))
        for coupling in reversed(self.couplings):
            z_BL, more_B = coupling(z_BL, condition_BD, back=True)
            growth_B = growth_B + more_B
        return growth_B - 0.5 * (z_BL**2 + math.log(2 * math.pi)).sum(-1)
