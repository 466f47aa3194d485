"""Each loss is 0 on ideal input, above on a violated one, and reaches whom it should."""

from dataclasses import replace

import pytest
import torch

from assay.habitability.data.modalities import CUBE_VARIABLES, MODALITIES
from assay.habitability.harmonics import COEFFICIENTS, Harmonics
from assay.habitability.heads import Foretold
from assay.habitability.losses import classification, consistency, physics, reconstruction
from assay.habitability.targets import aims
from assay.habitability.thresholds import reached
from tests.habitability import made

SURE = 30.0
"""Log odds."""
EVERYONE = set(MODALITIES)


def odds(batch, sign: float = 1.0) -> Foretold:
    """What is foretold for certain: rightly, or wrongly."""
    said = sign * SURE * (2 * reached(batch.habitability_label).float() - 1)
    return Foretold(said[:, None], torch.ones(len(batch), 1))


def told_rightly(batch, corpus):
    found = aims(batch, corpus)
    return {**found, "text_descriptions": SURE * (2 * found["text_descriptions"] - 1)}


def test_habitability_foretold_for_certain_costs_nothing_if_it_is_right(batch):
    assert float(classification.habitability(odds(batch), batch)) < 1e-6
    assert float(classification.habitability(odds(batch, -1), batch)) == pytest.approx(SURE)


def test_members_are_judged_apart(batch):
    right, wrong = odds(batch), odds(batch, -1)
    both = Foretold(
        torch.cat([right.odds_BSK, wrong.odds_BSK], 1), torch.tensor([[0.75, 0.25]]).expand(8, 2)
    )

    assert float(classification.habitability(both, batch)) == pytest.approx(SURE / 4)


def test_liquid_water_and_environment_are_squared_errors_of_what_is_known(batch):
    right = batch.liquid_water_label
    off = batch.environment + 0.5

    assert float(classification.liquid_water(right, batch)) == 0
    assert float(classification.liquid_water(right + 0.1, batch)) == pytest.approx(0.01, rel=1e-4)
    assert float(classification.environment(batch.environment, batch)) == 0
    some = float(batch.environment_known.any(1).float().mean())
    assert float(classification.environment(off, batch)) == pytest.approx(0.25 * some, rel=1e-4)
    both = batch.environment_known.any(1) & batch.has("climate_cubes")
    climate = classification.environment_from_climate(off, batch)
    assert float(climate) == pytest.approx(0.25 * float(both.float().mean()), rel=1e-4)


def test_a_modality_that_is_rebuilt_exactly_costs_nothing(batch, corpus, averages):
    said, spread = told_rightly(batch, corpus), averages.spread_C

    errors = reconstruction.errors(said, aims(batch, corpus), spread)
    assert all(float(each.max()) < 1e-6 for each in errors.values())

    off = {name: value + 0.5 * spread if name == "bio_graphs" else value + 0.5 for name, value in
           said.items()}  # fmt: skip
    costs = reconstruction.losses(reconstruction.errors(off, aims(batch, corpus), spread), batch)
    for name in MODALITIES:
        share = float(batch.has(name).float().mean())
        if name != "text_descriptions":
            assert float(costs[name]) == pytest.approx(0.25 * share, rel=1e-3), name
    wrong = {**said, "text_descriptions": -said["text_descriptions"]}
    error = reconstruction.errors(wrong, aims(batch, corpus), spread)["text_descriptions"]
    assert float(error.min()) == pytest.approx(SURE)


def test_a_climate_that_has_settled_is_physical(batch):
    cubes = batch.climate_cubes[batch.has("climate_cubes")]
    kept = replace(batch, climate_cubes=batch.climate_cubes)

    assert len(cubes) > 4
    assert float(physics.energy(cubes)) < 1e-4
    assert float(physics.bounds(cubes)) == 0
    absent = ~batch.has("climate_cubes") & batch.has("planet_params")
    found = float(physics.hydrostatics(batch.climate_cubes, kept))
    # Zeros in place of a missing cube are no column of air; all real ones are.
    assert (found < 1e-6) == (not bool(absent.any()))


def test_what_a_climate_violates_is_counted_in_its_own_units(batch):
    cubes = batch.climate_cubes
    there = replace(batch, presence=torch.ones_like(batch.presence))
    absorbed, height, warm = (
        CUBE_VARIABLES[v] for v in (physics.ABSORBED, physics.HEIGHT, physics.TEMPERATURE)
    )

    lit = cubes.clone()
    lit[:, physics.ABSORBED] += 10 / absorbed.scale
    extra = physics.imbalance_W_m2(lit) - physics.imbalance_W_m2(cubes)
    torch.testing.assert_close(extra, torch.full_like(extra, 10.0), rtol=1e-3, atol=1e-2)
    assert float(physics.energy(lit)) > float(physics.energy(cubes))

    hot = torch.zeros_like(cubes)
    hot[:, physics.TEMPERATURE] = (warm.high + 20 - warm.centre) / warm.scale
    assert float(physics.bounds(hot)) == pytest.approx((20 / warm.scale) ** 2 / 5, rel=1e-4)

    whole = batch.has("climate_cubes") & batch.has("planet_params")
    some = replace(there, planet_params=batch.planet_params[whole], presence=there.presence[whole])
    tall = cubes[whole].clone()
    tall[:, physics.HEIGHT] += 250 / height.scale
    assert float(physics.hydrostatics(tall, some)) == pytest.approx(0.01, rel=1e-3)
    assert float(physics.hydrostatics(cubes[whole], some)) < 1e-8


def test_a_planet_that_is_like_itself_and_unlike_others_has_no_contrast():
    one = torch.tensor([1.0, 0.0]).expand(2, 5, 2)
    others = torch.tensor([[0.0, 1.0], [0.0, -1.0], [-0.5, 0.0]])[:, None].expand(3, 5, 2)
    there = torch.ones(2, 5, dtype=torch.bool)
    nobody = torch.zeros(2, 3, dtype=torch.bool)

    def cost(own, other, alike=nobody):
        presence = torch.ones(3, 5, dtype=torch.bool)
        return float(consistency.contrast(own, there, other, presence, alike, 0.02))

    assert cost(one, others) < 1e-6
    assert cost(one + 100, others + 100) < 1e-6, "what all share does not count"
    assert cost(one, one[:1].expand(3, 5, 2)) == pytest.approx(torch.tensor(4.0).log().item())
    assert cost(one, one[:1].expand(3, 5, 2), ~nobody) == 0


def test_a_contrast_is_of_modalities_that_are_there():
    torch.manual_seed(0)
    own, other = torch.randn(2, 5, 4), torch.randn(3, 5, 4)
    nobody, all_three = torch.zeros(2, 3, dtype=torch.bool), torch.ones(3, 5, dtype=torch.bool)
    there = torch.tensor([[True, True, False, False, False], [True] + 4 * [False]])
    x, y = (torch.nn.functional.normalize(each - other.mean(0), dim=-1) for each in (own, other))

    found = consistency.contrast(own, there, other, all_three, nobody, 0.5)

    def by_hand(i: int, j: int) -> torch.Tensor:
        scores = torch.cat([(x[0, i] @ x[0, j]).reshape(1), y[:, j] @ x[0, i]]) / 0.5
        return -scores.log_softmax(0)[0]

    # The second planet has one modality: no pair, and so 0.
    assert float(found) == pytest.approx(float(by_hand(0, 1) + by_hand(1, 0)) / 2 / 2, rel=1e-5)


def test_what_bfloat16_would_round_away_is_computed_in_float32():
    """Cosines over a temperature, balances of some 300 W/m², and cubes from which they are read."""
    torch.manual_seed(0)
    own, other, cubes = torch.randn(4, 5, 8), torch.randn(6, 5, 8), torch.randn(4, 5, 18, 12, 12)
    there, others = torch.ones(4, 5, dtype=torch.bool), torch.ones(6, 5, dtype=torch.bool)
    nobody = torch.zeros(4, 6, dtype=torch.bool)
    coefficients = torch.randn(4, COEFFICIENTS)

    def found():
        return (
            consistency.contrast(own, there, other, others, nobody, 0.1),
            physics.imbalance_W_m2(cubes),
            Harmonics()(coefficients),
        )

    whole = found()
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = found()

    for expected, each in zip(whole, under_autocast, strict=True):
        assert torch.equal(each, expected)


@pytest.fixture(scope="module")
def outcome(batch, corpus, averages):
    """A model of unphysical climates and crowded networks: every part of every loss is above 0."""
    model = made.model(corpus, averages)
    model.heads.get_buffer("mean_climate_cubes").add_(15.0)
    with torch.no_grad():
        model.get_parameter("encoders.bio_graphs.vae.decoder.heads.density").add_(3.0)
    return model, model(batch, made.draws(batch), None, made.negatives(batch, batch))


@pytest.mark.parametrize(
    ("part", "reached_by"),
    [
        ("classification/habitability", EVERYONE),
        ("classification/liquid_water", EVERYONE),
        ("classification/environment", EVERYONE),
        *((f"reconstruction/{name}", EVERYONE) for name in MODALITIES),
        ("reconstruction/graph_vae", {"bio_graphs"}),
        ("physics/energy", EVERYONE),
        ("physics/bounds", EVERYONE),
        ("physics/hydrostatics", EVERYONE),
        ("physics/degree", {"bio_graphs"}),
        ("consistency/contrast", EVERYONE),
        ("consistency/environment", {"climate_cubes"}),
    ],
)
def test_a_loss_reaches_the_encoders_that_it_should_and_no_other(outcome, part, reached_by):
    model, found = outcome
    value = found.parts[part]

    def moved(module) -> bool:
        parameters = list(module.parameters())
        slopes = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
        return any(slope is not None and bool(slope.abs().max() > 0) for slope in slopes)

    assert float(value.detach()) > 0
    assert {name for name, each in model.encoders.items() if moved(each)} == reached_by
    through_fusion = not part.startswith("consistency") and len(reached_by) > 1
    assert moved(model.fusion) == through_fusion


def test_every_part_was_tried(outcome):
    _, found = outcome
    tried = test_a_loss_reaches_the_encoders_that_it_should_and_no_other.pytestmark[0].args[1]

    assert set(found.parts) == {part for part, _ in tried}
    assert set(found.losses) == {"classification", "reconstruction", "physics", "consistency"}
