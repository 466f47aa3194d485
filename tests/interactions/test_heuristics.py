import math

import numpy as np
import pytest

from assay.interactions.heuristics import paths_of_length_3
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
