"""States of molecules and crystals, and noise on a torus."""

from dataclasses import replace

import pytest
import torch

from assay.chemistry.lattices import torus_difference, wrapped
from assay.generation.denoiser import Atoms, Prediction
from assay.generation.processes.coupling import couple
from assay.generation.processes.diffusion import Diffusion, DiffusionSettings
from assay.generation.processes.flow_matching import FlowMatching, FlowMatchingSettings
from assay.generation.processes.geometry import (
    EUCLIDEAN,
    PERIODIC,
    UNIFORM_SPREAD,
    joined,
    parted,
    wrapped_normal_spread,
    wrapped_normal_step,
)
from assay.generation.processes.stochastic_interpolant import (
    StochasticInterpolant,
    StochasticInterpolantSettings,
)
from assay.training.draws import Draws
from tests.generation.crystals import TYPES, random_crystals
from tests.generation.molecules import random_atoms

PRIOR = torch.full((TYPES,), 1 / TYPES)
PROCESSES = {
    "flow_matching": lambda **given: FlowMatching(FlowMatchingSettings(**given), PRIOR, PERIODIC),
    "diffusion": lambda **given: Diffusion(DiffusionSettings(**given), PRIOR, PERIODIC),
    "ddim": lambda **given: Diffusion(DiffusionSettings(sampler="ddim", **given), PRIOR, PERIODIC),
    "diffusion_ode": lambda **given: Diffusion(
        DiffusionSettings(sampler="ode", **given), PRIOR, PERIODIC
    ),
    "interpolant": lambda **given: StochasticInterpolant(
        StochasticInterpolantSettings(**given), PRIOR, PERIODIC
    ),
    "interpolant_ode": lambda **given: StochasticInterpolant(
        StochasticInterpolantSettings(sampler="ode", **given), PRIOR, PERIODIC
    ),
}


def draws(count: int, step: int = 0) -> Draws:
    return Draws(0, step, torch.arange(count))


def test_a_state_is_the_positions_or_the_coordinates_and_the_cell():
    molecules, crystals = random_atoms(), random_crystals()

    assert EUCLIDEAN.state(molecules) is molecules.positions_BN3
    positions_BN3, cell_B6 = parted(PERIODIC.state(crystals))
    assert torch.equal(positions_BN3, crystals.positions_BN3)
    assert torch.equal(cell_B6, crystals.cell_B6)
    assert torch.equal(joined(positions_BN3, cell_B6), PERIODIC.state(crystals))
    back = PERIODIC.at(PERIODIC.state(crystals) + 3.0, crystals)
    torch.testing.assert_close(back.positions_BN3, crystals.positions_BN3, atol=1e-5, rtol=0)
    torch.testing.assert_close(back.cell_B6, crystals.cell_B6 + 3.0)


def test_near_is_the_short_way_and_does_not_move_the_whole():
    one, other = random_crystals(seed=1), random_crystals(seed=2)
    here_BS3 = PERIODIC.state(other)

    there_BS3 = PERIODIC.near(PERIODIC.state(one), here_BS3, one.mask_BN)

    way_BN3 = parted(there_BS3 - here_BS3)[0]
    assert way_BN3.sum(1).abs().max() < 1e-5
    plain_BN3 = torus_difference(one.positions_BN3 - other.positions_BN3)
    drift_BN3 = way_BN3 - plain_BN3
    for b, count in enumerate(one.mask_BN.sum(1).tolist()):
        torch.testing.assert_close(
            drift_BN3[b, :count], drift_BN3[b, :1].expand(count, 3), atol=1e-6, rtol=0
        )
    assert torch.equal(parted(there_BS3)[1], one.cell_B6)


@pytest.mark.parametrize("sigma", [0.01, 0.05, 0.2, 0.5])
def test_the_way_back_is_the_gradient_of_the_wrapped_normals_log_density(sigma):
    away = torch.linspace(-0.49, 0.49, 41, dtype=torch.float64)
    point = (-away).requires_grad_()
    images = torch.arange(-20, 21, dtype=torch.float64)
    log_density = (-0.5 * ((point[:, None] + images) / sigma) ** 2).logsumexp(-1)
    (score,) = torch.autograd.grad(log_density.sum(), point)

    step = wrapped_normal_step(away, torch.tensor(sigma, dtype=torch.float64))

    torch.testing.assert_close(step, sigma**2 * score, atol=1e-7, rtol=1e-6)


def test_the_spread_of_the_way_back_is_that_of_many_draws():
    sigma = torch.tensor([0.01, 0.1, 0.2, 0.3, 0.5])
    generator = torch.Generator().manual_seed(0)
    away = torus_difference(sigma[:, None] * torch.randn(5, 200_000, generator=generator))

    drawn = wrapped_normal_step(away, sigma[:, None]).square().mean(-1).sqrt()

    torch.testing.assert_close(wrapped_normal_spread(sigma), drawn, rtol=0.01, atol=0)


@pytest.mark.parametrize("name", ["flow_matching", "interpolant", "diffusion"])
def test_the_declared_spread_is_that_of_the_way_to_the_data(name):
    process = PROCESSES[name]()
    if name != "diffusion":
        process = PROCESSES[name](coupling="independent")
    crystals = random_crystals((20,) * 400, seed=3)
    point = process.path(crystals, draws(400))

    way_BN3 = parted(point.end_BS3 - PERIODIC.state(point.atoms))[0]

    # Removing the drift of the whole takes a twentieth of the variance of 20 atoms.
    share = (way_BN3.square().mean((1, 2)) * 20 / 19).sqrt() / process.torus_spread(point.time_B)
    known = process.torus_spread(point.time_B) > 1e-3
    assert share[known].square().mean().sqrt() == pytest.approx(1.0, abs=0.03)
    assert way_BN3.sum(1).abs().max() < 1e-4


@pytest.mark.parametrize("name", ["flow_matching", "interpolant"])
def test_a_path_is_straight_from_the_base_to_the_end_that_is_told(name):
    """The way left is (1 - t) times one and the same way, however long that is."""
    plain = {} if name == "flow_matching" else {"gamma": "none", "sampler": "ode"}
    process = PROCESSES[name](coupling="independent", **plain)
    point = process.path(random_crystals((8,) * 50, seed=6), draws(50))
    early = point.time_B < 0.9  # later the quotient is rounding

    way_BS3 = point.end_BS3 - PERIODIC.state(point.atoms)
    whole_BN3 = parted(way_BS3 / (1 - point.time_B)[:, None, None])[0]

    base_BN3 = point.atoms.positions_BN3 - point.time_B[:, None, None] * whole_BN3
    off_BN3 = torus_difference(point.clean.positions_BN3 - base_BN3 - whole_BN3)
    assert off_BN3[early].abs().max() < 1e-4
    assert whole_BN3[early].abs().max() > 0.5  # the drift of the whole is not in it


@pytest.mark.parametrize("name", ["flow_matching", "interpolant", "diffusion"])
def test_the_loss_is_the_square_of_what_is_wrong_with_the_way_however_far(name):
    """On a torus two ends more than half a cell apart look near; their ways are not."""
    process = PROCESSES[name]()
    crystals = random_crystals((8,) * 20, seed=7)
    point = process.path(crystals, draws(20))
    right_BN3 = parted(point.end_BS3 - PERIODIC.state(point.atoms))[0]
    wrong_BN3 = torch.linspace(-0.9, 0.9, 24).reshape(8, 3)
    noise_BN3, cell_noise_B6 = (None, None) if point.noise_BS3 is None else parted(point.noise_BS3)

    def loss(off_BN3: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(20, 8, TYPES)
        said = Prediction(
            point.clean.positions_BN3, logits, noise_BN3, point.clean.cell_B6, cell_noise_B6,
            right_BN3 + off_BN3,
        )  # fmt: skip
        return process.losses(said, point)["positions"]

    assert loss(torch.zeros(8, 3)).abs().max() < 1e-6
    torch.testing.assert_close(loss(2 * wrong_BN3), 4 * loss(wrong_BN3), rtol=1e-3, atol=1e-6)


def test_what_a_network_says_of_the_whole_moves_nothing():
    process = PROCESSES["flow_matching"]()
    atoms = random_crystals((8, 8, 3), seed=8)
    raw_BN3 = torch.randn(3, 8, 3, generator=torch.Generator().manual_seed(0))
    time_B = torch.tensor([0.1, 0.5, 0.9])

    def said(drift: float) -> Prediction:
        raw = Prediction(raw_BN3 + drift, torch.zeros(3, 8, TYPES), None, torch.zeros(3, 6))
        return process.predict(lambda *given: raw, atoms, time_B, None)

    torch.testing.assert_close(said(0.0).way_BN3, said(0.7).way_BN3, atol=1e-5, rtol=0)
    assert said(0.0).way_BN3.sum(1).abs().max() < 1e-4


def test_where_types_are_known_only_like_atoms_exchange_their_noise():
    crystals = random_crystals((9, 9, 9), seed=9)
    base_BS3 = PERIODIC.base("noise", crystals.mask_BN, draws(3))

    coupled_BS3 = couple("equivariant", base_BS3, crystals, types_given=True)

    for b in range(3):
        for kind in range(TYPES):
            of_kind = crystals.types_BN[b] == kind
            before, after = base_BS3[b, :9][of_kind], coupled_BS3[b, :9][of_kind]
            assert torch.equal(before.sort(0).values, after.sort(0).values)
    assert not torch.equal(base_BS3, coupled_BS3)


@pytest.mark.parametrize("name", PROCESSES)
@torch.no_grad()
def test_a_sampler_that_knows_the_crystal_arrives_there(name):
    """Up to a move of the whole."""
    process, truth = PROCESSES[name](steps=200), random_crystals((5, 9, 3), seed=4)

    class Knowing:
        """In place of `predict`: the truth next to the point, and what noise that leaves."""

        def __call__(self, network, atoms, time_B, previous):
            here_BS3 = PERIODIC.state(atoms)
            end_BS3 = PERIODIC.near(PERIODIC.state(truth), here_BS3, truth.mask_BN)
            clean = PERIODIC.at(end_BS3, atoms)
            way_BN3 = parted(end_BS3 - here_BS3)[0]
            logits = 50.0 * torch.nn.functional.one_hot(truth.types_BN, TYPES).float()
            noise_BN3, cell_noise_B6 = None, None
            if process.heads:
                spread = process.signal_and_noise(time_B[:, None, None])[1]
                gamma = process.latent.gamma(time_B[:, None, None])
                a = time_B[:, None, None]
                way_BN3, way_B6 = parted((here_BS3 - end_BS3) * gamma / spread**2)
                cell_B6 = (
                    (atoms.cell_B6 - a[:, 0] * truth.cell_B6) * gamma[:, 0] / spread[:, 0] ** 2
                )
                noise_BN3, cell_noise_B6 = way_BN3, cell_B6 + 0 * way_B6
            return Prediction(
                clean.positions_BN3, logits, noise_BN3, clean.cell_B6, cell_noise_B6, way_BN3
            )

    process.predict = Knowing()

    found = process.sample(None, truth.mask_BN, torch.arange(3), 0, lambda fraction: None)

    assert torch.equal(found.types_BN, truth.types_BN)
    torch.testing.assert_close(found.cell_B6, truth.cell_B6, atol=1e-4, rtol=1e-4)
    near_BS3 = PERIODIC.near(PERIODIC.state(truth), PERIODIC.state(found), truth.mask_BN)
    off_BN3 = parted(near_BS3 - PERIODIC.state(found))[0]
    assert off_BN3.abs().max() < 1e-4


@torch.no_grad()
def test_the_reverse_of_noise_on_a_torus_draws_from_the_law_of_the_data():
    """Two atoms whose distance along x is one of two numbers; the exact score is known."""
    process = Diffusion(DiffusionSettings(steps=250), PRIOR, PERIODIC)
    distances, weights = torch.tensor([0.2, 0.45]), torch.tensor([0.7, 0.3])
    count = 4000
    mask_BN = torch.ones(count, 2, dtype=torch.bool)

    class Exact:
        """The mean way back of the difference of the two coordinates, whose noise is √2 σ."""

        def __call__(self, network, atoms: Atoms, time_B, previous):
            sigma = process.torus_path.scales(time_B[0])[1] * 2**0.5
            d_B3 = atoms.positions_BN3[:, 1] - atoms.positions_BN3[:, 0]
            images = torch.arange(-4, 5.0)
            way_B2X = distances[None, :, None] - d_B3[:, :1, None] + images
            logits_B2X = -0.5 * (way_B2X / sigma) ** 2 + weights.log()[None, :, None]
            share = logits_B2X.flatten(1).softmax(-1)
            x_B = (share * way_B2X.flatten(1)).sum(-1)
            yz_B2 = wrapped_normal_step(torus_difference(-d_B3[:, 1:]), sigma)
            way_B3 = torch.cat([x_B[:, None], yz_B2], dim=-1) / 2
            way_BN3 = torch.stack([-way_B3, way_B3], dim=1)
            moved = wrapped(atoms.positions_BN3 + way_BN3)
            logits = torch.zeros(count, 2, TYPES)
            return Prediction(moved, logits, None, torch.zeros(count, 6), None, way_BN3)

    process.predict = Exact()

    found = process.sample(None, mask_BN, torch.arange(count), 0, lambda fraction: None)

    d_B3 = torus_difference(found.positions_BN3[:, 1] - found.positions_BN3[:, 0])
    near = (d_B3[:, 0, None] - distances).abs().argmin(-1)
    off = torus_difference(d_B3[:, 0] - distances[near]).abs()
    assert off.max() < 0.01
    assert d_B3[:, 1:].abs().max() < 0.01
    share = (near == 0).float().mean()
    assert share == pytest.approx(0.7, abs=4 * (0.21 / count) ** 0.5 + 0.01)


def test_permuting_the_noise_of_a_crystal_shortens_the_way_on_the_torus():
    crystals = random_crystals((9, 9, 9), seed=5)
    plain = FlowMatching(FlowMatchingSettings(coupling="independent"), PRIOR, PERIODIC)
    coupled = FlowMatching(FlowMatchingSettings(coupling="permutation"), PRIOR, PERIODIC)

    def way(process: FlowMatching) -> float:
        point = process.path(crystals, draws(3))
        off = torus_difference(point.clean.positions_BN3 - point.atoms.positions_BN3)
        return float(off.square().sum())

    assert way(coupled) < way(plain)
    moved = replace(crystals, positions_BN3=wrapped(crystals.positions_BN3 + 1.0))
    assert way(coupled) == pytest.approx(
        float(
            torus_difference(
                coupled.path(moved, draws(3)).clean.positions_BN3
                - coupled.path(moved, draws(3)).atoms.positions_BN3
            )
            .square()
            .sum()
        ),
        rel=1e-4,
    )


def test_uniform_coordinates_have_the_spread_that_is_used():
    unit = (torch.arange(10_000) + 0.5) / 10_000
    assert torus_difference(unit).std() == pytest.approx(UNIFORM_SPREAD, rel=1e-3)
