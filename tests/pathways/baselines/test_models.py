"""What each of the published models does that others do not."""

import pytest
import torch

from assay.config import validate
from assay.errors import ConfigError, DataError
from assay.pathways.baselines import autoregressive, diffusion, heads
from assay.pathways.baselines.convolution import Convolutions, directed, symmetric
from assay.pathways.batches import PathwayBatch
from assay.pathways.metrics.links import Scored, reversed_edges
from assay.pathways.settings import model_class
from assay.training.draws import Draws
from tests.pathways import made
from tests.pathways.baselines.baseline import LEARNT, TINY, model

ENVIRONMENT = torch.zeros(4, 4), torch.zeros(4, 4, dtype=torch.bool)
MASK = torch.arange(6) < torch.tensor([6, 5, 3, 6])[:, None]
DRAWS = Draws(1, 0, torch.arange(4))


def reversed_auc(name: str) -> float:
    batch = made.batch(range(24))
    scores = model(name).eval().edge_logits(batch).detach().numpy()
    edges = batch.adjacency_BNN.numpy()
    scored = [Scored(e, s) for e, s in zip(edges, scores, strict=True)]
    return reversed_edges(scored, list(edges))["reversed_edge/auc"].value


@pytest.mark.parametrize("name", ["vgae", "graphite"])
def test_inner_products_cannot_tell_an_edge_from_its_reverse(name):
    network, batch = model(name, latents=16).eval(), made.batch(range(60), count=60, most=40)
    scores = network.edge_logits(batch)

    torch.testing.assert_close(scores, scores.mT, rtol=0, atol=0)
    assert reversed_auc(name) == 0.5


@pytest.mark.parametrize("name", ["graph_vae_mlp", "autoregressive", "diffusion"])
def test_the_others_score_an_edge_and_its_reverse_by_themselves(name):
    assert reversed_auc(name) != 0.5


def test_a_convolution_is_that_of_kipf_and_welling():
    batch = made.batch()
    layer = Convolutions(3, depth=1, relations=1)
    x = torch.randn(*batch.mask_BN.shape, 3) * batch.mask_BN.unsqueeze(-1)
    A = (batch.adjacency_BNN | batch.adjacency_BNN.mT)[0].float() + torch.eye(8)
    A *= batch.mask_BN[0][:, None] & batch.mask_BN[0][None]
    D = torch.diag(A.sum(1).clamp(min=1) ** -0.5)

    found = layer(x, (symmetric(batch),))[0]

    linear = layer.relations[0][0]
    torch.testing.assert_close(found, torch.relu(D @ A @ D @ linear(x[0])), rtol=1e-5, atol=1e-6)


def test_directed_convolutions_tell_along_from_against_and_reversible_from_irreversible():
    batch = made.batch()
    forward, backward, forward_both, backward_both = directed(batch)

    one_way = batch.adjacency_BNN & ~batch.reversible_BNN
    torch.testing.assert_close(forward > 0, one_way.mT)
    torch.testing.assert_close(backward > 0, one_way)
    torch.testing.assert_close(forward_both > 0, batch.reversible_BNN.mT)
    torch.testing.assert_close(backward_both > 0, batch.reversible_BNN)
    sums = forward.sum(-1)
    torch.testing.assert_close(sums[sums > 0], torch.ones_like(sums[sums > 0]))


def test_rounds_of_graphite_change_the_latents():
    batch, z = made.batch(), torch.randn(6, 8, 4)
    told = torch.zeros(6, 16)

    once, twice = (
        model("graphite", rounds=rounds).decode(z, batch.mask_BN, told).edges_BNN
        for rounds in (1, 2)
    )

    assert (once - twice)[batch.pairs_BNN].abs().max() > 1e-4


def test_a_graph_larger_than_any_of_training_is_one_sentence():
    network = model("graph_vae_mlp")
    larger = made.batch(range(24), most=12)

    with pytest.raises(DataError, match="a graph has 12 nodes, and the largest training graph"):
        network.edge_logits(larger)


def test_the_states_of_a_pair_are_its_two_edges():
    batch = made.batch()
    states = autoregressive.states_of(batch.adjacency_BNN)
    certain = torch.nn.functional.one_hot(states, 4) * 20.0

    found = autoregressive.log_odds(certain) > 0

    torch.testing.assert_close(found[batch.pairs_BNN], batch.adjacency_BNN[batch.pairs_BNN])


@torch.no_grad()
def test_an_autoregressive_model_draws_what_it_scores():
    network = model("autoregressive", connected=False).eval()
    made_ones = network.generate(MASK, *ENVIRONMENT, DRAWS)
    features, classes = heads.looked_up(made.corpus(), made_ones.compounds_BN)
    nothing = torch.zeros_like(made_ones.adjacency_BNN)
    again = PathwayBatch(
        torch.arange(4), MASK, made_ones.compounds_BN, classes, features,
        made_ones.adjacency_BNN, nothing, nothing, nothing.long(), nothing, *ENVIRONMENT,
    )  # fmt: skip

    logits = network._foretold(again)[2]

    states = autoregressive.states_of(made_ones.adjacency_BNN)
    for n in range(1, 6):
        there = MASK[:, n]
        for j in range(n):
            drawn = DRAWS.categorical(f"pair {n} {j}", logits[:, n, j].softmax(-1))
            assert drawn[there].tolist() == states[there, n, j].tolist()


def test_an_edge_of_an_autoregressive_model_is_scored_by_what_is_before_it():
    network = model("autoregressive").eval()
    batch = made.batch(range(24))
    batch = batch.renumbered(autoregressive.breadth_first(batch))

    before, _, logits = network._foretold(batch)
    later = torch.zeros_like(batch.adjacency_BNN)
    later[:, 5:, :] = later[:, :, 5:] = True  # all that nodes from the sixth on take and give
    without = network._foretold(batch.without(later))

    torch.testing.assert_close(without[0][:, :6], before[:, :6], rtol=0, atol=0)
    for n in range(1, 5):
        torch.testing.assert_close(without[2][:, n, :n], logits[:, n, :n], rtol=0, atol=0)
    assert (without[2] - logits)[:, 6:].abs().max() > 1e-4


def test_states_of_the_diffusion_are_edges_and_their_kind():
    batch = made.batch()
    states = diffusion.states_of(batch)

    torch.testing.assert_close(states > 0, batch.adjacency_BNN)
    torch.testing.assert_close(states == 2, batch.reversible_BNN)
    torch.testing.assert_close(
        diffusion.log_odds(torch.nn.functional.one_hot(states, 3) * 20.0) > 0, states > 0
    )


def test_structure_counts_degrees_and_closed_walks():
    ring = torch.zeros(1, 4, 4, dtype=torch.bool)
    ring[0, [0, 1, 2], [1, 2, 0]] = True  # a directed triangle, and a node apart
    found = diffusion.structure(ring).expm1()[0].round()

    assert found[0].tolist() == [1, 1, 0, 1, 0, 0], "degrees, and closed walks of 2, 3, 4, 5 steps"
    assert found[3].tolist() == [0] * 6


def test_a_denoiser_that_knows_the_graph_leads_the_noise_back_to_it(monkeypatch):
    network = model("diffusion", connected=False, steps=12)
    truth = torch.zeros(4, 6, 6, dtype=torch.int64)
    truth[:, [0, 1, 2], [1, 2, 0]] = torch.tensor([1, 2, 1])
    certain = torch.nn.functional.one_hot(truth, 3) * 50.0

    def knows(compounds_BN, *others):
        return diffusion.Denoised(torch.zeros(4, 6, 16), certain, torch.zeros(4, 6, 6, 8))

    monkeypatch.setattr(network, "_denoised", knows)
    with torch.no_grad():
        found = network.generate(torch.ones(4, 6, dtype=torch.bool), *ENVIRONMENT, DRAWS)

    torch.testing.assert_close(found.adjacency_BNN, truth > 0)
    torch.testing.assert_close(found.reversible_BNN & found.adjacency_BNN, truth == 2)


def test_pieces_are_joined_by_the_likeliest_edges_and_by_no_more():
    adjacency = torch.zeros(1, 4, 4, dtype=torch.bool)
    adjacency[0, [0, 2], [1, 3]] = True
    logits = torch.full((1, 4, 4), -3.0)
    logits[0, 3, 1] = -1.0

    found = heads.joined(adjacency, logits, heads.inside(torch.ones(1, 4, dtype=torch.bool)))

    expected = adjacency.clone()
    expected[0, 3, 1] = True
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", LEARNT)
def test_unknown_settings_are_one_sentence(name):
    settings = model_class(name).Settings
    key = next(iter(TINY[name]))

    with pytest.raises(ConfigError, match=f"unknown key '{key}s?x'; did you mean '{key}'"):
        validate(settings, {f"{key}x": 1}, "settings.model")
    with pytest.raises(ConfigError, match="there is xs, s, m, l"):
        validate(settings, {"size": "xl"}, "settings.model")


def test_a_width_that_heads_do_not_share_is_one_sentence():
    with pytest.raises(ConfigError, match="width 18 is no multiple of heads 4"):
        validate(model_class("diffusion").Settings, {"width": 18, "heads": 4}, "settings.model")
