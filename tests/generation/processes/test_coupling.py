import itertools

import pytest
import torch

from assay.generation.denoiser import Atoms, mean_free
from assay.generation.processes.coupling import couple, kabsch
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

    found = couple("permutation", noise.positions_BN3, clean)

    for b in range(2):
        costs = [
            (noise.positions_BN3[b, list(order)] - clean.positions_BN3[b]).square().sum()
            for order in itertools.permutations(range(5))
        ]
        cost = (found[b] - clean.positions_BN3[b]).square().sum()
        torch.testing.assert_close(cost, torch.stack(costs).min())


@pytest.fixture
def clean() -> Atoms:
    return random_atoms((5, 9, 7, 1, 2), pad=3)


@pytest.fixture
def noise(clean) -> torch.Tensor:
    drawn = torch.randn(5, 12, 3, generator=torch.Generator().manual_seed(3))
    return mean_free(drawn, clean.mask_BN)


def distances(positions_BN3: torch.Tensor) -> torch.Tensor:
    return torch.cdist(positions_BN3, positions_BN3)


@pytest.mark.parametrize("coupling", ["rotation", "permutation", "equivariant"])
def test_a_coupling_keeps_the_noise_and_shortens_the_path(coupling, clean, noise):
    coupled = couple(coupling, noise, clean)

    torch.testing.assert_close(
        coupled.norm(dim=-1).sort(dim=1).values,
        noise.norm(dim=-1).sort(dim=1).values,
        atol=1e-5,
        rtol=1e-4,
    )
    assert coupled[~clean.mask_BN].abs().max() == 0
    before = (noise - clean.positions_BN3).square().sum((1, 2))
    after = (coupled - clean.positions_BN3).square().sum((1, 2))
    assert (after <= before + 1e-5).all()
    assert (after < before)[:3].all()


def test_independent_noise_is_left_alone(clean, noise):
    assert torch.equal(couple("independent", noise, clean), noise)


def test_a_rotation_keeps_the_shape_of_the_noise_and_a_permutation_its_places(clean, noise):
    rotated, reordered = couple("rotation", noise, clean), couple("permutation", noise, clean)

    torch.testing.assert_close(distances(rotated), distances(noise), atol=1e-4, rtol=1e-4)
    assert torch.equal(reordered.flatten(1).sort().values, noise.flatten(1).sort().values)


def test_the_equivariant_coupling_follows_a_turned_and_reordered_molecule(clean, noise):
    """Coupled anew to g·x, the same noise comes out as g·(what was coupled to x)."""
    turn = Draws(0, 0, torch.arange(1)).rotation("turn")[0]
    one = random_atoms((9,))
    draw = mean_free(torch.randn(1, 9, 3, generator=torch.Generator().manual_seed(5)), one.mask_BN)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(6))
    reordered = Atoms(one.positions_BN3[:, order], one.types_BN[:, order], one.mask_BN)
    turned = Atoms(one.positions_BN3 @ turn, one.types_BN, one.mask_BN)

    here = couple("equivariant", draw, one)

    there = couple("equivariant", draw, reordered)
    torch.testing.assert_close(there, here[:, order], atol=1e-5, rtol=1e-4)
    there = couple("rotation", draw, turned)
    torch.testing.assert_close(there, couple("rotation", draw, one) @ turn, atol=1e-5, rtol=1e-4)


def test_reduced_precision_of_the_network_does_not_round_the_noise(clean, noise):
    with torch.autocast("cpu", torch.bfloat16):
        rough = couple("equivariant", noise, clean)

    assert torch.equal(rough, couple("equivariant", noise, clean))
