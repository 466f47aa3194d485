"""The whole model: what a batch may change, and what it may not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from assay.habitability.data.batches import splits
from assay.habitability.data.modalities import MODALITIES
from assay.habitability.pull import pulls
from assay.habitability.targets import Averages, aims
from assay.habitability.thresholds import reached
from tests.habitability import made


@pytest.fixture(scope="module")
def model(corpus, averages):
    return made.model(corpus, averages)


@pytest.fixture(scope="module")
def others(planets):
    """Negatives of every test here."""
    return splits(planets).train.batch(np.arange(40, 46))


def halves(planets, batch):
    train = splits(planets).train
    places = np.searchsorted(train.records, batch.record_ids.numpy())
    return [train.batch(part) for part in np.array_split(places, 2)]


def test_a_step_is_the_same_in_halves(model, planets, batch, others):
    """Of every part: no planet depends on how a step is cut, drawn modalities and all."""

    def parts(some):
        return model(some, made.draws(some), 3, made.negatives(others, some)).parts

    with torch.no_grad():
        whole, (one, other) = parts(batch), (parts(half) for half in halves(planets, batch))

    for name, value in whole.items():
        mean = (one[name] + other[name]) / 2
        torch.testing.assert_close(mean, value, rtol=2e-4, atol=1e-5, msg=name)


def test_every_parameter_has_a_gradient_in_whatever_batch(corpus, averages, batch, others):
    own = made.model(corpus, averages)
    bare = replace(batch, presence=torch.zeros_like(batch.presence))
    bare.presence[:, MODALITIES.index("planet_params")] = True

    own(bare, made.draws(bare), 3, made.negatives(others, bare)).total.backward()

    assert [name for name, each in own.named_parameters() if each.grad is None] == []


def test_modalities_are_hidden_in_training_alone_and_never_all(corpus, averages, batch):
    own = made.model(corpus, averages, modality_dropout=0.9)
    encoded = own.encode(batch)

    thinned = own._thinned(encoded, made.draws(batch))

    assert thinned.presence_BM.sum() < encoded.presence_BM.sum()
    assert thinned.presence_BM.any(1).all()
    assert not (thinned.presence_BM & ~encoded.presence_BM).any()
    again = own._thinned(encoded, made.draws(batch))
    assert torch.equal(again.presence_BM, thinned.presence_BM)


def test_hidden_modalities_are_still_rebuilt(corpus, averages, batch, others):
    own = made.model(corpus, averages, modality_dropout=0.9)

    with torch.no_grad():
        found = own(batch, made.draws(batch), 3, made.negatives(others, batch)).parts

    assert all(float(found[f"reconstruction/{name}"]) > 0 for name in MODALITIES)


def test_the_target_is_read_by_nobody(model, batch, others):
    """Labels and environment change losses, and nothing that is told."""
    other = replace(
        batch,
        habitability_label=1 - batch.habitability_label,
        liquid_water_label=1 - batch.liquid_water_label,
        environment=batch.environment + 1,
    )

    with torch.no_grad():
        one, again = (model.tell(model.encode(each)) for each in (batch, other))

    assert torch.equal(one.habitability.odds_BSK, again.habitability.odds_BSK)
    assert torch.equal(one.environment_B4, again.environment_B4)


def test_the_total_is_the_weighted_sum_of_the_losses(model, batch, others):
    with torch.no_grad():
        found = model(batch, made.draws(batch), None, made.negatives(others, batch))

    assert {name: float(weight) for name, weight in found.weights.items()} == pytest.approx(
        {"classification": 1.0, "reconstruction": 0.1, "physics": 0.2, "consistency": 0.15}
    )
    total = sum(found.weights[name] * loss for name, loss in found.losses.items())
    torch.testing.assert_close(found.total, total)


@pytest.mark.parametrize(
    ("fusion", "parts"),
    [("only_spectra", set()), ("only_climate_cubes", {"consistency/environment"})],
)
def test_a_floor_of_one_modality_has_no_contrast(corpus, averages, batch, fusion, parts):
    own = made.model(corpus, averages, fusion)

    found = own(batch, made.draws(batch), 0, None)

    assert {name for name in found.parts if name.startswith("consistency")} == parts
    assert ("consistency" in found.losses) == bool(parts)
    assert set(own.encoders) == {fusion.removeprefix("only_")}


def test_losses_are_seen_to_pull_without_a_trace(corpus, averages, batch, others):
    own = made.model(corpus, averages).requires_grad_(False)

    with torch.no_grad():
        found = pulls(own, batch, made.draws(batch), made.negatives(others, batch))

    for modality in MODALITIES:
        shares = [v for name, v in found.items() if name.endswith(f"/{modality}")]
        assert len(shares) == 4
        assert sum(shares) == pytest.approx(1)
    assert not any(each.requires_grad or each.grad is not None for each in own.parameters())


def test_a_loss_without_weight_pulls_at_nobody(corpus, averages, batch, others):
    own = made.model(corpus, averages, weights={"consistency": 0})

    found = pulls(own, batch, made.draws(batch), made.negatives(others, batch))

    assert found["weighted/consistency"] == 0
    assert {v for name, v in found.items() if name.startswith("share/consistency")} == {0.0}


def test_averages_are_of_planets_that_have_a_thing(planets, corpus, averages):
    train = splits(planets).train
    batch = train.batch(np.arange(len(train)))

    mean = aims(batch, corpus)["spectra"][batch.has("spectra")].mean(0)

    torch.testing.assert_close(averages.modalities["spectra"], mean, rtol=1e-4, atol=1e-5)
    share = reached(batch.habitability_label).float().mean(0)
    torch.testing.assert_close(averages.reached_K, (share * len(train) + 0.5) / (len(train) + 1))
    assert isinstance(averages, Averages)


def test_what_no_planet_has_is_0_on_average(planets, corpus):
    train = splits(planets).train

    class WithoutNetworks:
        lengths = None

        def __len__(self):
            return 10

        def batch(self, indices):
            found = train.batch(indices)
            found.presence[:, MODALITIES.index("bio_graphs")] = False
            return found

    found = Averages.of(WithoutNetworks(), corpus)

    assert not found.modalities["bio_graphs"].any()
    assert (found.spread_C == 1).all()
    assert found.modalities["climate_cubes"].any()


def test_training_begins_at_the_means(corpus, averages, batch):
    own = made.model(corpus, averages)

    with torch.no_grad():
        told = own.tell(own.encode(batch))

    off = told.modalities["climate_cubes"] - averages.modalities["climate_cubes"]
    assert float(off.square().mean()) < 0.05
    assert (told.habitability.chance_BK - averages.reached_K).abs().max() < 0.15
