import numpy as np
import pytest
from hypothesis import given, settings

from assay.errors import MachineError
from assay.pathways.metrics import descriptors
from tests.pathways.metrics import tiny as t

QUICKLY = settings(deadline=None, max_examples=40)


def test_degrees_are_histograms_of_each_graph():
    found = t.packed(t.CHAIN, t.FORK, t.CYCLE)

    assert descriptors.in_degrees(found).tolist() == [[1, 2], [1, 2], [0, 3]]
    assert descriptors.out_degrees(found).tolist() == [[1, 2, 0], [2, 0, 1], [0, 3, 0]]


def test_an_edge_that_two_reactions_give_counts_once():
    twice = t.packed((["a", "b"], [(0, 1), (0, 1)]))

    assert descriptors.in_degrees(twice).tolist() == [[1, 1]]


def test_clustering_of_a_triangle_is_one_both_ways_and_one_half_as_a_cycle():
    # A cycle closes 2 of the 4 directed triangles that each node's two neighbours could make,
    # for S^3 has 2 walks and 2(2·1 − 0) = 4 are possible; edges both ways close all.
    cycle = t.packed(t.CYCLE, (["a", "b", "c"], t.both_ways(t.CYCLE[1])))
    found = descriptors.clustering(cycle)

    assert np.argwhere(found).tolist() == [[0, 50], [1, 99]]
    assert found.max() == 3


def test_the_spectrum_of_one_edge_is_0_and_2_whatever_its_direction():
    found = descriptors.spectrum(t.packed(t.PAIR, t.BOTH_WAYS))

    assert np.argwhere(found).tolist() == [[0, 0], [0, 199], [1, 0], [1, 199]]


def test_the_spectrum_sees_the_direction_around_a_cycle():
    # H = [[0, i, -i], ...]/2 over degrees of 1: eigenvalues 1 − cos(2πk/3 + π/2).
    undirected = (["a", "b", "c"], t.both_ways(t.CYCLE[1]))
    directed, other = descriptors.spectrum(t.packed(t.CYCLE, undirected))

    expected = 1 - np.cos(2 * np.pi * np.arange(3) / 3 + np.pi / 2)
    span = descriptors.SPECTRUM_RANGE
    assert directed.tolist() == np.histogram(expected, bins=200, range=span)[0].tolist()
    assert other.tolist() == np.histogram([0, 1.5, 1.5], bins=200, range=span)[0].tolist()


def test_a_node_without_edges_has_the_eigenvalue_0():
    assert descriptors.spectrum(t.packed((["a", "b"], [])))[0, 0] == 2


def test_orbits_of_a_chain_ignore_directions():
    pytest.importorskip("orbit_count")
    found = descriptors.orbits(t.packed(t.CHAIN, (["a"], [])))

    # Degrees 1, 2, 1; two ends and one middle of a path of three; over three nodes.
    assert found[0, :4] == pytest.approx([4 / 3, 2 / 3, 1 / 3, 0])
    assert not found[0, 4:].any()
    assert not found[1].any()


def test_orbits_without_the_package_say_how_to_get_it(monkeypatch):
    monkeypatch.setattr(descriptors, "find_spec", lambda name: None)

    with pytest.raises(MachineError, match=r"pip install 'assay-bench\[pathways\]'"):
        descriptors.orbits(t.packed(t.PAIR))


@pytest.mark.parametrize("name", ["in_degrees", "out_degrees", "clustering", "spectrum", "orbits"])
@QUICKLY
@given(drawn=t.graphs_and_orders())
def test_the_numbering_of_nodes_never_matters(name, drawn):
    if name == "orbits":
        pytest.importorskip("orbit_count")
    graph, order = drawn
    here, there = getattr(descriptors, name)(t.packed(graph, t.relabelled(graph, order)))

    assert here.tolist() == there.tolist()


def test_reversing_every_edge_exchanges_the_degrees():
    graphs = t.random_graphs(10)
    turned = t.packed(*[(nodes, [(b, a) for a, b in edges]) for nodes, edges in graphs])

    expected = descriptors.in_degrees(t.packed(*graphs))
    assert descriptors.out_degrees(turned).tolist() == expected.tolist()


def test_a_graph_is_described_alike_alone_and_among_others():
    graphs = t.random_graphs(12, seed=3)
    together = t.packed(*graphs)
    for name in ("clustering", "spectrum"):
        of = getattr(descriptors, name)
        alone = np.concatenate([of(t.packed(graph)) for graph in graphs])
        assert of(together).tolist() == alone.tolist()
