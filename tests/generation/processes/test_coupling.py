import itertools

import torch

from assay.generation.denoiser import mean_free
from assay.generation.processes.coupling import _permute, align_noise, kabsch
from assay.training.draws import Draws
from tests.generation.molecules import random_atoms


def test_kabsch_recovers_a_rotation_and_never_reflects():
    fixed = random_atoms((8,) * 20).positions_BN3
    rotation = Draws(0, 0, torch.arange(20)).rotation("r")

    found = kabsch(fixed @ rotation.transpose(1, 2), fixed)
    mirrored = kabsch(-fixed, fixed)

    torch.testing.assert_close(found, rotation, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(torch.linalg.det(mirrored), torch.ones(20), atol=1e-4, rtol=1e-4)


def test_the_permutation_is_optimal():
    clean, noise = random_atoms((5, 5)), random_atoms((5, 5), seed=1)

    permuted = _permute(noise.positions_BN3, clean.positions_BN3, clean.mask_BN)

    for b in range(2):
        costs = [
            (noise.positions_BN3[b, list(order)] - clean.positions_BN3[b]).square().sum()
            for order in itertools.permutations(range(5))
        ]
        cost = (permuted[b] - clean.positions_BN3[b]).square().sum()
        torch.testing.assert_close(cost, torch.stack(costs).min())


def test_coupling_keeps_the_noise_and_shortens_the_path():
    clean = random_atoms((5, 9, 7), pad=3)
    noise = mean_free(torch.randn(3, 12, 3), clean.mask_BN)

    coupled = align_noise(noise, clean.positions_BN3, clean.mask_BN)

    torch.testing.assert_close(
        coupled.norm(dim=-1).sort(dim=1).values,
        noise.norm(dim=-1).sort(dim=1).values,
        atol=1e-5,
        rtol=1e-4,
    )
    assert coupled[~clean.mask_BN].abs().max() == 0
    before = (noise - clean.positions_BN3).square().sum((1, 2))
    after = (coupled - clean.positions_BN3).square().sum((1, 2))
    assert (after < before).all()
