"""Small padded batches of atoms for the tests of denoisers and processes."""

import torch

from assay.generation.denoiser import Atoms, mean_free

TYPES = 5
PRIOR = torch.tensor([0.5, 0.3, 0.1, 0.08, 0.02])


def random_atoms(sizes: tuple[int, ...] = (5, 9, 7), pad: int = 0, seed: int = 0) -> Atoms:
    """Molecules of the given sizes, padded to the largest and `pad` further."""
    generator = torch.Generator().manual_seed(seed)
    N = max(sizes) + pad
    mask_BN = torch.arange(N)[None, :] < torch.tensor(sizes)[:, None]
    positions = torch.zeros(len(sizes), N, 3)
    types = torch.zeros(len(sizes), N, dtype=torch.int64)
    for b, size in enumerate(sizes):
        positions[b, :size] = torch.randn(size, 3, generator=generator)
        types[b, :size] = torch.randint(TYPES, (size,), generator=generator)
    return Atoms(mean_free(positions, mask_BN), types, mask_BN)


def grid_molecules(count: int = 8, size: int = 6) -> Atoms:
    """Equal molecules: the corners of a bent chain, one type at the ends and one inside."""
    k = torch.arange(size, dtype=torch.float32)
    chain = torch.stack([0.8 * k, 0.4 * (k % 2), 0.1 * k**2 / size], dim=-1)
    positions = chain.expand(count, size, 3).clone()
    types = torch.tensor([0] + [1] * (size - 2) + [2]).expand(count, size).clone()
    mask = torch.ones(count, size, dtype=torch.bool)
    return Atoms(mean_free(positions, mask), types, mask)
