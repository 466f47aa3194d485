"""What any model of pathways does, asked of every baseline."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import connected_components

from tests.pathways import made
from tests.pathways.baselines.baseline import FLOORS, LEARNT, model, outcome

ALL = LEARNT + FLOORS
NOTHING = np.zeros((4, 4), np.float32)
ASKED = np.array([5, 3, 8, 4]), NOTHING, NOTHING > 0


@pytest.mark.parametrize("name", LEARNT)
def test_gradient_reaches_every_parameter(name):
    network = model(name)
    outcome(network, made.batch(range(24))).total.backward()

    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().max()]
    assert silent == []


@pytest.mark.parametrize("name", LEARNT)
def test_losses_and_latent_are_the_same_in_training_and_in_evaluation(name):
    network, batch = model(name), made.batch()

    training = outcome(network.train(), batch)
    with torch.no_grad():
        evaluation = outcome(network.eval(), batch)

    torch.testing.assert_close(dict(training.losses), dict(evaluation.losses))
    torch.testing.assert_close(training.total, evaluation.total)
    if training.latent is not None:
        torch.testing.assert_close(training.latent, evaluation.latent)


@pytest.mark.parametrize("name", LEARNT)
def test_a_batch_has_the_mean_of_the_losses_of_its_parts_however_they_are_padded(name):
    network = model(name)
    parts = [outcome(network, made.batch([k]), step=3) for k in range(6)]
    whole = outcome(network, made.batch(range(6)), step=3)

    for term, value in {"total": whole.total, **whole.losses}.items():
        each = [one.total if term == "total" else one.losses[term] for one in parts]
        torch.testing.assert_close(value, torch.stack(each).mean(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LEARNT)
def test_draws_are_of_the_seed_the_step_and_the_record(name):
    network, batch = model(name), made.batch()

    first, again = (network(batch, made.draws(batch, 3), 3).total for _ in range(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    later = network(batch, made.draws(batch, 4), 3).total
    assert first != later
    if name != "autoregressive":  # draws nothing of a record: what is likely is all it learns
        renamed = replace(batch, record_ids=batch.record_ids + 50)
        assert first != network(renamed, made.draws(renamed, 3), 3).total


@pytest.mark.parametrize("name", ALL)
def test_numbering_nodes_otherwise_numbers_the_scores_otherwise(name):
    network, batch = model(name).eval(), made.batch()
    keys = torch.rand(batch.mask_BN.shape).masked_fill(~batch.mask_BN, 2)
    order = keys.argsort(1)

    plain, moved = network.edge_logits(batch), network.edge_logits(batch.renumbered(order))

    rows = torch.arange(len(batch))[:, None, None]
    expected = plain[rows, order[:, :, None], order[:, None, :]]
    inside = batch.pairs_BNN
    torch.testing.assert_close(moved[inside], expected[inside], rtol=1e-4, atol=1e-5)
    assert torch.isfinite(plain[inside]).all()


@pytest.mark.parametrize("name", ALL)
def test_hidden_edges_cannot_be_seen_by_the_scores(name):
    network, batch = model(name).eval(), made.batch()
    some = torch.rand(batch.adjacency_BNN.shape) < 0.4
    hidden = some | some.mT
    turned = batch.adjacency_BNN ^ (hidden & batch.pairs_BNN)
    other = replace(batch, adjacency_BNN=turned, reactions_BNN=batch.reactions_BNN * turned,
                    reversible_BNN=batch.reversible_BNN & turned)  # fmt: skip

    scores = (network.edge_logits(one.without(hidden)) for one in (batch, other))

    torch.testing.assert_close(*scores, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["vgae", "graph_vae_mlp", "graphite"])
def test_a_hidden_pair_is_no_pair_that_is_known_to_have_no_edge(name):
    batch = made.batch()
    free = batch.pairs_BNN & ~batch.adjacency_BNN & ~batch.adjacency_BNN.mT
    marked = batch.without(free)

    scores, others = (
        [network.edge_logits(one)[free] for network in (model(name), model(name, hidden=0.0))]
        for one in (batch, marked)
    )

    assert (scores[0] - others[0]).abs().max() > 1e-4
    torch.testing.assert_close(scores[1], others[1], rtol=0, atol=0)


@pytest.mark.parametrize("name", ALL)
def test_samples_have_the_sizes_asked_for_and_depend_on_the_seed_alone(name):
    network = model(name).eval()

    first, again, other = (network.sample(*ASKED, seed=seed) for seed in (1, 1, 2))

    assert first.node_counts.tolist() == [5, 3, 8, 4]
    for field in ("nodes", "edges", "reversible", "reaction_classes"):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    assert not np.array_equal(first.nodes, other.nodes)
    assert list(first.compounds) == list(made.graphs().compounds)
    for k in range(4):
        names = first.names_of(k)
        assert len(set(names)) == first.node_counts[k], "a compound is there once"
        assert None not in names


@pytest.mark.parametrize("name", ALL)
def test_a_sample_does_not_depend_on_those_beside_it(name):
    network = model(name).eval()
    sizes, nothing = np.array([5, 8]), np.zeros((2, 4), np.float32)

    both = network.sample(sizes, nothing, nothing > 0, seed=1)
    alone = network.sample(sizes[:1], nothing[:1], nothing[:1] > 0, seed=1)

    assert both.names_of(0) == alone.names_of(0)
    np.testing.assert_array_equal(both.edges_of(0), alone.edges_of(0))


@pytest.mark.parametrize("name", LEARNT)
def test_generated_graphs_are_connected_unless_that_is_not_asked_for(name):
    sizes, nothing = np.full(60, 7), np.zeros((60, 4), np.float32)

    pieces = {
        way: _pieces(model(name, connected=way).eval().sample(sizes, nothing, nothing > 0, seed=1))
        for way in (True, False)
    }

    assert pieces[True] == [1] * 60
    assert max(pieces[False]) > 1


@pytest.mark.parametrize("name", LEARNT)
def test_an_unknown_entry_of_the_environment_is_not_read_and_is_not_zero(name):
    network, batch = model(name).eval(), made.batch()
    known = torch.tensor([True, False, True, False]).expand(6, 4)
    batch = replace(batch, known_B4=known)
    wild = replace(batch, environment_B4=torch.where(known, batch.environment_B4, 99.0))
    zero = replace(batch, known_B4=torch.ones_like(known))

    scores = network.edge_logits(batch)

    torch.testing.assert_close(network.edge_logits(wild), scores, rtol=0, atol=0)
    assert (network.edge_logits(zero) - scores).abs().max() > 1e-5


@pytest.mark.parametrize("name", LEARNT)
def test_bf16_stays_close_to_fp32(name):
    network, batch = model(name), made.batch(range(12))
    exact = outcome(network, batch).total
    with torch.autocast("cpu", torch.bfloat16):
        rough = outcome(network, batch).total

    torch.testing.assert_close(rough.float(), exact, rtol=0.03, atol=0.03)


@pytest.mark.parametrize("name", LEARNT)
def test_the_loss_falls(name):
    network, batch, losses = model(name), made.batch(range(12)), []
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for step in range(60):
        optimizer.zero_grad()
        found = network(batch, made.draws(batch, step), step)
        found.total.backward()
        optimizer.step()
        losses.append(float(found.losses["edges"].detach()))

    assert np.mean(losses[-10:]) < 0.95 * np.mean(losses[:5])


def _pieces(graphs) -> list[int]:
    return [
        connected_components(graphs.adjacency(k), directed=False)[0] for k in range(len(graphs))
    ]
