"""Solvers and steps against laws whose solution is known."""

import itertools
import math

import pytest
import torch

from assay.errors import TrainingError
from assay.generation.denoiser import Prediction
from assay.generation.processes import samplers
from assay.generation.processes.diffusion import Diffusion, DiffusionSettings
from assay.generation.processes.flow_matching import FlowMatching, FlowMatchingSettings
from assay.generation.processes.paths import Cosine, Trigonometric
from tests.generation.molecules import PRIOR, TYPES, random_atoms
from tests.generation.processes.mixture import PerfectNetwork

DOUBLE = torch.float64


def largest(errors: torch.Tensor) -> torch.Tensor:
    return errors.abs().max()


def solved(solver: str, intervals: int) -> torch.Tensor:
    """Follow dx/dt = -2 t x from x(0) = 1, 2 to t = 1, where x is e⁻¹, 2 e⁻¹."""

    def rate(positions: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        return -2 * time * positions

    here = torch.tensor([1.0, 2.0], dtype=DOUBLE)
    times = torch.linspace(0, 1, intervals + 1, dtype=DOUBLE)
    for now, then in itertools.pairwise(times):
        start = rate(here, now)
        if solver == "euler":
            here = samplers.euler(here, start, now, then)
        elif solver == "heun":
            here = samplers.heun(here, start, now, then, rate)
        else:
            here = samplers.rk45(here, start, now, then, rate, 1e-8, largest)
    return here


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2)])
def test_solvers_have_their_order(solver, order):
    exact = torch.tensor([1.0, 2.0], dtype=DOUBLE) / math.e

    coarse, fine = (solved(solver, n) - exact for n in (40, 80))

    ratio = (coarse / fine).log2()
    torch.testing.assert_close(ratio, torch.full_like(ratio, order), atol=0.1, rtol=0)


def test_rk45_reaches_its_tolerance_in_one_interval():
    exact = torch.tensor([1.0, 2.0], dtype=DOUBLE) / math.e

    torch.testing.assert_close(solved("rk45", 1), exact, atol=1e-7, rtol=0)


def test_rk45_never_looks_beyond_its_interval():
    """It would otherwise step past the end and interpolate: there the velocity may be singular."""
    seen = []

    def rate(positions: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        seen.append(float(time))
        return positions / (1.2 - time)

    now, then = torch.tensor(0.0), torch.tensor(1.0)
    here = torch.ones(3)
    end = samplers.rk45(here, here / 1.2, now, then, rate, 1e-4, largest)

    torch.testing.assert_close(end, torch.full((3,), 6.0), atol=5e-3, rtol=0)
    assert max(seen) <= 1.0
    assert min(seen) > 0.0


def test_rk45_gives_up_in_one_sentence():
    now, then = torch.tensor(0.25), torch.tensor(0.5)
    here = torch.ones(3)

    with pytest.raises(TrainingError, match=r"rk45 found no way from t = 0.25 to 0.5 .*tolerance"):
        samplers.rk45(here, here, now, then, lambda x, t: x * float("nan"), 1e-4, largest)


@pytest.mark.parametrize(("solver", "count"), [("euler", 10), ("heun", 19), ("rk45", 64)])
def test_evaluations_over_a_grid(solver, count):
    assert samplers.evaluations(solver, 10) == count
    assert samplers.evaluations(solver, 1) == 1


def test_ddim_without_noise_turns_data_and_noise_as_the_flow_does():
    """With x̂ and ε̂ fixed, a' x̂ + s' ε̂ solves the probability flow whatever the step."""
    path = Trigonometric()
    now, then = torch.tensor(0.2, dtype=DOUBLE), torch.tensor(0.9, dtype=DOUBLE)
    clean, eps = torch.randn(2, 5, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    (a, s), (a_then, s_then) = path.scales(now), path.scales(then)

    there = samplers.ddim(a * clean + s * eps, clean, (a, s), (a_then, s_then), 0.0, eps)

    torch.testing.assert_close(there, a_then * clean + s_then * eps)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_every_ddim_keeps_the_law_of_a_known_molecule(eta):
    path = Cosine()
    now, then = torch.tensor(0.4), torch.tensor(0.5)
    eps, fresh = torch.randn(2, 200_000, generator=torch.Generator().manual_seed(0))
    (a, s), (a_then, s_then) = path.scales(now), path.scales(then)

    there = samplers.ddim(
        a * 1.5 + s * eps, torch.tensor(1.5), (a, s), (a_then, s_then), eta, fresh
    )

    assert there.mean() == pytest.approx(float(a_then) * 1.5, abs=0.01)
    assert there.std() == pytest.approx(float(s_then), rel=0.01)


def test_the_sde_without_noise_is_eulers_ode():
    here, velocity, latent, fresh = torch.randn(4, 6)
    now, then = torch.tensor(0.3), torch.tensor(0.35)

    stepped = samplers.euler_maruyama(
        here, velocity, latent, torch.tensor(0.2), torch.tensor(0.0), then - now, fresh
    )

    torch.testing.assert_close(stepped, samplers.euler(here, velocity, now, then))


def test_ddim_and_the_solvers_of_the_flow_end_in_one_place():
    """Fine grids of all four follow one flow from the same noise; types say nothing here."""
    ends = []
    for steps, given in (
        (30, {"sampler": "ode", "solver": "rk45", "tolerance": 1e-4}),
        (150, {"sampler": "ode", "solver": "heun"}),
        (500, {"sampler": "ode"}),
        (500, {"sampler": "ddim"}),
    ):
        process = Diffusion(DiffusionSettings(levels=1000, steps=steps, **given), PRIOR)
        network = PerfectNetwork(process, typed=False)
        mask_BN = torch.ones(64, 2, dtype=torch.bool)
        with torch.no_grad():
            sample = process.sample(network, mask_BN, torch.arange(64), 3, lambda fraction: None)
        ends.append(sample.positions_BN3)

    for end, near in zip(ends[1:], (0.002, 0.02, 0.02), strict=True):
        torch.testing.assert_close(end, ends[0], atol=near, rtol=0)


class Recorder:
    """Notes at which times it is asked, and what it was given to condition on."""

    def __init__(self, network) -> None:
        self.network, self.times, self.given, self.said = network, [], [], []

    def __call__(self, atoms, time_B, previous):
        self.times.append(float(time_B[0]))
        self.given.append(previous)
        self.types = atoms.types_BN
        self.said.append(self.network(atoms, time_B, previous))
        return self.said[-1]


def test_within_an_interval_every_evaluation_conditions_on_what_came_before_it():
    process = FlowMatching(FlowMatchingSettings(steps=3, solver="heun"), PRIOR)
    recorder = Recorder(PerfectNetwork(process))
    mask_BN = torch.ones(4, 2, dtype=torch.bool)

    sample = process.sample(recorder, mask_BN, torch.arange(4), 0, lambda fraction: None)

    t = process.times().tolist()
    assert recorder.times == pytest.approx([t[0], t[1], t[1], t[2], t[2]])
    assert sample.evaluations == len(recorder.times) == process.evaluations
    assert [each is None for each in recorder.given] == [True, True, False, False, False]
    assert recorder.given[2] is recorder.given[3]
    assert recorder.given[2] is not recorder.given[4]


def test_under_rk45_a_sample_depends_on_its_batch_within_the_tolerance_only():
    """The worst molecule sets the step for all: company makes a sample more exact, never less."""
    process = FlowMatching(
        FlowMatchingSettings(steps=4, solver="rk45", tolerance=1e-5, coupling="independent"), PRIOR
    )
    network = PerfectNetwork(process, typed=False)
    mask_BN = torch.ones(32, 2, dtype=torch.bool)

    def sample(rows: slice) -> torch.Tensor:
        ids = torch.arange(32)[rows]
        return process.sample(network, mask_BN[rows], ids, 0, lambda fraction: None).positions_BN3

    torch.testing.assert_close(sample(slice(3, 5)), sample(slice(None))[3:5], atol=2e-4, rtol=0)


def test_padding_does_not_loosen_the_tolerance():
    process = FlowMatching(FlowMatchingSettings(steps=4, solver="rk45"), PRIOR)

    class Bowl:
        def __call__(self, atoms, time_B, previous):
            pull_BN3 = -3 * atoms.positions_BN3.sin() * atoms.mask_BN.unsqueeze(-1)
            return Prediction(pull_BN3, torch.zeros(*atoms.types_BN.shape, TYPES))

    counts = []
    for pad in (0, 40):
        mask_BN = random_atoms((6, 6), pad=pad).mask_BN
        ids = torch.arange(2)
        counts.append(process.sample(Bowl(), mask_BN, ids, 0, lambda fraction: None).evaluations)

    assert counts[0] == counts[1]
