"""Floors, asked for what models are asked for."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from assay.pathways.baselines.floors import CopyTrain, log_odds_of
from assay.pathways.batches import PathwayRecords
from assay.pathways.corpus import Corpus
from assay.pathways.environment import normalised
from assay.pathways.evaluation import linked
from assay.pathways.metrics import descriptors
from assay.pathways.named_pairs import pairs_of
from tests.pathways import made
from tests.pathways.baselines.baseline import FLOORS, model
from tests.pathways.metrics import tiny

NOTHING = np.zeros((30, 4), np.float32), np.zeros((30, 4), bool)
SIZES = np.resize(np.unique(made.graphs().node_counts), 30)


def signatures(graphs) -> list[tuple]:
    return [(*graphs.names_of(k), *map(tuple, graphs.edges_of(k).T)) for k in range(len(graphs))]


@pytest.mark.parametrize("name", FLOORS)
def test_a_floor_has_no_parameters_and_no_loss(name):
    floor, batch = model(name), made.batch()

    assert list(floor.parameters()) == []
    with pytest.raises(NotImplementedError):
        floor(batch, made.draws(batch), 0)


@pytest.mark.parametrize("name", FLOORS)
def test_what_is_made_is_said_to_be_of_the_environment_that_was_asked_for(name):
    asked = np.full((30, 4), 0.5, np.float32), np.tile([True, False, True, False], (30, 1))
    found = model(name).sample(SIZES, *asked, seed=0)

    np.testing.assert_array_equal(found.environment_known, asked[1])
    again = normalised(found.environment, found.environment_known)
    np.testing.assert_allclose(again, np.where(asked[1], 0.5, 0), atol=1e-5)


@pytest.mark.parametrize("name", FLOORS)
def test_where_training_has_no_graph_of_a_size_the_nearest_size_is_taken(name):
    largest = made.graphs().node_counts.max()
    found = model(name).sample(np.array([500]), NOTHING[0][:1], NOTHING[1][:1], seed=0)

    assert found.node_counts.tolist() == [largest]


@pytest.mark.parametrize("name", ["copy_train", "nearest"])
def test_copies_are_training_graphs(name):
    found = model(name).sample(SIZES, *NOTHING, seed=0)

    assert set(signatures(found)) <= set(signatures(made.graphs()))
    assert len(set(signatures(found))) > 10


@pytest.mark.parametrize("name", ["rewired", "erdos_renyi", "erdos_renyi_joined"])
def test_what_is_made_of_training_graphs_has_their_compounds_and_as_many_edges(name):
    copies, found = (model(one).sample(SIZES, *NOTHING, seed=0) for one in ("copy_train", name))

    np.testing.assert_array_equal(found.nodes, copies.nodes)
    np.testing.assert_array_equal(found.edge_counts, copies.edge_counts)
    assert signatures(found) != signatures(copies)
    same = [
        np.array_equal(one, other)
        for one, other in zip(descriptors.degrees(found), descriptors.degrees(copies), strict=True)
    ]
    assert all(same) == (name == "rewired")


def test_the_nearest_graph_has_the_environment_that_is_asked_for_if_any_has():
    train = made.graphs()
    known = np.tile([False, False, True, False], (30, 1))
    for oxygen in (0.0, 0.21):
        asked = normalised(np.full((30, 4), oxygen, np.float32), known)
        chosen = model("nearest").chosen(np.full(30, 8), asked, known, seed=0)
        of_size = train.node_counts[chosen]
        assert (of_size == 8).all()
        np.testing.assert_allclose(train.environment[chosen, 2], oxygen, atol=1e-6)


def test_an_entry_that_a_graph_does_not_know_is_farther_than_one_that_fits():
    known = np.tile([True, False, False, False], (30, 1))  # all training graphs know pH 7
    redox = np.tile([True, False, False, True], (30, 1))  # and none a redox potential
    asked = np.zeros((30, 4), np.float32)

    with_it, without = (
        set(model("nearest").chosen(np.full(30, 8), asked, one, seed=0)) for one in (redox, known)
    )

    assert with_it == without, "all lack it alike"


def test_random_graphs_score_all_pairs_alike_and_by_the_density():
    floor, batch = model("erdos_renyi"), made.batch()
    scores = floor.edge_logits(batch)

    torch.testing.assert_close(scores.sigmoid(), torch.full_like(scores, floor.corpus.density))


def test_rewired_graphs_are_scored_by_the_degrees_in_sight():
    floor, batch = model("rewired"), made.batch()
    scores = floor.edge_logits(batch)[0]
    A, N = batch.adjacency_BNN[0].double(), int(batch.mask_BN[0].sum())
    share = floor.corpus.density * (N - 1)
    gives, takes = A.sum(1) + share, A.sum(0) + share
    rate = gives[0] * takes[1] / (A.sum() + N * share)

    assert scores[0, 1].sigmoid() == pytest.approx(float(1 - torch.exp(-rate)), rel=1e-4)


def test_ordered_pairs_are_counted_by_graph():
    graphs = tiny.packed(tiny.CYCLE, tiny.PAIR, (["a", None, "b"], [(1, 0), (2, 0)]))
    V = len(graphs.compounds)
    codes, both, edges = pairs_of(graphs)
    a, b, c = (list(graphs.compounds).index(name) for name in "abc")

    counted = {(code // V, code % V): (n, e) for code, n, e in zip(codes, both, edges, strict=True)}

    assert counted == {
        (a, b): (3, 2), (b, a): (3, 1), (b, c): (1, 1), (c, b): (1, 0), (c, a): (1, 1),
        (a, c): (1, 0),
    }  # fmt: skip


def test_copies_score_a_pair_by_how_often_training_has_that_edge():
    floor, batch = model("copy_train"), made.batch()
    scores, V = floor.edge_logits(batch), len(floor.corpus.names)
    codes, both, edges = pairs_of(floor.corpus.graphs)
    u, v = batch.compounds_BN[0, :2].tolist()
    place = codes.tolist().index(u * V + v)

    density = floor.corpus.density
    chance = (edges[place] + 2 * density) / (both[place] + 2)
    assert scores[0, 0, 1].sigmoid() == pytest.approx(chance, rel=1e-5)
    nameless = replace(batch, compounds_BN=torch.full_like(batch.compounds_BN, -1))
    torch.testing.assert_close(
        floor.edge_logits(nameless).sigmoid(), torch.full_like(scores, density)
    )


def test_the_nearest_training_graph_tells_its_edges():
    floor, batch = model("nearest"), made.batch()
    scores = floor.edge_logits(batch)

    inside, edges = batch.pairs_BNN, batch.adjacency_BNN
    low, high = scores[inside & ~edges], scores[edges]
    assert high.unique().numel() == 1, "each graph is its own nearest"
    assert high.min() > low.max()
    density = floor.corpus.density
    expected = log_odds_of(np.ones(1), np.ones(1), density)
    torch.testing.assert_close(high[:1], expected)


def test_a_look_up_is_a_coin_where_training_joins_nothing():
    """Asked about the very graphs it has, no edge is new; of others, edges that it has nowhere."""
    graphs = made.graphs()
    table, some, others = made.table(graphs), np.arange(10), np.arange(10, len(graphs))
    asked = PathwayRecords(graphs.select(some), table, some)
    names = {}
    for kind, train in (("own", some), ("other", others)):
        corpus = Corpus.of(graphs.select(train), table)
        names[kind] = linked(CopyTrain(CopyTrain.Settings(), corpus), asked, 0).estimates(0)

    assert "reversed_edge/auc_new" not in names["own"]
    new = names["other"]["reversed_edge/auc_new"]
    assert new.value == 0.5
    assert 0 < new.n <= names["other"]["reversed_edge/auc"].n
