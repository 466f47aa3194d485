import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from assay.config import validate
from assay.errors import ConfigError
from assay.pathways import encoder
from assay.pathways.evaluation import FOLDS, linked
from assay.pathways.graph_vae import GraphVAE
from assay.pathways.metrics.links import Scored, reversed_edges
from assay.pathways.objective import Weights
from assay.training.draws import Draws
from assay.training.meter import FlopTable
from tests.pathways import made

OFF = dict.fromkeys(Weights.model_fields, 0.0) | {"edges": 1.0}
TERMS = [name for name in Weights.model_fields if name != "edges"]
PARTS = {
    "refinement": {"rounds": 2},
    "flow": {"flow": 2, "named": False, "weights": OFF | {"kl": 0.1}},
    "ode": {"ode_steps": 2},
    "places": {"latents": {"nodes": 0, "local": 2, "globally": 2}, "named": False},
    "unnamed": {"named": False},
    "undirected": {"directed": False},
    "sure": {"uncertain": False},
    "no encodings": {"encodings": {"laplacian": 0, "magnetic": 0}},
    "film": {"environment": "film"},
    "concatenation": {"environment": "concatenation"},
    "no environment": {"environment": "none"},
    "all in sight": {"hidden": 0.0},
    "sparse": {"sparsity": {"beyond": 5, "candidates": 2}, "rounds": 1},
    "all terms": {"rounds": 1, "flow": 2, "weights": dict.fromkeys(Weights.model_fields, 0.5)},
}

FEW = ("refinement", "ode", "places", "no encodings", "sparse", "all terms")
"""Those that differ in what a forward pass is made of."""


def outcome(model: GraphVAE, batch, step=None):
    return model(batch, made.draws(batch), step)


def gradient(model: GraphVAE, batch) -> dict[str, torch.Tensor]:
    """Of the total, by parameter, as one vector would be compared."""
    model.zero_grad()
    outcome(model, batch).total.backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", TERMS)
def test_every_term_changes_the_gradients_of_the_encoder_or_decoder(name):
    batch = made.batch()
    without, with_it = (made.vae(named=False, weights=OFF | {name: w}) for w in (0.0, 1.0))
    shared = dict(without.named_parameters()).keys() & dict(with_it.named_parameters()).keys()
    with torch.no_grad():  # the same parameters where both have them
        own = dict(without.named_parameters())
        for key, value in with_it.named_parameters():
            if key in shared:
                value.copy_(own[key])
        for model in (without, with_it):  # so few edges that nodes have none
            model.decoder.heads.density -= 4

    before, after = gradient(without, batch), gradient(with_it, batch)

    changed = [
        n for n in shared & after.keys()
        if n not in before or not torch.allclose(before[n], after[n], rtol=1e-3, atol=1e-8)
    ]  # fmt: skip
    assert [n for n in changed if n.startswith(("encoder", "decoder"))]
    assert set(outcome(with_it, batch).losses) == {"edges", name}


@pytest.mark.parametrize("name", TERMS)
def test_a_term_of_weight_0_is_not_computed(name, monkeypatch):
    from assay.pathways import matching, modules, objective

    def never(*given, **named):
        raise AssertionError

    model, batch = made.vae(named=False, weights=OFF), made.batch()
    for place in (objective, matching, modules):
        for function in (*TERMS, "divergence", "plan", "loss"):
            monkeypatch.setattr(place, function, never, raising=False)
    monkeypatch.setattr(GraphVAE, "_adversarial", never)

    assert set(outcome(model, batch).losses) == {"edges"}


@pytest.mark.parametrize("part", PARTS)
def test_gradient_reaches_every_parameter(part):
    model = made.vae(**PARTS[part])
    with torch.no_grad():  # what begins as 0 lets nothing through to what is before it
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)

    found = gradient(model, made.batch(range(24)))

    silent = {n for n, _ in model.named_parameters() if n not in found or not found[n].abs().max()}
    # Of a part that is switched off by hand the names of compounds are not learnt.
    names = ("decoder.key", "decoder.popularity", "decoder.nodes.query")
    off = {n for n in silent if part == "flow" and n.startswith(names)}
    assert silent == off


@pytest.mark.parametrize("part", FEW)
def test_losses_and_latent_are_the_same_in_training_and_in_evaluation(part):
    model, batch = made.vae(**PARTS[part]), made.batch()

    training = outcome(model.train(), batch)
    with torch.no_grad():
        evaluation = outcome(model.eval(), batch)

    assert training.losses.keys() == evaluation.losses.keys()
    for name, value in training.losses.items():
        torch.testing.assert_close(value, evaluation.losses[name])
    torch.testing.assert_close(training.latent, evaluation.latent)
    assert training.latent.shape == (6, 4)


@pytest.mark.parametrize("part", FEW)
def test_a_batch_has_the_mean_of_the_losses_of_its_parts_however_they_are_padded(part):
    model, whole = made.vae(**PARTS[part]), made.batch(range(4))
    parts = [made.batch([k]) for k in range(4)]

    of_whole = outcome(model, whole, step=3)
    of_parts = [outcome(model, one, step=3) for one in parts]

    for name, value in of_whole.losses.items():
        mean = torch.stack([one.losses[name] for one in of_parts]).mean()
        torch.testing.assert_close(value, mean, rtol=2e-4, atol=2e-5)
    latents = torch.cat([one.latent for one in of_parts])
    torch.testing.assert_close(of_whole.latent, latents, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(
    "part", ["refinement", "ode", "sure", "no encodings", "sparse", "all terms"]
)
@pytest.mark.parametrize("hidden", [0.0, 0.3], ids=["whole", "hidden"])
def test_numbering_nodes_otherwise_numbers_the_scores_otherwise(part, hidden):
    model, batch = made.vae(**PARTS[part]).eval(), made.batch()
    draw = torch.rand(batch.pairs_BNN.shape, generator=torch.Generator().manual_seed(0))
    batch = batch.without(draw.triu() + draw.triu(1).mT < hidden)  # in pieces, with leaves
    N = batch.mask_BN.shape[1]
    keys = torch.rand(len(batch), N).masked_fill(~batch.mask_BN, 2)
    order = keys.argsort(1)

    plain = model.edge_logits(batch)
    moved = model.edge_logits(batch.renumbered(order))

    rows = torch.arange(len(batch))[:, None, None]
    expected = plain[rows, order[:, :, None], order[:, None, :]]
    inside = batch.pairs_BNN
    torch.testing.assert_close(moved[inside], expected[inside], rtol=1e-3, atol=1e-4)


def test_scores_of_an_edge_and_its_reverse_differ_unless_that_is_asked_for():
    batch = made.batch()
    directed, undirected = (made.vae(directed=way).edge_logits(batch) for way in (True, False))

    assert (directed - directed.mT).abs().max() > 1e-3
    torch.testing.assert_close(undirected, undirected.mT)


def test_scores_that_know_no_direction_have_a_reversed_edge_auc_of_one_half():
    batch = made.batch()
    scores = made.vae(directed=False).edge_logits(batch).detach().numpy()
    latents = np.random.default_rng(0).normal(size=(*batch.mask_BN.shape, 4))
    inner = latents @ latents.swapaxes(1, 2)
    edges = batch.adjacency_BNN.numpy()

    for given in (scores, inner):
        scored = [Scored(e, s) for e, s in zip(edges, given, strict=True)]
        assert reversed_edges(scored, list(edges))["reversed_edge/auc"].value == 0.5


@pytest.mark.parametrize("way", ["film", "concatenation", "both"])
def test_an_unknown_entry_of_the_environment_is_not_read_and_is_not_zero(way):
    model, batch = made.vae(environment=way).eval(), made.batch()
    known = torch.tensor([True, False, True, False]).expand(6, 4)
    batch = replace(batch, known_B4=known)
    wild = replace(batch, environment_B4=torch.where(known, batch.environment_B4, 99.0))
    zero = replace(batch, known_B4=torch.ones_like(known))

    scores = model.edge_logits(batch)

    torch.testing.assert_close(model.edge_logits(wild), scores, rtol=0, atol=0)
    assert (model.edge_logits(zero) - scores).abs().max() > 1e-4
    other = replace(batch, environment_B4=batch.environment_B4 + 1)
    assert (model.edge_logits(other) - scores).abs().max() > 1e-4


def test_without_an_environment_nothing_is_read_of_it():
    model, batch = made.vae(environment="none").eval(), made.batch()
    other = replace(batch, environment_B4=batch.environment_B4 + 1, known_B4=~batch.known_B4)

    torch.testing.assert_close(model.edge_logits(other), model.edge_logits(batch))
    with_flow, sizes = made.vae(environment="none", flow=2), np.array([4, 5])
    asked = np.ones((2, 4), np.float32)
    some, none = (with_flow.sample(sizes, asked, known, seed=0) for known in (asked > 0, asked < 0))
    np.testing.assert_array_equal(some.nodes, none.nodes)


def test_hidden_edges_cannot_be_seen_by_the_scores():
    model, batch = made.vae().eval(), made.batch()
    hidden = batch.adjacency_BNN & (torch.rand(batch.adjacency_BNN.shape) < 0.5)

    seen = model.edge_logits(batch.without(hidden))

    turned = replace(batch, adjacency_BNN=batch.adjacency_BNN | hidden.mT)
    torch.testing.assert_close(model.edge_logits(turned.without(hidden | hidden.mT)),
                               model.edge_logits(batch.without(hidden | hidden.mT)))  # fmt: skip
    assert (seen - model.edge_logits(batch)).abs().max() > 1e-4


def test_a_pair_has_the_same_features_by_whatever_phase_and_basis_its_places_are_told(monkeypatch):
    """Signs of real eigenvectors, phases of complex ones, and any basis of equal eigenvalues."""
    features, batch = made.vae().encoder.pairs, made.batch()
    solved = encoder.positions_of

    def told(otherwise):
        monkeypatch.setattr(encoder, "positions_of", lambda *given: otherwise(solved(*given)))
        return features(batch)

    def turned(found):
        signs_BK = torch.randint(2, found.laplacian_values_BK.shape) * 2.0 - 1
        phases_BK = torch.polar(torch.ones(6, 8), torch.rand(6, 8) * 2 * torch.pi)
        return replace(
            found,
            laplacian_BNK=found.laplacian_BNK * signs_BK[:, None],
            magnetic_BNK=found.magnetic_BNK * phases_BK[:, None],
        )

    def mixed(found):
        """All eigenvalues equal, and another basis of what then is one space."""
        basis_BKK = torch.linalg.qr(torch.randn(6, 8, 8, dtype=torch.complex64)).Q
        return replace(alike(found), magnetic_BNK=found.magnetic_BNK @ basis_BKK)

    def alike(found):
        return replace(found, magnetic_values_BK=torch.full((6, 8), 0.5))

    def swapped(found):
        return replace(found, magnetic_BNK=found.magnetic_BNK.roll(1, dims=1))

    plain, equal = told(lambda found: found), told(alike)
    torch.testing.assert_close(told(turned), plain, rtol=0, atol=1e-5)
    torch.testing.assert_close(told(mixed), equal, rtol=0, atol=1e-5)
    assert (told(swapped) - plain).abs().max() > 1e-3, "other places are other features"
    mirrored = told(lambda found: replace(found, magnetic_BNK=found.magnetic_BNK.conj()))
    assert (mirrored - plain).abs().max() > 1e-3, "the imaginary part tells directions"


def test_a_hidden_pair_is_no_pair_that_is_known_to_have_no_edge():
    batch = made.batch()
    free = batch.pairs_BNN & ~batch.adjacency_BNN & ~batch.adjacency_BNN.mT
    marked = batch.without(free)
    assert torch.equal(marked.adjacency_BNN, batch.adjacency_BNN), "no edge is lost"

    model, plain = made.vae().eval(), made.vae(hidden=0.0).eval()

    scores = [one.edge_logits(batch)[free] for one in (model, plain)]
    others = [one.edge_logits(marked)[free] for one in (model, plain)]
    assert (scores[0] - others[0]).abs().max() > 1e-4
    torch.testing.assert_close(scores[1], others[1], rtol=0, atol=0)


def test_training_hides_pairs_as_evaluation_asks_about_them(monkeypatch):
    """A share of the unordered pairs, both ways at once, marked and without what joined them."""
    seen, forward = [], encoder.Encoder.forward

    def spy(self, batch, *more):
        seen.append(batch)
        return forward(self, batch, *more)

    monkeypatch.setattr(encoder.Encoder, "forward", spy)
    records = made.records(count=200)
    model = made.vae(named=False, weights={"compounds": 0.0})
    outcome(model, records.batch(np.arange(200)))
    linked(model.eval(), records, seed=0)

    trained, asked = seen[0], [one for one in seen[1:] if one.hidden_BNN.any()]
    assert len(asked) == (len(seen) - 1) * FOLDS / (FOLDS + 1), "and once with all in sight"
    for batch in (trained, *asked):
        assert torch.equal(batch.hidden_BNN, batch.hidden_BNN.mT)
        assert not (batch.hidden_BNN & batch.adjacency_BNN).any()
    hidden, pairs = (
        sum(int(getattr(one, name).sum()) for one in asked) for name in ("hidden_BNN", "pairs_BNN")
    )
    assert hidden * FOLDS == pairs, "each pair once"
    assert model.own.hidden == 1 / FOLDS
    share = float(trained.hidden_BNN.sum() / trained.pairs_BNN.sum())
    assert share == pytest.approx(1 / FOLDS, abs=0.03)


def test_the_divergence_is_warmed_up():
    """Nothing of it at first, half of it half way, all of it in the end and in evaluation."""
    model, batch = made.vae(kullback={"warmup_steps": 10}, weights={"kl": 0.3}), made.batch()

    first, half, last, evaluated = (outcome(model, batch, step) for step in (0, 5, 10, None))

    kl = last.losses["kl"]
    assert kl > 0.01
    for one in (first, half, evaluated):
        torch.testing.assert_close(one.losses["kl"], kl)
    torch.testing.assert_close(last.total - first.total, 0.3 * kl, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(last.total - half.total, 0.15 * kl, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(evaluated.total, last.total)


def test_new_graphs_are_drawn_through_the_flow():
    model = made.vae(flow=2).eval()
    asked = np.full(20, 6), np.zeros((20, 4), np.float32), np.zeros((20, 4), bool)
    draws = Draws(0, 0, torch.arange(20))
    condition = model.decoder.condition(torch.zeros(20, 4), torch.zeros(20, 4, dtype=torch.bool))
    before = model.sample(*asked, seed=1)
    noise = draws.normal("graph", 4)

    with torch.no_grad():
        for parameter in model.prior.parameters():
            parameter += torch.randn_like(parameter)
        found = model._graph_from_prior(draws, condition)
        torch.testing.assert_close(found, model.prior(noise, condition))
    after = model.sample(*asked, seed=1)

    assert (found - noise).abs().max() > 0.1
    assert not np.array_equal(before.nodes, after.nodes)


def test_scores_that_are_unsure_are_nearer_to_even_odds():
    """By a spread that is the same everywhere: mean / √(1 + π/8 variance), MacKay's equation 10."""
    batch = made.batch()
    sure, unsure = (made.vae(uncertain=way, rounds=0).eval() for way in (False, True))
    with torch.no_grad():
        unsure.decoder.heads.pair.weight[1] = 0
        unsure.decoder.heads.pair.bias[1] = 3.0

    scores, others = (one.edge_logits(batch)[batch.pairs_BNN] for one in (sure, unsure))

    variance = math.log1p(math.exp(3.0))
    torch.testing.assert_close(others, scores / math.sqrt(1 + math.pi / 8 * variance))
    assert (scores - others).abs().max() > 0.3


@pytest.mark.parametrize(
    "part", ["refinement", "flow", "places", "no environment", "sparse", "all terms"]
)
def test_samples_have_the_sizes_asked_for_and_depend_on_the_seed_alone(part):
    model = made.vae(**PARTS[part] | {"weights": {"compounds": 0.1}}).eval()
    asked = np.array([5, 3, 8, 4]), np.zeros((4, 4), np.float32), np.zeros((4, 4), bool)

    first, again, other = (model.sample(*asked, seed=seed) for seed in (1, 1, 2))

    assert first.node_counts.tolist() == [5, 3, 8, 4]
    for name in ("nodes", "edges", "reversible", "reaction_classes"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.nodes, other.nodes)
    for k in range(4):
        assert len(set(first.names_of(k))) == first.node_counts[k], "a compound is there once"
    assert first.edges_of(2).max() == 7, "connected graphs reach every node"


def test_a_sample_does_not_depend_on_those_beside_it():
    model = made.vae().eval()
    sizes, nothing = np.array([8, 3]), np.zeros((2, 4), np.float32)

    both = model.sample(sizes, nothing, nothing > 0, seed=1)
    alone = model.sample(sizes[:1], nothing[:1], nothing[:1] > 0, seed=1)

    assert both.names_of(0) == alone.names_of(0)
    np.testing.assert_array_equal(both.edges_of(0), alone.edges_of(0))


def test_every_term_is_trained_while_its_flops_are_counted():
    model, batch = made.vae(**PARTS["all terms"]), made.batch()
    table = FlopTable()

    def compute():
        found = outcome(model, batch).total
        found.backward()
        return found

    _, flops = table.run("a step", compute)

    assert flops > 1e6
    assert all(parameter.grad is not None for parameter in model.encoder.parameters())


def test_a_model_that_learns_no_names_or_kinds_gives_none():
    model = made.vae(named=False, weights=OFF).eval()
    found = model.sample(np.array([4]), np.zeros((1, 4)), np.zeros((1, 4), bool), seed=0)

    assert found.names_of(0) == [None] * 4
    assert not found.reversible.any()
    assert not found.reaction_classes.any()


def test_the_model_says_how_many_nodes_there_are_if_it_has_learnt_it():
    nothing = np.zeros((50, 4), np.float32)
    sizes = made.vae(weights={"existence": 1.0}).sizes(nothing, nothing > 0, seed=0)

    assert sizes.min() >= 3
    assert sizes.max() <= made.corpus().most_nodes
    assert len(np.unique(sizes)) > 1
    with pytest.raises(ConfigError, match=r"needs settings\.model\.weights.existence above 0"):
        made.vae(named=False, weights=OFF).sizes(nothing, nothing > 0, seed=0)


def test_the_loss_falls_and_known_graphs_are_rebuilt():
    latents = {"nodes": 16, "local": 4, "globally": 4}
    model = made.vae(width=32, hidden=0.0, latents=latents, weights={"kl": 0.001})
    batch = made.batch(range(5))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for step in range(120):
        optimizer.zero_grad()
        found = model(batch, made.draws(batch, step), step)
        found.total.backward()
        optimizer.step()
        losses.append(float(found.losses["edges"].detach()))

    assert losses[-1] < 0.2 * losses[0]
    logits, inside = model.eval().edge_logits(batch), batch.pairs_BNN
    right = (logits > 0) == batch.adjacency_BNN
    assert right[inside].float().mean() > 0.9


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"width": 20, "heads": 3}, "width 20 is no multiple of heads 3"),
        ({"perturbation": 1.0}, "perturbation has no effect without weights.adversarial"),
        ({"weights": {"contrast": 1.0}, "hidden": 0.0}, "compares views without some edges"),
        ({"weights": {"edge": 1.0}}, "unknown key 'weights.edge'; did you mean 'edges'"),
        ({"weights": {"compounds": 0.0}}, r"named needs weights\.compounds and latents\.nodes"),
        ({"environment": "fim"}, "environment"),
        ({"size": "xl"}, "there is xs, s, m, l"),
        ({"hidden": 1.0}, "hidden"),
    ],
)
def test_bad_settings_are_one_sentence(given, said):
    with pytest.raises(ConfigError, match=said):
        validate(GraphVAE.Settings, given, "settings.model")
