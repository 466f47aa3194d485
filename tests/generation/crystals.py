"""Random crystals in the form that denoisers see, without structure but with every edge case."""

import torch

from assay.generation.denoiser import Atoms
from assay.generation.space import CrystalSpace

TYPES = 6
MEAN = (0.0, 0.1, -0.1, 0.0, 0.05, 0.9)
SCALE = (0.15, 0.15, 0.15, 0.2, 0.1, 0.2)


def crystal_space() -> CrystalSpace:
    """Return a space whose cells are a few Å wide."""
    return CrystalSpace(TYPES, MEAN, SCALE, unit_angstrom=1.72)


def random_crystals(sizes: tuple[int, ...] = (5, 9, 1), pad: int = 0, seed: int = 0) -> Atoms:
    """Return crystals of the given numbers of atoms, padded by `pad` more than needed."""
    B, N = len(sizes), max(sizes)
    draw = torch.Generator().manual_seed(seed)
    frac_BN3 = torch.rand(B, N, 3, generator=draw)
    types_BN = torch.randint(0, TYPES, (B, N), generator=draw)
    cell_B6 = torch.randn(B, 6, generator=draw)
    frac_BN3 = torch.nn.functional.pad(frac_BN3, (0, 0, 0, pad))
    types_BN = torch.nn.functional.pad(types_BN, (0, pad))
    mask_BN = torch.arange(N + pad)[None, :] < torch.tensor(sizes)[:, None]
    return Atoms(frac_BN3 * mask_BN.unsqueeze(-1), types_BN * mask_BN, mask_BN, cell_B6)
