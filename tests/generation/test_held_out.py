"""x-MSE at matched noise: known numbers for networks that are known."""

import pytest
import torch

from assay.generation.denoiser import Prediction
from assay.generation.held_out import SIGNAL_TO_NOISE, estimates, relative_errors
from assay.generation.processes.diffusion import Diffusion, DiffusionSettings
from assay.generation.processes.flow_matching import FlowMatching, FlowMatchingSettings
from assay.generation.processes.geometry import PERIODIC
from assay.generation.processes.stochastic_interpolant import (
    StochasticInterpolant,
    StochasticInterpolantSettings,
)
from assay.training.draws import Draws
from tests.generation.crystals import random_crystals
from tests.generation.molecules import PRIOR, TYPES, random_atoms

MADE = {
    "linear": (FlowMatching, FlowMatchingSettings(coupling="independent")),
    "paired": (FlowMatching, FlowMatchingSettings()),
    "curved": (
        FlowMatching, FlowMatchingSettings(coupling="independent", path="variance_preserving"),
    ),
    "cosine": (Diffusion, DiffusionSettings()),
    "noise": (Diffusion, DiffusionSettings(target="noise", schedule="linear")),
    "latent": (StochasticInterpolant, StochasticInterpolantSettings()),
    "pairs": (
        StochasticInterpolant,
        StochasticInterpolantSettings(coupling="independent", antithetic=True),
    ),
}  # fmt: skip
SIZE = 6


def draws(count):
    return Draws(0, 0, torch.arange(count))


def knowing(process, clean):
    """Predicts the linear estimate of every molecule; or of `clean`, the truth."""

    def network(atoms, time_B, previous):
        a, s = (v[:, None, None] for v in process.signal_and_noise(time_B))
        variance = a**2 + s**2
        wanted = a / variance * atoms.positions_BN3 if clean is None else clean.positions_BN3
        if process.target == "noise":
            raw = (atoms.positions_BN3 - a * wanted) / s
        else:
            raw = (wanted - a / variance * atoms.positions_BN3) * variance.sqrt() / s
        return Prediction(raw, torch.zeros(*atoms.types_BN.shape, TYPES), torch.zeros_like(raw))

    return network


@pytest.fixture(params=MADE)
def process(request):
    made, settings = MADE[request.param]
    return made(settings, PRIOR).uncoupled()


def test_the_linear_estimate_scores_one_of_gaussian_data(process):
    """Of coordinates without their mean it leaves (N - 1)/N."""
    clean = random_atoms((SIZE,) * 4000)

    found = relative_errors(knowing(process, None), process, clean, draws(4000))

    assert float(found.mean()) == pytest.approx((SIZE - 1) / SIZE, rel=0.02)


@pytest.mark.parametrize("made", [FlowMatching, StochasticInterpolant])
def test_paired_noise_says_more_and_without_it_pairs_do_not_matter(made):
    clean, free, own = random_atoms((5, 9, 7)), [], []
    for coupling in ("independent", "permutation", "equivariant"):
        process = made(made.Settings(coupling=coupling), PRIOR)
        network = knowing(process, None)
        free.append(relative_errors(network, process.uncoupled(), clean, draws(3)))
        own.append(relative_errors(network, process, clean, draws(3)))
        assert process.coupling == coupling

    assert torch.equal(own[0], free[0])
    assert torch.equal(free[1], free[0])
    assert torch.equal(free[2], free[0])
    assert float(own[2].mean()) < float(own[1].mean()) < float(own[0].mean())


def test_who_sees_through_the_noise_scores_zero(process):
    clean = random_atoms((5, 9, 7))

    found = relative_errors(knowing(process, clean), process, clean, draws(3))

    assert found.abs().max() < 1e-6


@pytest.mark.parametrize("ratio", SIGNAL_TO_NOISE)
def test_times_are_those_of_the_ratio(process, ratio):
    left = (1 + ratio**2) ** -0.5
    time = torch.tensor(process.time_of(left, periodic=False), dtype=torch.float64)

    a, s = process.signal_and_noise(time)

    assert float(a / s) == pytest.approx(ratio, rel=1e-6)


def test_a_point_that_no_path_has_is_refused():
    process = Diffusion(DiffusionSettings(), PRIOR, PERIODIC)
    with pytest.raises(ValueError, match=r"no point of the path is as uncertain as 0.9"):
        process.time_of(0.9, periodic=True)


@pytest.mark.parametrize("made", [FlowMatching, Diffusion, StochasticInterpolant])
def test_of_crystals_the_way_is_what_counts(made):
    """Who takes every atom to be there already errs by the variance of the way, or by less of it
    where ways cannot be longer than half a cell."""
    process = made(made.Settings(), PRIOR, PERIODIC)
    crystals = random_crystals((8,) * 50, seed=6)

    def stays(atoms, time_B, previous):
        nowhere = torch.zeros_like(atoms.positions_BN3)
        logits = torch.zeros(*atoms.types_BN.shape, TYPES)
        cell = torch.zeros_like(atoms.cell_B6)
        return Prediction(nowhere, logits, nowhere, cell, cell)

    for ratio in SIGNAL_TO_NOISE[2:]:
        left = (1 + ratio**2) ** -0.5
        time = torch.tensor([process.time_of(left, periodic=True)], dtype=torch.float64)
        assert float(process.uncertainty(time, periodic=True)) == pytest.approx(left, rel=1e-6)

    found = relative_errors(stays, process, crystals, draws(50))

    assert 0.3 < float(found.mean()) < 1.1


def test_the_estimates_are_means_over_systems():
    test_B, validation_B = torch.tensor([0.1, 0.3, 0.2]), torch.tensor([0.6, 0.4])
    independent_B = torch.tensor([0.9, 0.8, 1.0])

    all_three = estimates(test_B, validation_B, independent_B, seed=0)

    assert {name: found.value for name, found in all_three.items()} == pytest.approx(
        {"held_out/x_mse": 0.2, "held_out/x_mse_validation": 0.5, "held_out/x_mse_independent": 0.9}
    )
    found = all_three["held_out/x_mse"]
    assert found.low < 0.2 < found.high
    assert (found.n, found.version, found.better) == (3, "2", "lower")
