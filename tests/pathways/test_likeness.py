import numpy as np
import pytest

from assay.errors import DataError
from assay.pathways.graphs import pack
from assay.pathways.likeness import most_alike
from tests.pathways import made
from tests.pathways.metrics import tiny as t


def looped(graphs, train):
    """The same by sets, graph by graph."""

    def named(some, k):
        names = some.names_of(k)
        return {(names[s], names[t]) for s, t in some.edges_of(k).T.tolist()}, set(names)

    def jaccard(one, other):
        return len(one & other) / len(one | other) if one | other else 0.0

    found = []
    for k in range(len(graphs)):
        ranked = [
            (*map(jaccard, named(graphs, k), named(train, j)),
             -abs(int(graphs.node_counts[k] - train.node_counts[j])))
            for j in range(len(train))
        ]  # fmt: skip
        best = max(range(len(train)), key=ranked.__getitem__)
        found.append((best, *ranked[best][:2]))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_sets_say_graph_by_graph(seed):
    graphs, train = made.graphs(count=12, seed=seed + 10), made.graphs(count=30, seed=seed)

    found = most_alike(graphs, train)

    places, edges, compounds = zip(*looped(graphs, train), strict=True)
    assert found.places_G.tolist() == list(places)
    np.testing.assert_array_equal(found.edges_G, edges)
    np.testing.assert_array_equal(found.compounds_G, compounds)
    assert found.compounds_G.max() > 0


def test_a_copy_is_most_like_itself():
    train = made.graphs()
    found = most_alike(train.select([5, 3]), train)

    assert found.places_G.tolist() == [5, 3]
    assert found.edges_G.tolist() == [1, 1]


def test_directions_count_and_repeated_edges_do_not():
    train = t.packed((["a", "b"], [(1, 0)]), (["a", "b"], [(0, 1), (0, 1)]))
    found = most_alike(t.packed((["b", "a"], [(1, 0)])), train)

    assert found.places_G.tolist() == [1]
    assert found.edges_G.tolist() == [1]


def test_what_has_no_name_is_nearest_by_its_size():
    nameless = t.packed(([None, None, None], [(0, 1), (1, 2)]))
    train = t.packed((["a", "b"], [(0, 1)]), t.CHAIN, t.CYCLE)
    found = most_alike(nameless, train)

    assert found.places_G.tolist() == [1]
    assert (found.edges_G.tolist(), found.compounds_G.tolist()) == ([0], [0])


def test_without_training_graphs_nothing_is_nearest():
    with pytest.raises(DataError, match="no training graph"):
        most_alike(made.graphs(), pack([]))
