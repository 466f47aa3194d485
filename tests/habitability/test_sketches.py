"""Sketches of descriptions and networks."""

from dataclasses import replace

import torch

from assay.habitability.data.batches import tokenize_bytes
from assay.habitability.networks import networks_of
from assay.habitability.sketches import BUCKETS, COMPOSITION, composition, grams
from assay.pathways.compounds import FEATURES


def test_equal_texts_have_equal_sketches_and_padding_has_none():
    ids, mask = tokenize_bytes(["a red star", "a red star, and a blue one", "a red star", "", "ab"])

    found = grams(ids, mask)

    assert found.shape == (5, BUCKETS)
    assert torch.equal(found[0], found[2])
    assert 0 < int(found[0].sum()) <= 8, "as many as there are runs of three"
    assert (found[0] <= found[1]).all()
    assert found[0].sum() < found[1].sum()
    assert not found[3:].any()


def test_a_text_of_fewer_than_three_tokens_has_none():
    assert not grams(*tokenize_bytes(["", "ab"])).any()


def test_a_network_is_what_its_compounds_and_reactions_are_on_average(batch, corpus):
    networks = networks_of(batch, corpus)
    has = batch.has("bio_graphs")

    found = composition(networks)

    k = int(torch.nonzero(has)[0])
    n = int(networks.mask_BN[k].sum())
    edges = networks.adjacency_BNN[k]
    assert found.shape == (len(batch), COMPOSITION)
    torch.testing.assert_close(found[k, : len(FEATURES)], networks.features_BNF[k, :n].mean(0))
    kinds = torch.bincount(networks.reactions_BNN[k][edges], minlength=8) / edges.sum()
    torch.testing.assert_close(found[k, len(FEATURES) :], kinds)
    assert not found[~has].any()


def test_how_nodes_are_numbered_does_not_matter(batch, corpus):
    networks = networks_of(batch, corpus)
    order = torch.arange(networks.mask_BN.shape[1]).expand(len(batch), -1).clone()
    for k, n in enumerate(networks.mask_BN.sum(1).tolist()):
        order[k, :n] = order[k, :n].flip(0)

    turned = networks.renumbered(order)

    torch.testing.assert_close(composition(turned), composition(networks))
    assert replace(turned, record_ids=networks.record_ids) is not networks
