import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

from assay.errors import DataError
from assay.pathways import floors
from assay.pathways.graphs import Pathway, pack
from assay.pathways.metrics import descriptors
from tests.pathways.metrics import tiny as t

GRAPHS = t.packed(*t.random_graphs(20, seed=4, most=12))
MADE = [floors.rewired, floors.erdos_renyi, floors.erdos_renyi_joined]
FLAGS = [True, False, False, True, False]


def edges(graphs):
    return [graphs.edges_of(k).T.tolist() for k in range(len(graphs))]


@pytest.mark.parametrize("floor", MADE)
def test_a_seed_decides_and_other_seeds_differ(floor):
    assert edges(floor(GRAPHS, 1)) == edges(floor(GRAPHS, 1))
    assert edges(floor(GRAPHS, 1)) != edges(floor(GRAPHS, 2))


@pytest.mark.parametrize("floor", MADE)
def test_nodes_and_environment_are_kept(floor):
    given_ones = t.packed(t.CHAIN, environment=(7.0, None, 0.2, None))
    found = floor(given_ones)

    assert found.names_of(0) == ["a", "b", "c"]
    assert found.environment[0].tolist() == pytest.approx([7, 0, 0.2, 0])
    assert found.environment_known[0].tolist() == [True, False, True, False]


@pytest.mark.parametrize("floor", MADE)
def test_as_many_edges_are_reversible(floor):
    ring = Pathway("r", list("abcde"), [(k, (k + 1) % 5) for k in range(5)], reversible=FLAGS)
    found = [floor(pack([ring]), seed) for seed in range(4)]

    assert [int(one.reversible.sum()) for one in found] == [2] * 4


def test_a_compound_that_gave_a_reversible_edge_gives_one_still_after_rewiring():
    ring = Pathway("r", list("abcde"), [(k, (k + 1) % 5) for k in range(5)], reversible=FLAGS)
    found = floors.rewired(pack([ring]))

    assert found.edges[0, found.reversible].tolist() == [0, 3]


@settings(deadline=None, max_examples=60)
@given(graph=t.graphs())
def test_rewiring_keeps_every_degree_and_makes_no_loop(graph):
    before = t.packed(graph)
    after = floors.rewired(before, seed=3)

    for one, other in zip(descriptors.degrees(before), descriptors.degrees(after), strict=True):
        assert one.tolist() == other.tolist()
    source, target = after.edges
    assert not (source == target).any()
    assert len(set(map(tuple, after.edges.T.tolist()))) == len(source)


def test_rewiring_forgets_the_edges():
    ring = ([f"n{k}" for k in range(30)], [(k, (k + 1) % 30) for k in range(30)])
    found = floors.rewired(t.packed(ring))

    assert len(set(map(tuple, edges(found)[0])) & set(ring[1])) < 10


@settings(deadline=None, max_examples=60)
@given(graph=t.graphs())
def test_a_random_graph_has_as_many_nodes_and_edges_and_no_loop(graph):
    before = t.packed(graph)
    after = floors.erdos_renyi(before)

    assert after.node_counts.tolist() == before.node_counts.tolist()
    assert after.edge_counts.tolist() == before.edge_counts.tolist()
    assert not (after.edges[0] == after.edges[1]).any()


def test_every_ordered_pair_is_equally_likely():
    one_edge = t.packed(*[(["a", "b", "c"], [(0, 1)])] * 3000)
    found = floors.erdos_renyi(one_edge)
    counts = np.unique(found.edges, axis=1, return_counts=True)[1]

    assert len(counts) == 6
    assert (abs(counts - 500) < 100).all()


def test_copies_repeat_the_training_graphs_evenly():
    train = t.packed(t.CHAIN, t.CYCLE, t.FORK)
    found = floors.copied(train, 7, seed=1)

    assert sorted(np.unique(list(found.ids), return_counts=True)[1].tolist()) == [2, 2, 3]
    assert list(found.ids) == list(floors.copied(train, 7, seed=1).ids)
    assert len(floors.copied(train, 0)) == 0


def test_the_nearest_shares_most_edges_then_compounds_then_the_size():
    train = t.packed(t.CYCLE, (["a", "x"], [(0, 1)]), t.FORK, (["p", "q", "r"], [(0, 1), (1, 2)]))
    asked = t.packed(
        t.CHAIN,  # two of three edges of the cycle, one of three of the fork
        (["x", "a"], [(0, 1)]),  # no edge, but both compounds of x
        (["k", "l"], [(0, 1)]),  # nothing but the size
    )

    assert list(floors.nearest(asked, train).ids) == ["p0", "p1", "p1"]


def test_without_training_graphs_there_is_nothing_to_copy():
    for make in (lambda none: floors.copied(none, 3), lambda none: floors.nearest(GRAPHS, none)):
        with pytest.raises(DataError, match="no training graph"):
            make(t.packed())


def test_random_edges_are_joined_as_far_as_they_suffice():
    chain = ([f"n{k}" for k in range(9)], [(k, k + 1) for k in range(8)])
    few = ([f"n{k}" for k in range(6)], [(0, 1), (2, 3)])
    many = ([f"n{k}" for k in range(5)], [(a, b) for a in range(5) for b in range(5) if a < b])
    for seed in range(5):
        found = floors.erdos_renyi_joined(t.packed(chain, few, many), seed)
        drawn = [nx.DiGraph(found.edges_of(k).T.tolist()) for k in range(3)]

        assert [nx.number_weakly_connected_components(each) for each in drawn[::2]] == [1, 1]
        assert [len(each) for each in drawn[::2]] == [9, 5]
        assert [each.number_of_edges() for each in drawn] == [8, 2, 10]
        assert nx.is_forest(drawn[1].to_undirected())
