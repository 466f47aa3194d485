"""Paths, latent noise, times, and what follows from a prediction of the data."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.generation.processes import conversions
from assay.generation.processes.latents import LATENTS, Brownian, Folded, Latent
from assay.generation.processes.paths import (
    PATHS,
    Cosine,
    Linear,
    Path,
    Polynomial,
    VariancePreserving,
    derivative,
)
from assay.generation.processes.times import beta_quantile, log_times, power_times
from tests.generation.processes.mixture import MEANS_C3, SPREADS_C, WEIGHTS_C, PerfectNetwork

EVERY = {
    **PATHS,
    "cosine": Cosine(),
    "adaptive": Cosine(2.5),
    "polynomial": Polynomial(),
    "folded": Folded(Linear(), Brownian(0.3)),
}
CONSTANT_VARIANCE = ("variance_preserving", "trigonometric", "cosine", "adaptive", "polynomial")
INNER = torch.linspace(0.02, 0.98, 40, dtype=torch.float64)


@pytest.fixture(params=EVERY)
def path(request) -> Path:
    return EVERY[request.param]


@pytest.fixture(params=LATENTS)
def latent(request) -> Latent:
    return LATENTS[request.param](0.3)


def differences(function, time: torch.Tensor) -> torch.Tensor:
    """Central differences."""
    return (function(time + 1e-6) - function(time - 1e-6)) / 2e-6


def test_rates_are_the_derivatives_of_the_scales(path):
    a_rate, b_rate = path.rates(INNER)

    for rate, index in ((a_rate, 0), (b_rate, 1)):
        expected = differences(lambda t, k=index: path.scales(t)[k], INNER)
        torch.testing.assert_close(rate, expected, atol=1e-6, rtol=1e-6)


def test_a_derivative_asks_for_no_gradients_around_it():
    with torch.no_grad():
        rate = derivative(torch.sin, torch.tensor([0.0, 1.0]))

    assert not rate.requires_grad
    torch.testing.assert_close(rate, torch.tensor([1.0, math.cos(1.0)]))


@pytest.mark.parametrize("name", CONSTANT_VARIANCE)
def test_diffusions_keep_the_variance(name):
    a, s = EVERY[name].scales(torch.linspace(0, 1, 101, dtype=torch.float64))

    torch.testing.assert_close(a**2 + s**2, torch.ones_like(a))


@pytest.mark.parametrize("name", EVERY)
def test_paths_lead_from_the_base_to_the_data(name):
    a, b = EVERY[name].scales(torch.tensor([0.0, 1.0], dtype=torch.float64))

    assert a[0].abs() < 0.01
    assert b[0] == pytest.approx(1.0, abs=1e-4)
    assert a[1] == pytest.approx(1.0, abs=1e-4)
    assert b[1].abs() < 0.013


def test_the_linear_schedule_is_what_many_small_steps_of_ddpm_make():
    """Π (1 - β_k/T) with β linear from 0.1 to 20: Song et al. (2021), appendix B."""
    T = 200_000
    beta = torch.linspace(0.1, 20.0, T, dtype=torch.float64)
    kept = (1 - beta / T).cumprod(0)

    a, _ = VariancePreserving().scales(1 - torch.tensor([0.25, 0.5, 1.0], dtype=torch.float64))

    expected = kept[[T // 4 - 1, T // 2 - 1, T - 1]].sqrt()
    torch.testing.assert_close(a, expected, rtol=1e-3, atol=0)


def test_the_cosine_schedules_against_their_formula():
    """ᾱ = cos²((π/2) ((k/T)^ν + 0.008)/1.008): MiDi's positions and types at three levels."""
    for exponent in (1.0, 2.5):
        a, _ = Cosine(exponent).scales(torch.tensor([0.75, 0.5, 0.1], dtype=torch.float64))
        expected = [math.cos(math.pi / 2 * (u**exponent + 0.008) / 1.008) for u in (0.25, 0.5, 0.9)]
        assert a.tolist() == pytest.approx(expected)


def test_the_polynomial_schedule_against_its_formula():
    """EDM's `polynomial_2` with precision 1e-5, before its steps are clipped."""
    u = np.array([0.0, 0.25, 0.5, 0.9])
    expected = (1 - 2e-5) * (1 - u**2) ** 2 + 1e-5

    a, s = Polynomial().scales(1 - torch.from_numpy(u))

    np.testing.assert_allclose(a.numpy() ** 2, expected, rtol=1e-12)
    np.testing.assert_allclose(s.numpy() ** 2, 1 - expected, rtol=1e-9)


def test_encoder_and_decoder_share_no_time():
    time = torch.linspace(0, 1, 1001, dtype=torch.float64)

    a, b = PATHS["encoder_decoder"].scales(time)

    assert (a * b == 0).all()
    wave = (math.pi * time).cos() ** 2
    torch.testing.assert_close(a + b, wave, atol=1.1e-3, rtol=0)


def test_gammas_vanish_at_the_ends_and_only_there(latent):
    gamma = latent.gamma(torch.linspace(0, 1, 11, dtype=torch.float64))

    assert gamma[[0, -1]].abs().max() < 1e-12
    assert (gamma[1:-1] > 0).all()


def test_gammas_against_their_formulas():
    t, c = torch.tensor(0.3, dtype=torch.float64), 0.2

    assert LATENTS["brownian"](c).gamma(t) == pytest.approx(math.sqrt(c * 0.3 * 0.7))
    assert LATENTS["quadratic"](c).gamma(t) == pytest.approx(math.sqrt(c) * 0.3 * 0.7)
    assert LATENTS["sine_squared"](c).gamma(t) == pytest.approx(
        math.sqrt(c) * math.sin(math.pi * 0.3) ** 2
    )


@pytest.mark.parametrize("path_name", ["linear", "trigonometric"])
def test_the_drift_of_the_latent_noise(latent, path_name):
    """γ' - γ b'/b; for Brownian noise on the straight line that is a closed form."""
    path = PATHS[path_name]
    _, b = path.scales(INNER)
    _, b_rate = path.rates(INNER)
    expected = differences(latent.gamma, INNER) - latent.gamma(INNER) * b_rate / b

    torch.testing.assert_close(latent.drift(INNER, path), expected, atol=1e-6, rtol=1e-6)


def test_a_velocity_is_the_derivative_of_the_path(path):
    """With x_1 known: ((a' b - a b') x_1 + b' x_t)/b = a' x_1 + b' x_0."""
    x0, x1 = torch.randn(2, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    a, b = path.scales(INNER)

    found = conversions.velocity(path, INNER, a * x1 + b * x0, x1)

    expected = differences(lambda t: path.scales(t)[0] * x1 + path.scales(t)[1] * x0, INNER)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_one_sided_and_two_sided_velocities_agree_where_all_noise_is_independent(latent):
    """Given x̂, ẑ = γ (x_t - a x̂)/(b² + γ²) is known: folding it into the base changes nothing."""
    path = PATHS["linear"]
    here, clean = torch.randn(2, 40, dtype=torch.float64)
    a, s = Folded(path, latent).scales(INNER)
    z = latent.gamma(INNER) / s**2 * (here - a * clean)

    apart = conversions.velocity(path, INNER, here, clean) + latent.drift(INNER, path) * z

    folded = conversions.velocity(Folded(path, latent), INNER, here, clean)
    torch.testing.assert_close(folded, apart)


@pytest.mark.parametrize("name", [name for name in EVERY if name != "encoder_decoder"])
def test_noise_score_and_velocity_of_a_mixture(name):
    """∇ log p_t by differentiation is -ε̂/s, x̂ = (x + s² score)/a, and v follows from the score."""
    path = EVERY[name]
    time = torch.tensor([[0.2], [0.5], [0.8]], dtype=torch.float64)
    a, s = path.scales(time)
    here = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    variance = (a * SPREADS_C) ** 2 + s**2
    off = here[:, None] - a[..., None] * MEANS_C3
    exponent = -off.square().sum(-1) / (2 * variance) - 1.5 * variance.log() + WEIGHTS_C.log()
    (score,) = torch.autograd.grad(exponent.logsumexp(-1).sum(), here)
    here = here.detach()
    clean = PerfectNetwork.posterior(here, a, s)[1]

    noise = conversions.noise(here, clean, a, s)
    velocity = conversions.velocity(path, time, here, clean)

    close = {"atol": 1e-5, "rtol": 1e-5}  # the mixture's parameters are in single precision
    torch.testing.assert_close(noise, -s * score, **close)
    torch.testing.assert_close(clean, (here + s**2 * score) / a, **close)
    a_rate, s_rate = path.rates(time)
    torch.testing.assert_close(velocity, a_rate * clean + s_rate * noise)
    by_score = a_rate / a * here + (a_rate / a * s**2 - s * s_rate) * score
    torch.testing.assert_close(velocity, by_score, **close)


@pytest.mark.parametrize("target", ["data", "noise", "velocity"])
@given(a=st.floats(0.02, 1.0), s=st.floats(0.02, 1.0))
@settings(max_examples=25, deadline=None)
def test_targets_are_what_they_say_and_their_loss_is_measured_on_them(target, a, s):
    a, s = torch.tensor(a, dtype=torch.float64), torch.tensor(s, dtype=torch.float64)
    x1, eps, error = torch.randn(
        3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    here = a * x1 + s * eps
    raw = {"data": x1, "noise": eps, "velocity": (s * x1 - a * eps) / (a**2 + s**2).sqrt()}[target]
    of_here, of_raw = conversions.output_scales(target, a, s)

    clean, off = of_here * here + of_raw * raw, of_here * here + of_raw * (raw + error)

    torch.testing.assert_close(clean, x1)
    weighted = conversions.loss_weight(target, a, s) * (off - x1).square()
    torch.testing.assert_close(weighted, error.square())


def test_where_noise_says_nothing_its_conversion_stays_bounded():
    of_here, of_raw = conversions.output_scales("noise", torch.tensor(-4e-8), torch.tensor(1.0))

    assert of_here == -of_raw == pytest.approx(100.0)


@pytest.mark.parametrize(("alpha", "beta"), [(2.0, 1.0), (1.0, 1.0), (1.8, 1.0), (2.0, 0.7)])
def test_training_times_are_quantiles_of_their_law(alpha, beta):
    unit = torch.linspace(0.01, 0.99, 25)

    found = beta_quantile(unit, alpha, beta)

    expected = scipy.stats.beta(alpha, beta).ppf(unit.numpy())
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
    assert found.dtype == torch.float32


def test_spaced_times():
    torch.testing.assert_close(power_times(4, 1.0), torch.tensor([0, 0.25, 0.5, 0.75, 1]))
    torch.testing.assert_close(power_times(2, 2.0), torch.tensor([0, 0.75, 1]))
    torch.testing.assert_close(log_times(3), torch.tensor([0, 0.9, 0.99, 1]))
    torch.testing.assert_close(log_times(1, first=0.25), torch.tensor([0.25, 1]))
