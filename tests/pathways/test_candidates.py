"""Graphs of many nodes, of which not all pairs are looked at closely."""

import numpy as np
import pytest
import torch

from assay.errors import ConfigError
from assay.pathways.attention import Block, ListedPairs
from assay.pathways.candidates import Sparsity, candidate_pairs, seen_pairs
from assay.pathways.encoder import PairFeatures
from assay.pathways.encodings import Encodings
from tests.pathways import made

EVERY = {"beyond": 2, "candidates": 8}
"""Lists from which no pair is missing: made graphs have at most 8 nodes."""
WAYS = {
    "plain": {},
    "undirected": {"directed": False},
    "sure": {"uncertain": False, "rounds": 0},
    "modules": {"weights": {"modules": 0.5}, "rounds": 2},
}


def inside(batch):
    return batch.mask_BN[:, :, None] & batch.mask_BN[:, None, :]


def trained(model, batch):
    """The losses of a step, and the gradients of the total by parameter."""
    found = model(batch, made.draws(batch), 3)
    found.total.backward()
    return found.losses, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("way", WAYS)
def test_a_limit_that_no_graph_exceeds_changes_no_bit(way):
    batch = made.batch()
    at_limit, far = (
        made.vae(sparsity={"beyond": n}, **WAYS[way]) for n in (batch.mask_BN.shape[1], 10_000)
    )

    assert torch.equal(at_limit.edge_logits(batch), far.edge_logits(batch))
    losses, gradients = trained(at_limit, batch)
    for name, value in trained(far, batch)[0].items():
        assert torch.equal(value, losses[name]), name
    assert all(torch.equal(gradients[n], p.grad) for n, p in far.named_parameters())


@pytest.mark.parametrize("way", WAYS)
def test_lists_of_all_pairs_are_worth_their_matrices(way, monkeypatch):
    def all_of_large(batch, sparsity):
        return None if batch.mask_BN.shape[1] <= sparsity.beyond else inside(batch)

    monkeypatch.setattr("assay.pathways.encoder.seen_pairs", all_of_large)
    batch, close = made.batch(), {"rtol": 1e-4, "atol": 1e-5}
    dense, listed = made.vae(**WAYS[way]), made.vae(sparsity=EVERY, **WAYS[way])

    one, other = (model.edge_logits(batch)[batch.pairs_BNN] for model in (dense, listed))
    torch.testing.assert_close(other, one, rtol=0, atol=1e-5)
    (losses, gradients), (others, found) = (trained(each, batch) for each in (dense, listed))
    for name, value in losses.items():
        torch.testing.assert_close(others[name], value, **close)
    assert found.keys() == gradients.keys()
    for name, value in gradients.items():
        torch.testing.assert_close(found[name], value, **close)


def test_attention_hears_of_pairs_that_are_not_listed_as_of_the_rest():
    torch.manual_seed(0)
    batch, block = made.batch(), Block(width=16, heads=2, pairs=5, condition=None)
    B, N = batch.mask_BN.shape
    x_BND, nothing = torch.randn(B, N, 16), torch.zeros(B, 0)
    listed_BNN = batch.adjacency_BNN | batch.adjacency_BNN.mT
    place = listed_BNN.nonzero(as_tuple=True)
    rest_C, features_PC = torch.randn(5), torch.randn(len(place[0]), 5)
    whole_BNNC = rest_C.expand(B, N, N, 5).index_put(place, features_PC)

    dense = block(x_BND, batch.mask_BN, whole_BNNC, nothing)
    listed = block(x_BND, batch.mask_BN, ListedPairs(place, features_PC, rest_C), nothing)

    there = batch.mask_BN
    torch.testing.assert_close(listed[there], dense[there], rtol=0, atol=1e-5)


@pytest.mark.parametrize("encodings", [{}, {"laplacian": 0}, {"laplacian": 0, "magnetic": 0}])
def test_a_listed_pair_has_the_features_of_the_matrix_and_the_rest_those_of_no_edge(encodings):
    torch.manual_seed(0)
    features, batch = (
        PairFeatures(Encodings.model_validate(encodings), 6, hides=False),
        made.batch(),
    )
    seen_BNN = seen_pairs(batch, Sparsity(beyond=1))

    found, whole_BNNC = features(batch, seen_BNN), features(batch)

    torch.testing.assert_close(found.features_PC, whole_BNNC[seen_BNN], rtol=0, atol=1e-5)
    if not features.phi:  # without positions nothing is lost
        unseen_BNN = inside(batch) & ~seen_BNN
        assert (whole_BNNC[unseen_BNN] - found.rest_C).abs().max() < 1e-6


def test_hidden_pairs_are_told_apart_whether_or_not_they_are_listed():
    torch.manual_seed(0)
    features = PairFeatures(Encodings(laplacian=0, magnetic=0), 5, hides=True)
    batch, block = made.batch(), Block(width=16, heads=2, pairs=5, condition=None)
    batch = batch.without(torch.rand(batch.adjacency_BNN.shape) < 0.4)
    x_BND, nothing = torch.randn(*batch.mask_BN.shape, 16), torch.zeros(len(batch), 0)
    listed = features(batch, seen_pairs(batch, Sparsity(beyond=1)))
    assert (batch.hidden_BNN & ~seen_pairs(batch, Sparsity(beyond=1))).any()

    dense = block(x_BND, batch.mask_BN, features(batch), nothing)
    found = block(x_BND, batch.mask_BN, listed, nothing)

    there = batch.mask_BN
    torch.testing.assert_close(found[there], dense[there], rtol=0, atol=1e-5)


def test_the_encoder_keeps_edges_either_way_and_each_node_with_itself():
    batch = made.batch()
    counts_B = batch.mask_BN.sum(1)
    large_B = counts_B > 5
    assert large_B.any()
    assert not large_B.all()

    seen_BNN = seen_pairs(batch, Sparsity(beyond=5))

    for k, N in enumerate(counts_B.tolist()):
        edges_NN = batch.adjacency_BNN[k, :N, :N]
        joined_NN = edges_NN | edges_NN.T | torch.eye(N, dtype=torch.bool)
        expected = joined_NN if large_B[k] else torch.ones_like(joined_NN)
        assert torch.equal(seen_BNN[k, :N, :N], expected)
        assert not seen_BNN[k, N:].any()
        assert not seen_BNN[k, :, N:].any()
    assert seen_pairs(batch, Sparsity(beyond=int(counts_B.max()))) is None


def test_candidates_are_the_best_edges_from_and_to_each_node():
    scores = np.random.default_rng(0).normal(size=(1, 9, 9)).astype(np.float32)
    mask_BN = torch.arange(9)[None] < 7  # two of padding
    near_BNN = candidate_pairs(torch.from_numpy(scores), mask_BN, Sparsity(beyond=4, candidates=2))

    shut = np.where(np.eye(7, dtype=bool), -np.inf, scores[0, :7, :7])
    expected = np.zeros((9, 9), bool)
    for n in range(7):
        expected[n, np.argsort(-shut[n])[:2]] = True
        expected[np.argsort(-shut[:, n])[:2], n] = True
    assert near_BNN[0].tolist() == expected.tolist()


def test_an_edge_that_is_no_candidate_is_scored_and_has_a_kind_all_the_same():
    model, batch = made.vae(sparsity={"beyond": 3, "candidates": 1}).eval(), made.batch()
    nodes_BNL = torch.randn(*batch.mask_BN.shape, 4)
    condition_BD = model.decoder.condition(batch.environment_B4, batch.known_B4)
    decoded = model._decode(nodes_BNL, torch.randn(len(batch), 4), batch, condition_BD)
    missed_BNN = batch.adjacency_BNN & ~decoded.near_BNN
    assert missed_BNN.any()

    kinds = model.decoder.kinds(decoded, missed_BNN)

    assert len(kinds.reversible_P) == int(missed_BNN.sum())
    assert kinds.reactions_PR.std(1).min() > 0
    scores = decoded.edges_BNN[missed_BNN]
    assert scores.isfinite().all()
    slopes = torch.autograd.grad(scores.sum(), model.decoder.heads.gives.weight)
    assert slopes[0].abs().max() > 0


def test_generated_graphs_of_many_nodes_are_whole():
    model = made.vae(sparsity={"beyond": 6, "candidates": 2}).eval()
    sizes, nothing = np.array([30, 4]), np.zeros((2, 4), np.float32)

    found = model.sample(sizes, nothing, nothing > 0, seed=1)

    assert found.node_counts.tolist() == [30, 4]
    assert set(found.edges_of(0).ravel().tolist()) == set(range(30))
    assert found.reaction_classes.min() >= 1, "every edge has a kind, candidate or not"


def test_more_nodes_than_places_are_one_sentence():
    latents = {"nodes": 0, "local": 2, "globally": 2}
    model, nothing = made.vae(latents=latents, named=False), np.zeros((1, 4), np.float32)

    with pytest.raises(ConfigError, match="50 nodes are told apart, and a graph of 51 is asked"):
        model.sample(np.array([51]), nothing, nothing > 0, seed=0)
