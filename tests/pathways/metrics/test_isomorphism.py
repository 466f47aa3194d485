import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.pathways.graphs import PathwayGraphs
from assay.pathways.metrics import isomorphism
from assay.pathways.metrics.isomorphism import Classes
from tests.pathways.metrics import tiny as t


def numbers(*graphs):
    return Classes().number(t.packed(*graphs)).tolist()


def test_names_and_directions_tell_graphs_apart():
    other_name = (["a", "b", "x"], t.CHAIN[1])
    turned = (["a", "b", "c"], [(1, 0), (2, 1)])

    assert numbers(t.CHAIN, other_name, turned, t.CYCLE, t.CHAIN) == [0, 1, 2, 3, 0]


def test_the_order_of_nodes_and_repeated_edges_do_not():
    moved = t.relabelled(t.CHAIN, [2, 0, 1])
    twice = (t.CHAIN[0], [*t.CHAIN[1], (0, 1)])

    assert numbers(t.CHAIN, moved, twice) == [0, 0, 0]


def test_graphs_that_weisfeiler_and_lehman_confuse_are_told_apart_by_vf2():
    # Two cycles of three and one of six, unnamed: every node looks alike for ever.
    unnamed = [None] * 6
    triangles = (unnamed, [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)])
    ring = (unnamed, [(k, (k + 1) % 6) for k in range(6)])
    classes = Classes()
    graphs = t.packed(triangles, ring)

    assert len({classes._hash(isomorphism.labelled(graphs, k)) for k in range(2)}) == 1
    assert classes.number(graphs).tolist() == [0, 1]
    assert len(classes) == 2


def test_a_name_is_not_the_lack_of_one():
    assert numbers(([None, "b"], [(0, 1)]), (["", "b"], [(0, 1)])) == [0, 1]


@settings(deadline=None, max_examples=60)
@given(drawn=t.graphs_and_orders(names=["a", "b"]))
def test_a_renumbered_graph_is_the_same(drawn):
    graph, order = drawn

    assert numbers(graph, t.relabelled(graph, order)) == [0, 0]


@settings(deadline=None, max_examples=30)
@given(drawn=st.lists(t.graphs(most=4, names=["a", "b"]), max_size=6))
def test_classes_are_those_of_comparing_every_two(drawn):
    graphs = t.packed(*drawn)
    found = Classes().number(graphs)
    match = nx.algorithms.isomorphism.categorical_node_match("name", None)
    for i, j in itertools.combinations(range(len(drawn)), 2):
        pair = (isomorphism.labelled(graphs, k) for k in (i, j))
        assert (found[i] == found[j]) == nx.is_isomorphic(*pair, node_match=match)


def test_only_graphs_of_equal_hash_are_compared(monkeypatch):
    asked = []
    monkeypatch.setattr(isomorphism, "same", lambda one, other: asked.append(one) or True)
    numbers(t.CHAIN, t.CYCLE, t.FORK, t.PAIR)

    assert asked == []


def test_uniqueness_and_novelty_are_shares_of_all_records():
    generated: PathwayGraphs = t.packed(t.CHAIN, t.relabelled(t.CHAIN, [1, 2, 0]), t.CYCLE, t.FORK)
    valid = np.array([True, True, True, False])
    found = isomorphism.evaluate(generated, valid, t.packed(t.CYCLE, t.CYCLE), rejected=1)

    assert {name: one.value for name, one in found.items()} == pytest.approx(
        {"vun/uniqueness": 3 / 5, "vun/novelty": 3 / 5, "vun/valid_unique_novel": 1 / 5}
    )
    assert found["vun/uniqueness"].n == 5


def test_without_training_graphs_there_is_uniqueness_only():
    assert list(isomorphism.evaluate(t.packed(t.CHAIN))) == ["vun/uniqueness"]


def test_the_labelled_graph_is_networkx():
    graph = isomorphism.labelled(t.packed(t.CHAIN), 0)

    assert isinstance(graph, nx.DiGraph)
    assert dict(graph.nodes(data="name")) == {0: "a", 1: "b", 2: "c"}
    assert list(graph.edges) == [(0, 1), (1, 2)]
