"""What each encoder makes of its modality."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import pad

from assay.habitability.data.batches import splits, tokenize_bytes
from assay.habitability.data.modalities import MODALITIES
from assay.habitability.data.samples import pathways_in
from assay.habitability.encoders.cube import CubeEncoder
from assay.habitability.encoders.graph import GraphEncoder
from assay.habitability.encoders.text import TextEncoder
from assay.habitability.model import encoder
from assay.habitability.model_settings import ModelSettings
from assay.habitability.networks import networks_of
from assay.pathways.batches import splits as pathway_splits
from tests.habitability import made

SETTINGS = ModelSettings.model_validate(made.TINY)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("modality", MODALITIES)
def test_tokens_are_finite_also_of_planets_that_lack_the_modality(batch, corpus, modality):
    tokens = encoder(modality, SETTINGS, corpus)(batch)

    assert not batch.has(modality).all()
    assert tokens.x_BTD.shape == (*tokens.mask_BT.shape, SETTINGS.width)
    assert torch.isfinite(tokens.x_BTD).all()
    assert tokens.mask_BT[batch.has(modality)].any(1).all()


@pytest.mark.parametrize("modality", MODALITIES)
def test_no_planet_depends_on_the_others_of_its_batch(planets, batch, corpus, modality):
    read = encoder(modality, SETTINGS, corpus)
    alone = splits(planets).train
    place = int(np.flatnonzero(alone.records == int(batch.record_ids[-1]))[0])

    among, one = read(batch), read(alone.batch(np.array([place])))

    n = one.mask_BT.shape[1]
    torch.testing.assert_close(among.x_BTD[-1:, :n], one.x_BTD, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("axis", "token_axis"), [(3, 3), (4, 4)])
def test_a_planet_may_be_turned_and_its_year_begun_elsewhere(batch, axis, token_axis):
    read = CubeEncoder(16)

    turned = read.convolved(batch.climate_cubes.roll(4, axis))

    straight = read.convolved(batch.climate_cubes)
    torch.testing.assert_close(turned, straight.roll(1, token_axis), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(turned, straight, atol=1e-3)


def test_padding_a_text_further_changes_no_token(batch):
    read = TextEncoder(16, depth=2, heads=2)
    longer = replace(
        batch,
        input_ids=pad(batch.input_ids, (0, 10)),
        attention_mask=pad(batch.attention_mask, (0, 10)),
    )

    short, long = read(batch), read(longer)

    there = short.mask_BT
    n = there.shape[1]
    assert long.mask_BT.sum() == there.sum()
    torch.testing.assert_close(long.x_BTD[:, :n][there], short.x_BTD[there], rtol=1e-4, atol=1e-5)


def test_a_text_is_read_in_its_order():
    read = TextEncoder(16, depth=1, heads=2)
    (one, there), (other, _) = (tokenize_bytes([t]) for t in ("hot and dry", "dry and hot"))

    def pooled(ids):
        fake = type("Texts", (), {"input_ids": ids, "attention_mask": there})()
        return read(fake).x_BTD.mean(1)

    assert not torch.allclose(pooled(one), pooled(other), atol=1e-3)


def test_networks_are_those_that_the_graph_vae_is_trained_on(planets, corpus):
    train = splits(planets).train
    with_graph = np.flatnonzero(planets.arrays["graph_of"][train.records] >= 0)[:6]
    batch = train.batch(with_graph)
    graph_of = planets.arrays["graph_of"][batch.record_ids.numpy()]
    every = pathway_splits(pathways_in(planets)).train
    places = np.searchsorted(every.record_ids, graph_of)

    found, due = networks_of(batch, corpus), every.batch(places)

    unlike = {"record_ids", "environment_B4", "known_B4"}
    for name, value in vars(due).items():
        if name not in unlike:
            torch.testing.assert_close(getattr(found, name), value, msg=name)


def test_no_network_is_told_of_its_environment(batch, corpus):
    found = networks_of(batch, corpus)

    assert batch.environment_known.any()
    assert not found.known_B4.any()
    assert not found.environment_B4.any()


def test_a_planet_without_a_network_has_one_node_without_a_name(batch, corpus):
    found = networks_of(batch, corpus)

    absent = ~batch.has("bio_graphs")
    assert found.mask_BN[absent].sum(1).tolist() == [1] * int(absent.sum())
    assert (found.compounds_BN[absent] == -1).all()
    assert not found.adjacency_BNN[absent].any()


def test_doubt_closes_the_gate_of_a_network(corpus):
    read = GraphEncoder(SETTINGS.graph, corpus, 16)

    entries = read.certainty.in_features
    with torch.no_grad():
        sure, unsure = (read.certainty(torch.full((1, entries), v)).sigmoid() for v in (-6.0, 0.0))

    assert float(sure) > 0.99
    assert float(unsure) == pytest.approx(0.5)


def test_the_token_of_a_network_is_as_large_as_its_gate_is_open(batch, corpus):
    read = GraphEncoder(SETTINGS.graph, corpus, 16)

    @torch.no_grad()
    def token_BD(doubt: float):
        """Read a batch whose log variances are all larger by so much."""

        def doubting(module, given, posterior):
            more = {
                name: replace(each, log_variance=each.log_variance + doubt)
                for name in ("graph", "nodes")
                if (each := getattr(posterior, name)) is not None
            }
            return replace(posterior, **more)

        hook = read.vae.encoder.register_forward_hook(doubting)
        try:
            return read(batch).x_BTD[:, 0]
        finally:
            hook.remove()

    whole_BD = token_BD(-60.0)
    gate_B = {}
    for doubt in (0.0, 2.0):
        found_BD = token_BD(doubt)
        gate_B[doubt] = (found_BD * whole_BD).sum(1) / whole_BD.square().sum(1)
        torch.testing.assert_close(found_BD, gate_B[doubt][:, None] * whole_BD)
    # Each of the entries counts alike to begin with, so that the log odds fall by the doubt.
    torch.testing.assert_close(gate_B[2.0].logit(), gate_B[0.0].logit() - 2, rtol=0, atol=1e-3)
    torch.testing.assert_close(token_BD(60.0), torch.zeros_like(whole_BD))
    assert whole_BD.abs().mean() > 0.1


def test_what_the_graph_vae_loses_is_a_mean_over_all_planets(batch, corpus):
    read = GraphEncoder(SETTINGS.graph, corpus, 16)
    has = batch.has("bio_graphs")

    none = replace(batch, presence=torch.zeros_like(batch.presence))
    with torch.no_grad():
        own, degree = read.losses(batch, made.draws(batch), None)
        nothing = read.losses(none, made.draws(batch), None)

    assert [float(each) for each in nothing] == [0, 0]
    assert 0 < float(has.float().mean()) < 1
    assert float(own) > 0
    assert degree.shape == ()


def test_the_weight_of_degrees_counts(batch, corpus):
    read = GraphEncoder(SETTINGS.graph, corpus, 16)
    weights = read.vae.own.weights
    thrice = read.vae.own.model_copy(
        update={"weights": weights.model_copy(update={"degree": 3 * weights.degree})}
    )

    def outside(module, given, outcome):
        """The degrees of networks that were drawn anew are within what they may be."""
        own = outcome.total - module.own.weights.degree * outcome.losses["degree"]
        return outcome._replace(
            total=own + 0.5 * module.own.weights.degree,
            losses={**outcome.losses, "degree": torch.tensor(0.5)},
        )

    read.vae.register_forward_hook(outside)
    with torch.no_grad():
        own, degree = read.losses(batch, made.draws(batch), None)
        read.vae.own = thrice
        same, larger = read.losses(batch, made.draws(batch), None)

    assert float(degree) > 0
    torch.testing.assert_close(larger, 3 * degree)
    torch.testing.assert_close(same, own)
