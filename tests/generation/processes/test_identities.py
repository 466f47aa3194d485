"""Numeric identities of the three processes: velocity, noise, posterior, marginals."""

import math

import pytest
import scipy.stats
import torch

from assay.generation.denoiser import Atoms, Prediction, mean_free
from assay.generation.processes.diffusion import Diffusion, DiffusionSettings
from assay.generation.processes.flow_matching import FlowMatching, FlowMatchingSettings
from assay.generation.processes.stochastic_interpolant import (
    StochasticInterpolant,
    StochasticInterpolantSettings,
)
from assay.training.draws import Draws
from tests.generation.molecules import PRIOR, TYPES, grid_molecules, random_atoms
from tests.generation.processes.crossing import advance
from tests.generation.processes.mixture import exact_molecules, to_vector

PROCESSES = {
    "flow_matching": FlowMatching(FlowMatchingSettings(steps=50), PRIOR),
    "diffusion": Diffusion(DiffusionSettings(steps=50), PRIOR),
    "ddim": Diffusion(DiffusionSettings(steps=50, sampler="ddim", eta=0.5), PRIOR),
    "stochastic_interpolant": StochasticInterpolant(StochasticInterpolantSettings(steps=50), PRIOR),
    "interpolant_ode": StochasticInterpolant(
        StochasticInterpolantSettings(steps=50, sampler="ode"), PRIOR
    ),
}


@pytest.fixture(params=PROCESSES)
def process(request):
    return PROCESSES[request.param]


class Oracle(torch.nn.Module):
    """Knows the clean molecule: what is left of a sampler is its own arithmetic."""

    def __init__(self, process, clean: Atoms) -> None:
        super().__init__()
        self.process, self.clean = process, clean

    def forward(self, atoms, time_B, previous):
        a, s = (v[:, None, None] for v in self.process.signal_and_noise(time_B))
        variance = a**2 + s**2
        raw = (self.clean.positions_BN3 - a / variance * atoms.positions_BN3) * variance.sqrt() / s
        logits = 50.0 * torch.nn.functional.one_hot(self.clean.types_BN, TYPES).float()
        return Prediction(raw, logits, torch.zeros_like(raw))


def draws(count: int, step: int = 0) -> Draws:
    return Draws(0, step, torch.arange(count))


def test_signal_grows_noise_falls_and_the_path_ends_at_the_data(process):
    a, s = process.signal_and_noise(process.times())

    assert (a.diff() >= 0).all()
    assert (s.diff() <= 0).all()
    assert a[-1] == pytest.approx(1.0, abs=2e-4)
    assert s[-1] == pytest.approx(0.0, abs=0.02)
    keep = process.keep(process.times())
    assert (keep.diff() > 0).all()
    assert keep[0] == pytest.approx(0.0, abs=2e-3)
    assert keep[-1] == pytest.approx(1.0)


def test_the_times_of_the_sampler_span_the_path(process):
    times = process.times()

    assert len(times) == process.steps + 1
    assert (times.diff() > 0).all()
    assert times[0] <= 2e-3
    assert times[-1] == 1.0


def test_the_noise_of_the_path_has_the_declared_scale(process):
    """Var[x_t - a x_1] = s² (1 - 1/N) after the mean is taken out; the coupling keeps norms."""
    clean = random_atoms((12,) * 4000)
    point = process.path(clean, draws(4000))
    a_B, s_B = process.signal_and_noise(point.time_B)
    independent = isinstance(process, Diffusion)
    rest = point.atoms.positions_BN3 - a_B[:, None, None] * clean.positions_BN3
    ratio = rest.square().mean((1, 2)) / s_B**2 / (1 - 1 / 12)

    assert ratio.mean() == pytest.approx(1.0, abs=0.02 if independent else 0.05)


def test_types_are_kept_with_the_declared_probability(process):
    clean = random_atoms((20,) * 3000)
    point = process.path(clean, draws(3000))
    kept = process.keep(point.time_B)
    same = (point.atoms.types_BN == clean.types_BN).float().mean(1)
    expected = kept + (1 - kept) * PRIOR[clean.types_BN].mean(1)

    assert (same - expected).mean().abs() < 0.01


def test_a_sampler_that_knows_the_molecule_arrives_there(process):
    clean = grid_molecules(6)

    sample = process.sample(
        Oracle(process, clean), clean.mask_BN, torch.arange(6), 0, lambda fraction: None
    )

    torch.testing.assert_close(sample.positions_BN3, clean.positions_BN3, atol=1e-4, rtol=1e-4)
    assert torch.equal(sample.types_BN, clean.types_BN)


def test_the_best_linear_denoiser_is_the_networks_zero(process):
    """With F = 0 the prediction is E[x_1 | x_t] of a unit Gaussian: a x_t/(a² + s²)."""

    class Zero(torch.nn.Module):
        def forward(self, atoms, time_B, previous):
            zero = torch.zeros_like(atoms.positions_BN3)
            return Prediction(zero, torch.zeros(*atoms.types_BN.shape, TYPES), zero)

    atoms = random_atoms((6, 6))
    time_B = torch.tensor([0.3, 0.8])
    a, s = process.signal_and_noise(time_B)

    prediction = process.predict(Zero(), atoms, time_B, None)

    expected = (a / (a**2 + s**2))[:, None, None] * atoms.positions_BN3
    torch.testing.assert_close(prediction.positions_BN3, expected)


def test_flow_matching_steps_along_the_straight_line():
    process = PROCESSES["flow_matching"]
    clean, start = random_atoms((5, 5)), random_atoms((5, 5), seed=1)
    now, then = torch.tensor(0.25), torch.tensor(0.6)
    here = 0.75 * start.positions_BN3 + 0.25 * clean.positions_BN3
    prediction = Prediction(clean.positions_BN3, torch.zeros(2, 5, TYPES))

    there = advance(process, clean.moved(here), prediction, now, then, draws(2))

    expected = 0.4 * start.positions_BN3 + 0.6 * clean.positions_BN3
    torch.testing.assert_close(there, expected)


def test_beta_times_have_their_mean():
    """E[t] = 2/3 under Beta(2, 1)."""
    point = PROCESSES["flow_matching"].path(random_atoms((3,) * 20_000), draws(20_000))

    assert point.time_B.mean() == pytest.approx(2 / 3, abs=0.01)


def ddim(eta: float) -> Diffusion:
    return Diffusion(DiffusionSettings(steps=50, sampler="ddim", eta=eta), PRIOR)


def test_ddim_with_eta_1_is_ddpm():
    ddpm = PROCESSES["diffusion"]
    atoms, clean = random_atoms((6, 4)), random_atoms((6, 4), seed=1)
    prediction = Prediction(clean.positions_BN3, torch.zeros(2, 6, TYPES))
    for k in (0, 20, 45):
        now, then = ddpm.times()[k], ddpm.times()[k + 1]
        torch.testing.assert_close(
            advance(ddim(1.0), atoms, prediction, now, then, draws(2)),
            advance(ddpm, atoms, prediction, now, then, draws(2)),
            atol=1e-5,
            rtol=1e-4,
        )


def test_ddim_with_eta_0_keeps_the_noise():
    """x_t = a x_1 + s ε goes to a' x_1 + s' ε with the same ε."""
    process = ddim(0.0)
    clean, eps = random_atoms((6, 6)), random_atoms((6, 6), seed=1).positions_BN3
    now, then = process.times()[10], process.times()[30]
    (a, s), (a_then, s_then) = process.signal_and_noise(now), process.signal_and_noise(then)
    prediction = Prediction(clean.positions_BN3, torch.zeros(2, 6, TYPES))

    there = advance(
        process, clean.moved(a * clean.positions_BN3 + s * eps), prediction, now, then, draws(2)
    )

    expected = a_then * clean.positions_BN3 + s_then * eps
    torch.testing.assert_close(there, expected, atol=1e-4, rtol=1e-4)


def test_ddpm_keeps_the_marginal_variance():
    """If x_1 is known, E|x_then - a' x_1|² = s'² when x_now follows the path."""
    process = PROCESSES["diffusion"]
    clean = random_atoms((10,) * 4000)
    now, then = process.times()[15], process.times()[35]
    (a, s), (a_then, s_then) = process.signal_and_noise(now), process.signal_and_noise(then)
    eps = mean_free(torch.randn(4000, 10, 3), clean.mask_BN)
    prediction = Prediction(clean.positions_BN3, torch.zeros(4000, 10, TYPES))

    there = advance(
        process, clean.moved(a * clean.positions_BN3 + s * eps), prediction, now, then, draws(4000)
    )

    rest = (there - a_then * clean.positions_BN3).square().mean() / 0.9
    assert rest == pytest.approx(float(s_then) ** 2, rel=0.02)


def test_the_diffusion_of_types_follows_bayes():
    """The jump law against q(c_then | c_now, ĉ) summed by brute force over ĉ."""
    process = PROCESSES["diffusion"]
    now, then = process.times()[20], process.times()[30]
    logits = torch.randn(TYPES, generator=torch.Generator().manual_seed(0))
    p_clean, m = logits.softmax(-1), PRIOR
    k_now, k_then = float(process.keep(now)), float(process.keep(then))
    eye = torch.eye(TYPES)
    forward = (k_now / k_then) * eye + (1 - k_now / k_then) * m  # [then, now]
    at_then = k_then * eye + (1 - k_then) * m  # [clean, then]
    at_now = k_now * eye + (1 - k_now) * m  # [clean, now]
    current = 2
    expected = sum(
        p_clean[c] * at_then[c] * forward[:, current] / at_now[c, current] for c in range(TYPES)
    )
    count = 60_000
    atoms = Atoms(
        torch.zeros(count, 1, 3),
        torch.full((count, 1), current),
        torch.ones(count, 1, dtype=torch.bool),
    )
    prediction = Prediction(atoms.positions_BN3, logits.expand(count, 1, TYPES))

    jumped = process.jump_types(atoms, prediction, now, then, draws(count))

    shares = torch.bincount(jumped.flatten(), minlength=TYPES) / count
    assert expected.sum() == pytest.approx(1.0, abs=1e-5)
    torch.testing.assert_close(shares, expected, atol=0.01, rtol=0)


def test_the_interpolants_velocity_is_the_derivative_of_its_path():
    """With x_1 and z known: b = x_1 - x_0 + γ' z."""
    process = StochasticInterpolant(StochasticInterpolantSettings(steps=50, sampler="ode"), PRIOR)
    x0, x1, z = (random_atoms((6, 6), seed=k).positions_BN3.double() for k in range(3))
    t, dt = torch.tensor(0.4, dtype=torch.float64), 1e-6

    def at(time):
        return (1 - time) * x0 + time * x1 + process.latent.gamma(time) * z

    atoms = random_atoms((6, 6)).moved(at(t))
    stepped = advance(
        process, atoms, Prediction(x1, torch.zeros(2, 6, TYPES), z), t, t + dt, draws(2)
    )

    derivative = (at(t + dt) - at(t - dt)) / (2 * dt)
    velocity = (stepped - atoms.positions_BN3) / dt
    torch.testing.assert_close(velocity, derivative, atol=1e-4, rtol=1e-4)


def test_the_sde_adds_the_score_and_the_noise_that_balances_it():
    """dx_SDE - dx_ODE = ε s dt + √(2ε dt) ξ with s = -z/γ and ε = c γ²."""
    ode, sde = PROCESSES["interpolant_ode"], PROCESSES["stochastic_interpolant"]
    x1, z = random_atoms((9, 9)).positions_BN3, random_atoms((9, 9), seed=1).positions_BN3
    atoms, now, then = random_atoms((9, 9), seed=2), torch.tensor(0.4), torch.tensor(0.43)
    prediction = Prediction(x1, torch.zeros(2, 9, TYPES), z)

    difference = advance(sde, atoms, prediction, now, then, draws(2)) - advance(
        ode, atoms, prediction, now, then, draws(2)
    )

    epsilon, step = 4.0 * sde.latent.gamma(now) ** 2, then - now
    fresh = mean_free(draws(2).normal("fresh", 9, 3), atoms.mask_BN)
    expected = -epsilon * step * z / sde.latent.gamma(now) + (2 * epsilon * step).sqrt() * fresh
    torch.testing.assert_close(difference, expected, atol=1e-5, rtol=1e-4)


def test_the_sde_keeps_the_law_of_the_path():
    """With x_1 known and ẑ = E[z | x_t, x_1], SDE and path have one variance about t x_1."""
    process = StochasticInterpolant(StochasticInterpolantSettings(steps=400), PRIOR)
    count = 3000
    clean = random_atoms((8,) * count)
    times = process.times()
    _, start_noise = process.signal_and_noise(times[120])
    x = times[120] * clean.positions_BN3 + start_noise * mean_free(
        torch.randn(count, 8, 3), clean.mask_BN
    )
    for k in range(120, 280):
        now, then = times[k], times[k + 1]
        rest = x - now * clean.positions_BN3
        z = process.latent.gamma(now) / process.signal_and_noise(now)[1] ** 2 * rest
        prediction = Prediction(clean.positions_BN3, torch.zeros(count, 8, TYPES), z)
        x = advance(process, clean.moved(x), prediction, now, then, draws(count, k))

    end = times[280]
    variance = (x - end * clean.positions_BN3).square().mean() / (1 - 1 / 8)
    assert variance == pytest.approx(float(process.signal_and_noise(end)[1]) ** 2, rel=0.05)


def test_gamma_is_positive_inside_and_vanishes_at_the_ends():
    gamma = PROCESSES["stochastic_interpolant"].latent.gamma(torch.tensor([0.0, 0.5, 1.0]))

    assert gamma[0] == gamma[2] == 0
    assert gamma[1] == pytest.approx(math.sqrt(0.05 / 4))


def test_antithetic_points_are_mirrored_about_the_line():
    settings = StochasticInterpolantSettings(antithetic=True)
    point = StochasticInterpolant(settings, PRIOR).path(random_atoms((6, 6)), draws(2))

    plus, minus = point.atoms.positions_BN3.chunk(2)
    z_plus, z_minus = point.noise_BS3.chunk(2)
    single = PROCESSES["stochastic_interpolant"].path(random_atoms((6, 6)), draws(2))

    assert torch.equal(z_plus, -z_minus)
    torch.testing.assert_close(plus, single.atoms.positions_BN3)
    gamma = PROCESSES["stochastic_interpolant"].latent.gamma(single.time_B)[:, None, None]
    torch.testing.assert_close(plus - minus, 2 * gamma * z_plus, atol=1e-5, rtol=1e-4)


FLOWS = [
    {"path": path, "coupling": coupling, "solver": solver, "spacing": spacing}
    for path, coupling, solver, spacing in (
        ("linear", "independent", "euler", "power"),
        ("linear", "equivariant", "heun", "power"),
        ("trigonometric", "rotation", "rk45", "log"),
    )
]


@pytest.mark.parametrize("given", FLOWS, ids=lambda given: f"{given['path']}-{given['solver']}")
def test_an_interpolant_without_latent_noise_is_flow_matching_bit_for_bit(given):
    flow = FlowMatching(FlowMatchingSettings(steps=8, **given), PRIOR)
    settings = StochasticInterpolantSettings(steps=8, gamma="none", sampler="ode", **given)
    interpolant = StochasticInterpolant(settings, PRIOR)
    clean = random_atoms((6, 9, 4))

    ours, theirs = (each.path(clean, draws(3)) for each in (interpolant, flow))

    assert interpolant.heads == flow.heads == ()
    assert torch.equal(ours.time_B, theirs.time_B)
    assert torch.equal(ours.atoms.positions_BN3, theirs.atoms.positions_BN3)
    assert torch.equal(ours.atoms.types_BN, theirs.atoms.types_BN)
    molecule = grid_molecules(3)
    losses, samples = [], []
    for process, point in ((interpolant, ours), (flow, theirs)):
        network = Oracle(process, molecule)
        prediction = Prediction(clean.positions_BN3 / 2, torch.zeros(3, 9, TYPES))
        losses.append(process.losses(prediction, point))
        samples.append(
            process.sample(network, molecule.mask_BN, torch.arange(3), 0, lambda fraction: None)
        )
    assert all(torch.equal(losses[0][name], losses[1][name]) for name in losses[1])
    assert torch.equal(samples[0].positions_BN3, samples[1].positions_BN3)
    assert samples[0].evaluations == samples[1].evaluations


def test_a_one_sided_interpolant_without_gamma_follows_the_path_of_flow_matching():
    settings = StochasticInterpolantSettings(
        gamma="none", interpolant="one_sided", coupling="independent"
    )
    flow = FlowMatching(FlowMatchingSettings(coupling="independent"), PRIOR)
    clean = random_atoms((6, 9, 4))

    ours = StochasticInterpolant(settings, PRIOR).path(clean, draws(3))

    assert torch.equal(ours.atoms.positions_BN3, flow.path(clean, draws(3)).atoms.positions_BN3)


def interpolant(**given) -> StochasticInterpolant:
    return StochasticInterpolant(
        StochasticInterpolantSettings(coupling="independent", **given), PRIOR
    )


MARGINALS = {
    "linear": lambda t: (t, (1 - t) ** 2),
    "trigonometric": lambda t: ((math.pi * t / 2).sin(), (math.pi * t / 2).cos() ** 2),
    "cosine": lambda t: (
        (math.pi / 2 * (1.008 - t) / 1.008).cos(),
        (math.pi / 2 * (1.008 - t) / 1.008).sin() ** 2,
    ),
    "brownian": lambda t: (t, (1 - t) ** 2 + 0.3 * t * (1 - t)),
    "sine squared": lambda t: (t, (1 - t) ** 2 + 0.3 * (math.pi * t).sin() ** 4),
    "encoder-decoder": lambda t: (
        torch.where(t > 0.5, (math.pi * t).cos() ** 2, 0.0),
        torch.where(t < 0.5, (math.pi * t).cos() ** 4, 0.0) + (math.pi * t).sin() ** 4,
    ),
}
OF_MARGINAL = {
    "linear": FlowMatching(FlowMatchingSettings(coupling="independent"), PRIOR),
    "trigonometric": FlowMatching(
        FlowMatchingSettings(coupling="independent", path="trigonometric"), PRIOR
    ),
    "cosine": PROCESSES["diffusion"],
    "brownian": interpolant(latent_strength=0.3),
    "sine squared": interpolant(latent_strength=0.3, gamma="sine_squared", interpolant="one_sided"),
    "encoder-decoder": interpolant(
        latent_strength=1.0, gamma="sine_squared", path="encoder_decoder"
    ),
}


@pytest.mark.parametrize("name", MARGINALS)
def test_points_of_a_path_have_the_law_of_its_closed_form(name):
    """(x_t - a x_1)/s is standard normal at every t and independent of the molecule."""
    clean = exact_molecules(4000, 17)

    point = OF_MARGINAL[name].path(clean, draws(4000))

    a, variance = (each[:, None] for each in MARGINALS[name](point.time_B))
    x1_B3 = to_vector(clean.positions_BN3)
    rest_B3 = (to_vector(point.atoms.positions_BN3) - a * x1_B3) / variance.sqrt()
    assert scipy.stats.kstest(rest_B3.flatten().numpy(), "norm").pvalue > 0.01
    together = torch.cat([rest_B3, x1_B3], dim=1).T
    assert torch.corrcoef(together)[:3, 3:].abs().max() < 4 / 4000**0.5
    early_B = point.time_B < point.time_B.median()
    assert rest_B3[early_B].var() == pytest.approx(1.0, abs=0.08)
    assert rest_B3[~early_B].var() == pytest.approx(1.0, abs=0.08)
