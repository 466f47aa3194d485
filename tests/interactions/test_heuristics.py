import math

import numpy as np
import pytest

from assay.interactions import heuristics
from assay.interactions.heuristics import HEURISTICS, paths_of_length_3
from tests.interactions.graphs import adjacency, graph, random_graph


def test_a_path_of_four_by_hand():
    """From 0 to 3 there is one path, by nodes 1 and 2 of degree 2; from 0 to 2 there is none."""
    path = graph(4, (0, 1), (1, 2), (2, 3))

    found = paths_of_length_3(path, np.array([[0, 3], [0, 2]]))

    assert found == pytest.approx([0.5, 0.0])


def test_the_sum_written_out():
    of = random_graph(10, 0.4)
    a, degree = adjacency(of).numpy(), adjacency(of).numpy().sum(0)
    pairs = np.argwhere(np.triu(a == 0, k=1))

    expected = [
        sum(
            a[u, x] * a[x, y] * a[y, v] / math.sqrt(degree[x] * degree[y])
            for x in range(10)
            for y in range(10)
            if degree[x] and degree[y]
        )
        for u, v in pairs
    ]

    assert paths_of_length_3(of, pairs) == pytest.approx(expected)


def test_a_lone_node_scores_nothing():
    assert paths_of_length_3(graph(3, (0, 1)), np.array([[0, 2]])).tolist() == [0.0]


def test_neighbours_in_common_by_hand():
    """0 and 3 share 1, of degree 2, and 2, of degree 3."""
    of = graph(5, (0, 1), (0, 2), (1, 3), (2, 3), (2, 4))
    pairs = np.array([[0, 3], [3, 0], [1, 4]])

    assert heuristics.common_neighbours(of, pairs).tolist() == [2, 2, 0]
    expected = 1 / math.log(2) + 1 / math.log(3)
    assert heuristics.adamic_adar(of, pairs) == pytest.approx([expected, expected, 0])
    assert heuristics.resource_allocation(of, pairs) == pytest.approx([1 / 2 + 1 / 3] * 2 + [0])


def test_an_edge_that_is_given_twice_is_one():
    twice = graph(3, (0, 1), (0, 1), (1, 2))

    assert heuristics.adjacency_of(twice).toarray().tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    assert heuristics.common_neighbours(twice, np.array([[0, 2]])).tolist() == [1]


@pytest.mark.parametrize("name", sorted(HEURISTICS))
def test_blocks_of_nodes_change_nothing(name, monkeypatch):
    of = random_graph(40, 0.3)
    pairs = np.argwhere(np.triu(np.ones((40, 40)), k=1))
    whole = HEURISTICS[name](of, pairs)
    monkeypatch.setattr(heuristics, "BLOCK", 40 * 7)

    assert np.array_equal(HEURISTICS[name](of, pairs), whole)
