"""Every value of every option, from the path to a sample, on a small network.

A case is about its last key; `CASES` must name every value of every option.
"""

import functools
import json
from typing import Literal, get_args, get_origin

import pytest
import torch
from pydantic import ValidationError

from assay.config import canonical_json
from assay.generation.catalog import PROCESSES
from assay.generation.denoiser import Interface
from assay.generation.processes.process import GenerativeProcess
from assay.generation.settings import architecture, process
from assay.generation.space import FreeSpace
from assay.training.draws import Draws
from tests.generation.molecules import PRIOR, TYPES, random_atoms

ENCODER = {"path": "encoder_decoder", "coupling": "independent", "latent_strength": 1.0}
ODE = {"sampler": "ode"}
CASES = {
    "flow_matching": [
        {"path": "variance_preserving"},
        {"path": "trigonometric"},
        {"coupling": "independent"},
        {"coupling": "rotation"},
        {"coupling": "permutation"},
        {"time_alpha": 1.8},
        {"time_beta": 1.5},
        {"spacing": "log"},
        {"spacing_power": 1.0},
        {"solver": "heun"},
        {"solver": "rk45"},
        {"solver": "rk45", "tolerance": 1e-5},
        {"steps": 7},
        {"max_weight": 2.0},
    ],
    "diffusion": [
        {"schedule": "linear"},
        {"schedule": "polynomial"},
        {"schedule": "polynomial", "polynomial_power": 3.0},
        {"schedule": "adaptive"},
        {"schedule": "adaptive", "adaptive_exponent": 1.5},
        {"target": "data"},
        {"target": "noise"},
        {"sampler": "ddim"},
        {"sampler": "ddim", "eta": 0.5},
        ODE,
        {**ODE, "solver": "heun"},
        {**ODE, "solver": "rk45"},
        {**ODE, "solver": "rk45", "tolerance": 1e-5},
        {"steps": 20, "levels": 20},
        {"steps": 7},
        {"max_weight": 2.0},
    ],
    "stochastic_interpolant": [
        {"path": "trigonometric"},
        {**ENCODER, "gamma": "sine_squared"},
        {"gamma": "quadratic"},
        {"gamma": "sine_squared"},
        {**ODE, "gamma": "none"},
        {"latent_strength": 0.5},
        {"coupling": "independent", "interpolant": "one_sided"},
        {"coupling": "independent", "interpolant": "one_sided", "gamma": "none"},
        {"coupling": "independent"},
        {"coupling": "rotation"},
        {"coupling": "permutation"},
        {"antithetic": True},
        ODE,
        {**ODE, "solver": "heun"},
        {**ODE, "solver": "rk45"},
        {**ODE, "solver": "rk45", "tolerance": 1e-5},
        {"sde_strength": 0.5, "epsilon": "linear"},
        {"sde_strength": 0.05, "epsilon": "constant"},
        {"sde_strength": 1.0},
        {"time_alpha": 1.8},
        {"time_beta": 1.5},
        {"spacing": "log"},
        {"spacing_power": 1.0},
        {"steps": 7},
        {"max_weight": 2.0},
    ],
}
FLAT = [(name, given) for name, cases in CASES.items() for given in cases]
IDS = [f"{name}-{','.join(f'{k}={v}' for k, v in given.items())}" for name, given in FLAT]


def made(name: str, given: dict) -> GenerativeProcess:
    kind = process(name)
    return kind(kind.Settings(**{"steps": 5, **given}), PRIOR)


class Trained:
    """One step of training with a process, and what it then draws."""

    def __init__(self, one: GenerativeProcess) -> None:
        kind = architecture("gnn")
        torch.manual_seed(0)
        settings = kind.Settings(width=8, depth=1, radial=4)
        self.network = kind(settings, Interface(FreeSpace(TYPES), one.heads))
        with torch.no_grad():
            for parameter in self.network.parameters():
                parameter += 0.05 * torch.randn_like(parameter)
        clean = random_atoms((5, 9, 1, 7), pad=1)
        self.point = one.path(clean, Draws(0, 0, torch.arange(4)))
        optimizer = torch.optim.SGD(self.network.parameters(), lr=1e-3)
        self.loss, self.norm = self.step(one, optimizer)
        self.loss_after, _ = self.step(one, optimizer)
        with torch.no_grad():
            ids = torch.arange(4)
            self.sample = one.sample(self.network, clean.mask_BN, ids, 0, lambda fraction: None)

    def step(self, one: GenerativeProcess, optimizer) -> tuple[float, float]:
        optimizer.zero_grad()
        previous = one.predict(self.network, self.point.atoms, self.point.time_B, None).detach()
        prediction = one.predict(self.network, self.point.atoms, self.point.time_B, previous)
        loss = sum(part.mean() for part in one.losses(prediction, self.point).values())
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        optimizer.step()
        return loss.item(), norm.item()


@functools.cache
def trained_with(name: str, given: str) -> Trained:
    """Return what is known of the settings that are `given` as JSON; it is a function of them."""
    return Trained(made(name, json.loads(given)))


@pytest.mark.parametrize(("name", "given"), FLAT, ids=IDS)
def test_every_option_trains_and_samples(name, given):
    one = made(name, given)

    trained = trained_with(name, json.dumps(given))

    assert torch.isfinite(trained.point.atoms.positions_BN3).all()
    assert ((trained.point.time_B >= 0) & (trained.point.time_B <= 1)).all()
    assert trained.norm > 0
    assert trained.loss_after < trained.loss
    sample = trained.sample
    assert torch.isfinite(sample.positions_BN3).all()
    assert sample.positions_BN3.sum(1).abs().max() < 1e-3
    assert sample.positions_BN3[~sample.mask_BN].abs().max() == 0
    assert ((sample.types_BN >= 0) & (sample.types_BN < TYPES)).all()
    if one.solver == "rk45":
        assert sample.evaluations >= one.evaluations
    else:
        assert sample.evaluations == one.evaluations


@pytest.mark.parametrize(("name", "given"), FLAT, ids=IDS)
def test_every_option_has_an_effect(name, given):
    """On the points of the path, on the loss there, or on what is drawn."""
    *others, _ = given.items()
    one = trained_with(name, json.dumps(given))
    plain = trained_with(name, json.dumps(dict(others)))

    here, there = one.point.atoms.positions_BN3, plain.point.atoms.positions_BN3
    same = (
        here.shape == there.shape
        and torch.equal(here, there)
        and one.loss == plain.loss
        and torch.equal(one.sample.positions_BN3, plain.sample.positions_BN3)
        and one.sample.evaluations == plain.sample.evaluations
    )

    assert not same


@pytest.mark.parametrize(("name", "given"), FLAT, ids=IDS)
def test_every_option_survives_the_way_to_a_worker(name, given):
    settings = process(name).Settings(**given)

    assert process(name).Settings(**json.loads(canonical_json(settings))) == settings


@pytest.mark.parametrize("name", PROCESSES)
def test_no_option_is_forgotten_here(name):
    fields = process(name).Settings.model_fields
    tried = {(key, value) for given in CASES[name] for key, value in given.items()}

    assert {key for key, _ in tried} == set(fields)
    for key, field in fields.items():
        if get_origin(field.annotation) is Literal:
            others = {(key, value) for value in get_args(field.annotation)} - {(key, field.default)}
            assert others <= tried


FLOW, DIFFUSION, INTERPOLANT = "flow_matching", "diffusion", "stochastic_interpolant"
REFUSED = [
    (FLOW, {"tolerance": 1e-4}, "tolerance belongs to solver rk45"),
    (FLOW, {"solver": "heun", "tolerance": 1e-4}, "tolerance belongs to solver rk45"),
    (FLOW, {"spacing": "log", "spacing_power": 2.0}, "spacing_power belongs to spacing power"),
    (FLOW, {"path": "encoder_decoder"}, "Input should be 'linear'"),
    (FLOW, {"time_alpha": 0.0}, "greater than 0"),
    (DIFFUSION, {"sampler": "ddpm", "eta": 0.5}, "eta belongs to sampler ddim"),
    (DIFFUSION, {"sampler": "ode", "eta": 0.5}, "eta belongs to sampler ddim"),
    (DIFFUSION, {"solver": "heun"}, "solver belongs to sampler ode"),
    (DIFFUSION, {"polynomial_power": 3.0}, "polynomial_power belongs to schedule polynomial"),
    (DIFFUSION, {"adaptive_exponent": 2.0}, "adaptive_exponent belongs to schedule adaptive"),
    (DIFFUSION, {"target": "data", "max_weight": 5.0}, "max_weight belongs to targets noise and"),
    (DIFFUSION, {"steps": 600}, "steps 600 exceed the 500 levels"),
    (INTERPOLANT, {**ODE, "sde_strength": 2.0}, "sde_strength belongs to sampler sde"),
    (INTERPOLANT, {**ODE, "epsilon": "constant"}, "epsilon belongs to sampler sde"),
    (INTERPOLANT, {"solver": "heun"}, "solver belongs to sampler ode"),
    (INTERPOLANT, {**ODE, "gamma": "none", "latent_strength": 1.0}, "belongs to a gamma other"),
    (INTERPOLANT, {**ODE, "gamma": "none", "antithetic": True}, "antithetic belongs to a latent"),
    (INTERPOLANT, {"gamma": "none"}, "without gamma a two_sided interpolant has no score"),
    (INTERPOLANT, {"interpolant": "one_sided"}, "it needs coupling independent"),
    (
        INTERPOLANT,
        {"interpolant": "one_sided", "coupling": "independent", "antithetic": True},
        "antithetic belongs to a latent noise apart",
    ),
    (INTERPOLANT, {"path": "encoder_decoder"}, "never mixes base and data"),
    (INTERPOLANT, {**ODE, **ENCODER, "gamma": "none"}, "latent_strength belongs to a gamma"),
    (
        INTERPOLANT,
        {**ODE, "path": "encoder_decoder", "coupling": "independent", "gamma": "none"},
        "latent noise alone at t = 1/2",
    ),
]


@pytest.mark.parametrize(("name", "given", "reason"), REFUSED)
def test_what_makes_no_sense_is_refused(name, given, reason):
    with pytest.raises(ValidationError, match=reason):
        process(name).Settings(**given)
