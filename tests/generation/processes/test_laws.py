"""With a perfect network every sampler draws from the data's own law, within chance.

The law is a mixture of Gaussians with types (`mixture`). What chance alone does is seen in exact
draws of the same number.
"""

import pytest
import torch

from assay.generation.denoiser import Atoms
from assay.generation.processes.diffusion import Diffusion, DiffusionSettings
from assay.generation.processes.flow_matching import FlowMatching, FlowMatchingSettings
from assay.generation.processes.process import GenerativeProcess, Sample
from assay.generation.processes.stochastic_interpolant import (
    StochasticInterpolant,
    StochasticInterpolantSettings,
)
from tests.generation.molecules import PRIOR
from tests.generation.processes.mixture import (
    MEANS_C3,
    SPREADS_C,
    TYPES_C2,
    WEIGHTS_C,
    PerfectNetwork,
    exact_molecules,
    to_vector,
)

COUNT = 2000
REPLICATES = 200
SEED = 21


def flow(**given) -> FlowMatching:
    return FlowMatching(FlowMatchingSettings(coupling="independent", **given), PRIOR)


def diffusion(**given) -> Diffusion:
    return Diffusion(DiffusionSettings(**given), PRIOR)


def interpolant(**given) -> StochasticInterpolant:
    given = {"coupling": "independent", **given}
    return StochasticInterpolant(StochasticInterpolantSettings(**given), PRIOR)


ODE = {"sampler": "ode", "solver": "heun", "steps": 50}
SDE = {"sde_strength": 1.0, "steps": 120}
ONE = {"interpolant": "one_sided"}
CASES = {
    "flow, euler": flow(steps=150),
    "flow, heun": flow(steps=50, solver="heun"),
    "flow, rk45": flow(steps=20, solver="rk45"),
    "flow, heun, logarithmic": flow(steps=50, solver="heun", spacing="log"),
    "flow, variance preserving": flow(steps=60, solver="heun", path="variance_preserving"),
    "flow, trigonometric": flow(steps=50, solver="heun", path="trigonometric"),
    "ddpm": diffusion(steps=150),
    "ddpm, linear": diffusion(steps=150, schedule="linear"),
    "ddpm, polynomial": diffusion(steps=150, schedule="polynomial"),
    "ddpm, adaptive": diffusion(steps=150, schedule="adaptive"),
    "ddpm, target noise": diffusion(steps=100, target="noise"),
    "ddim": diffusion(steps=120, sampler="ddim"),
    "ddim, η = 1/2": diffusion(steps=150, sampler="ddim", eta=0.5),
    "diffusion, heun": diffusion(**ODE),
    "diffusion, rk45, linear": diffusion(**ODE | {"solver": "rk45", "schedule": "linear"}),
    "interpolant, sde": interpolant(**SDE),
    "interpolant, ode": interpolant(**ODE),
    "interpolant, rk45": interpolant(**ODE | {"solver": "rk45", "steps": 20}),
    "interpolant, without γ": interpolant(**ODE, gamma="none"),
    "interpolant, quadratic γ, trigonometric": interpolant(
        **SDE, gamma="quadratic", path="trigonometric"
    ),
    "interpolant, encoder-decoder, sde": interpolant(
        **SDE, gamma="sine_squared", path="encoder_decoder", latent_strength=1.0
    ),
    "interpolant, encoder-decoder, ode": interpolant(
        **ODE, gamma="sine_squared", path="encoder_decoder", latent_strength=1.0
    ),
    "one-sided, sde": interpolant(**SDE, **ONE, gamma="none"),
    "one-sided, folded γ, ode": interpolant(**ODE, **ONE),
    "interpolant, constant ε": interpolant(steps=150, epsilon="constant", sde_strength=0.3),
    "interpolant, linear ε": interpolant(**SDE, epsilon="linear"),
}

DIRECTIONS = torch.nn.functional.normalize(
    torch.randn(3, 16, generator=torch.Generator().manual_seed(0)), dim=0
)


def strayed(molecules: Atoms) -> torch.Tensor:
    """Return (1 + C,) how far a sample strays from the law, in units in which chance is about 1.

    First the share of the first component, by which its types tell it; then, of each component, the
    sliced Wasserstein-1 distance of its standardised places from a standard normal law.
    """
    first_B = molecules.types_BN[:, 0] == TYPES_C2[0, 0]
    share = first_B.float().mean() - WEIGHTS_C[0]
    far = [share.abs() * len(first_B) ** 0.5]
    for k, chosen_B in enumerate((first_B, ~first_B)):
        places = (to_vector(molecules.positions_BN3)[chosen_B] - MEANS_C3[k]) / SPREADS_C[k]
        levels = (torch.arange(len(places)) + 0.5) / len(places)
        normal = torch.special.ndtri(levels)[:, None]
        along = (places @ DIRECTIONS).sort(0).values
        far.append((along - normal).abs().mean() * len(places) ** 0.5)
    return torch.stack(far)


@pytest.fixture(scope="module")
def chance() -> torch.Tensor:
    """(1 + C,) the farthest that exact samples of the same number stray."""
    exact = [strayed(exact_molecules(COUNT, 1 + k)) for k in range(REPLICATES)]
    return torch.stack(exact).amax(0)


def drawn(process: GenerativeProcess) -> Sample:
    """Return what a process draws with a perfect network."""
    mask_BN = torch.ones(COUNT, 2, dtype=torch.bool)
    with torch.no_grad():
        return process.sample(
            PerfectNetwork(process), mask_BN, torch.arange(COUNT), SEED, lambda fraction: None
        )


@pytest.mark.parametrize("name", CASES)
def test_a_perfect_network_draws_from_the_law(name, chance):
    process = CASES[name]

    sample = drawn(process)

    assert (sample.types_BN[:, 1] == 1).all()
    assert (strayed(sample) <= chance).all()
    assert sample.evaluations >= process.evaluations
    if process.solver != "rk45":
        assert sample.evaluations == process.evaluations


def test_the_measure_sees_a_law_that_is_a_tenth_wider(chance):
    assert (strayed(exact_molecules(COUNT, 999, spread=1.1))[1:] > chance[1:]).all()


def test_the_measure_sees_too_few_steps(chance):
    assert (strayed(drawn(flow(steps=8))) > chance).any()


def test_ddim_with_eta_1_and_ddpm_draw_alike():
    """Song, Meng and Ermon (2021), section 4.1: the same law, and here the same numbers."""
    ddpm, ddim = drawn(diffusion(steps=50)), drawn(diffusion(steps=50, sampler="ddim", eta=1.0))

    torch.testing.assert_close(ddim.positions_BN3, ddpm.positions_BN3, atol=1e-3, rtol=1e-3)
    assert (ddim.types_BN == ddpm.types_BN).float().mean() > 0.999
