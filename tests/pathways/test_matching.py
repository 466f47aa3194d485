from dataclasses import replace

import torch
from torch.nn.functional import one_hot

from assay.pathways import matching
from tests.pathways import made


def test_a_plan_is_doubly_stochastic_and_keeps_padding_apart():
    model, batch = made.vae(), made.batch()
    decoded = decode(model, batch)

    plan = matching.plan(decoded, batch)

    ones = torch.ones(plan.shape[:2])
    torch.testing.assert_close(plan.sum(1), ones, rtol=0, atol=1e-3)
    torch.testing.assert_close(plan.sum(2), ones, rtol=0, atol=0.05)
    between = batch.mask_BN[:, :, None] ^ batch.mask_BN[:, None, :]
    assert plan[between].max() < 1e-6


def test_decoded_nodes_are_found_again_however_real_ones_are_numbered():
    batch = made.batch([0])
    N = batch.mask_BN.shape[1]
    batch = replace(batch, classes_BN=torch.arange(N)[None] % 9)
    # A decoder that has learnt the graph, class by class and edge by edge.
    sure = decode(made.vae(), batch)
    sure = replace(
        sure,
        nodes=replace(sure.nodes, classes_BNK=20.0 * one_hot(batch.classes_BN, 9)),
        edges_BNN=40.0 * batch.adjacency_BNN - 20.0,
    )
    order = torch.randperm(N)[None]

    moved = batch.renumbered(order)
    found = matching.rounded(matching.plan(sure, moved))

    again = moved.renumbered(found)
    assert again.classes_BN.tolist() == batch.classes_BN.tolist()
    torch.testing.assert_close(again.adjacency_BNN, batch.adjacency_BNN)
    assert matching.matched_edges(sure, moved) < 1e-3


def test_the_term_does_not_depend_on_the_numbering_of_real_nodes():
    model, batch = made.vae(), made.batch()
    decoded = decode(model, batch)
    keys = torch.rand(batch.mask_BN.shape).masked_fill(~batch.mask_BN, 2)

    plain, moved = (
        matching.matched_edges(decoded, some) for some in (batch, batch.renumbered(keys.argsort(1)))
    )

    torch.testing.assert_close(moved, plain, rtol=1e-4, atol=1e-6)


def decode(model, batch):
    condition = model.decoder.condition(batch.environment_B4, batch.known_B4)
    posterior = model.encoder(batch)
    means = posterior.nodes.mean, posterior.graph.mean
    return model._decode(*means, batch, condition)
