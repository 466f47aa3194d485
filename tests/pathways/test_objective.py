import math
from dataclasses import replace

import pytest
import torch

from assay.pathways import objective
from assay.pathways.decoder import Decoded, Kinds, Nodes, expected_log_odds
from assay.pathways.encoder import Gaussian
from assay.pathways.means import mean, mean_of_list
from assay.pathways.metrics.validity import Limits
from tests.pathways import made


def decoded(edges: torch.Tensor) -> Decoded:
    B, N, _ = edges.shape
    nothing = torch.zeros(B, N, 4)
    return Decoded(
        nodes=Nodes(nothing, torch.zeros(B, N, 9), nothing, None, None),
        states_BND=nothing,
        near_BNN=torch.ones(B, N, N, dtype=torch.bool),
        edges_BNN=edges,
    )


def test_a_mean_is_over_what_counts_of_a_graph_and_then_over_graphs():
    values = torch.tensor([[1.0, 3.0, 99.0], [5.0, 99.0, 99.0]])
    counted = torch.tensor([[True, True, False], [True, False, False]])

    assert mean(values, counted) == (2 + 5) / 2
    assert mean(values, torch.zeros_like(counted)) == 0


def test_a_mean_of_a_list_is_that_of_the_matrix():
    values, counted = torch.randn(4, 3, 3), torch.rand(4, 3, 3) < 0.4
    counted[2] = False
    graph, row, column = torch.ones_like(counted).nonzero(as_tuple=True)
    place = (graph, row, column)

    found = mean_of_list(values[place], counted[place], graph, 4)

    torch.testing.assert_close(found, mean(values, counted))


def test_kinds_are_scored_on_edges_alone_and_a_class_where_it_is_known():
    batch = made.batch()
    place = batch.adjacency_BNN.nonzero(as_tuple=True)
    known = batch.reactions_BNN[place] > 0
    right = torch.nn.functional.one_hot(batch.reactions_BNN[place], 8) * 60.0
    sure = batch.reversible_BNN[place] * 60.0 - 30
    assert known.any()
    assert not known.all(), "of some edges the class is not known"

    def loss(reversible, reactions):
        return float(objective.types(Kinds(place, reversible, reactions), batch))

    assert loss(sure, right) == pytest.approx(0, abs=1e-6)
    assert loss(-sure, right) == pytest.approx(30, rel=1e-5)
    assert loss(0 * sure, right) == pytest.approx(math.log(2))
    unknown_wrong = torch.where(known[:, None], right, right.roll(1, 1))
    assert loss(sure, unknown_wrong) == pytest.approx(0, abs=1e-6)
    assert loss(sure, 0 * right) == pytest.approx(math.log(8))


def test_every_pair_counts_and_edges_count_by_their_weight():
    batch = made.batch()

    plain = objective.edges(decoded(torch.zeros_like(batch.pairs_BNN).float()), batch, 1.0)
    sure = objective.edges(decoded(batch.adjacency_BNN * 40.0 - 20), batch, 4.0)

    assert plain == pytest.approx(math.log(2))
    assert sure < 1e-6


def test_a_false_edge_costs_as_a_missing_one_does():
    batch = made.batch([0])
    right = batch.adjacency_BNN * 8.0 - 4
    u, v = (int(k) for k in (batch.pairs_BNN[0] & ~batch.adjacency_BNN[0]).nonzero()[0])
    s, t = (int(k) for k in batch.adjacency_BNN[0].nonzero()[0])
    false, missing = right.clone(), right.clone()
    false[0, u, v], missing[0, s, t] = 4.0, -4.0

    losses = [objective.edges(decoded(each), batch, 1.0) for each in (right, false, missing)]

    assert losses[1] > losses[0] + 0.01
    torch.testing.assert_close(losses[1], losses[2])


@pytest.mark.parametrize("weight", [1.0, 3.0, 10.0])
def test_whatever_edges_weigh_the_best_log_odds_are_those_of_the_data(weight):
    batch = made.batch([0])
    density = batch.adjacency_BNN.sum() / batch.pairs_BNN.sum()
    at_data = torch.logit(density).clone().requires_grad_()

    pairs = at_data * torch.ones_like(batch.adjacency_BNN, dtype=torch.float32)
    objective.edges(decoded(pairs), batch, weight).backward()

    assert at_data.grad == pytest.approx(0, abs=1e-6)


def test_free_bits_cost_the_same_as_none():
    at_prior, free = Gaussian(torch.zeros(2, 3, 4), torch.zeros(2, 3, 4)), 0.1
    mask = torch.tensor([[True, True, False], [True, True, True]])
    wild = replace(at_prior, mean=torch.where(mask[..., None], 0.0, 99.0))
    graph = torch.full((2, 4), 0.5)

    for drawn in (False, True):
        found = objective.divergence(wild, mask, graph, free, drawn)
        assert found == pytest.approx((0.1 + 0.5) / 2)
        assert objective.divergence(None, mask, graph, free, drawn) == 0.5


def test_of_estimates_by_one_draw_none_are_free():
    """The mean of a draw that is cut off below is another than that of the divergence."""
    draws = torch.tensor([[-0.3], [0.1]], requires_grad=True)
    mask = torch.ones(2, 1, dtype=torch.bool)

    mean = objective.divergence(None, mask, draws, 0.05, drawn=True)
    mean.backward()

    assert float(mean.detach()) == pytest.approx(-0.1)
    assert draws.grad is not None
    assert draws.grad.flatten().tolist() == [0.5, 0.5]
    cut = objective.divergence(None, mask, draws.detach(), 0.05, drawn=False)
    assert float(cut) == pytest.approx((0.05 + 0.1) / 2)


def test_the_divergence_is_that_of_gaussians():
    one = Gaussian(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, -1.0]]))
    ours = torch.distributions.Normal(one.mean, (0.5 * one.log_variance).exp())
    prior = torch.distributions.Normal(0.0, 1.0)

    torch.testing.assert_close(one.kl(), torch.distributions.kl_divergence(ours, prior))
    values = torch.tensor([[0.3, 0.4]])
    torch.testing.assert_close(one.log_density(values), ours.log_prob(values).sum(1))


def test_degrees_of_real_nodes_cost_nothing_and_others_do():
    batch = made.batch([0])
    corpus = replace(made.corpus(), limits=Limits(in_degree=9, out_degree=9, conserved=None))
    real = decoded(batch.adjacency_BNN * 60.0 - 30)
    none = decoded(torch.full_like(real.edges_BNN, -30.0))
    every = decoded(torch.full_like(real.edges_BNN, 30.0))
    tight = replace(corpus, limits=Limits(in_degree=1, out_degree=1, conserved=None))
    N = int(batch.mask_BN.sum())

    assert objective.degree(real, batch, corpus) == pytest.approx(0, abs=1e-6)
    assert objective.degree(none, batch, corpus) == pytest.approx(1)
    assert objective.degree(every, batch, tight) == pytest.approx(2 * (N - 2) ** 2)


def test_edges_between_like_formulas_conserve_and_others_lose():
    batch = made.batch([0])
    there = batch.mask_BN[..., None].float()
    alike = (there * torch.tensor([2.0, 1.0, 1.0, 0.0, 0.0])).log1p()
    apart = alike.clone()
    apart[0, 0] = torch.tensor([0.0, 0.0, 0.0, 5.0, 0.0]).log1p()
    sure = batch.adjacency_BNN * 60.0 - 30

    def lost(atoms):
        return objective.elements(atoms, sure, batch, atoms.expm1(), batch.mask_BN)

    assert lost(alike) == pytest.approx(0, abs=1e-3)
    of_node = batch.adjacency_BNN[0, 0].sum() + batch.adjacency_BNN[0, :, 0].sum()
    assert lost(apart) == pytest.approx(float(of_node / batch.adjacency_BNN.sum()), abs=1e-3)
    assert objective.elements(alike, sure, batch, torch.zeros_like(alike), batch.mask_BN) > 0.1


def test_views_that_agree_are_told_apart_from_views_that_do_not():
    mask = torch.tensor([[True, True, True, False]])
    view = torch.eye(4)[None]

    same, other = (
        objective.contrast(view, view[:, order], mask) for order in ([0, 1, 2, 3], [1, 2, 0, 3])
    )

    assert same == pytest.approx(math.log(1 + 2 * math.exp(-2)), rel=1e-5)
    assert other > same + 1


def test_the_more_spread_the_nearer_to_even_odds():
    draws = torch.randn(200_000)
    for mean_, variance in ((2.0, 1.0), (-1.0, 4.0)):
        exact = (mean_ + variance**0.5 * draws).sigmoid().mean()
        found = expected_log_odds(torch.tensor(mean_), torch.tensor(variance)).sigmoid()
        assert found == pytest.approx(float(exact), abs=0.02)
    assert expected_log_odds(torch.tensor(3.0), torch.tensor(0.0)) == 3
