import tracemalloc
from itertools import islice

import numpy as np
import pytest
import torch

from assay.interactions import hard_negatives, heuristics
from assay.interactions.data.links import Graph
from assay.interactions.hard_negatives import candidates, evaluate
from assay.interactions.heuristics import adjacency_of, degrees_of
from tests.interactions.graphs import adjacency, graph, random_graph


def brute_force(score, edges, found):
    """The reciprocal ranks, one pair at a time, ties counted half."""
    ranks = []
    for u, v in edges:
        mine = score(np.array([[u, v]]))[0]
        others = [score(np.array([[end, w]]))[0] for end in (u, v) for w in found[end]]
        ranks.append(1 + sum(s > mine for s in others) + sum(s == mine for s in others) / 2)
    return 1 / np.array(ranks), np.array(ranks) <= 20


def test_ranks_are_those_of_each_edge_among_its_own_negatives():
    of, edges = random_graph(30, 0.3), random_graph(30, 0.05, seed=1).edges_E2.numpy()
    found = candidates(of, np.concatenate([of.edges_E2.numpy(), edges]), 12)
    table = np.random.default_rng(0).integers(0, 9, (30, 30))
    score = lambda pairs: (table + table.T)[pairs[:, 0], pairs[:, 1]].astype(float)  # noqa: E731

    estimates = evaluate(score, edges, found)

    reciprocal, hits = brute_force(score, edges, found)
    assert estimates["heart/mrr"].value == pytest.approx(reciprocal.mean())
    assert estimates["heart/hits_at_20"].value == pytest.approx(hits.mean())
    assert estimates["heart/mrr"].low < reciprocal.mean() < estimates["heart/mrr"].high


def test_a_constant_predictor_is_in_the_middle():
    of = random_graph(40, 0.2)
    edges = of.edges_E2.numpy()
    found = candidates(of, edges, 10)

    estimates = evaluate(lambda pairs: np.zeros(len(pairs)), edges, found)

    assert estimates["heart/mrr"].value == pytest.approx(1 / 11)


def test_candidates_are_no_edges_each_once_and_never_the_node_itself():
    of = random_graph(30, 0.4)
    held_out = random_graph(30, 0.1, seed=2).edges_E2.numpy()
    edges = np.concatenate([of.edges_E2.numpy(), held_out])
    matrix = adjacency(of).numpy().astype(bool)
    matrix[held_out[:, 0], held_out[:, 1]] = matrix[held_out[:, 1], held_out[:, 0]] = True

    found = candidates(of, edges, 8)

    assert found.shape == (30, 8)
    for node, row in enumerate(found):
        assert len(set(row)) == 8
        assert node not in row
        assert not matrix[node, row].any()


def test_the_best_are_those_that_either_heuristic_takes_for_edges():
    """0 shares two neighbours with 3 and none with 5, which is far from it."""
    of = graph(7, (0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (4, 5), (5, 6))

    found = candidates(of, of.edges_E2.numpy(), 2)

    assert found[0, 0] == 3
    assert 6 not in found[0]


def test_pagerank_is_where_the_walker_is_found():
    """Node 9 has no neighbour: there the walker stays."""
    of = graph(10, *map(tuple, random_graph(9, 0.5).edges_E2.tolist()))
    matrix = adjacency(of).numpy()
    step = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    start = np.array([2, 5, 9])

    sparse = adjacency_of(of)
    found = hard_negatives._pagerank(sparse, np.maximum(degrees_of(sparse), 1), start).T

    walker = np.eye(10)
    for _ in range(400):
        walker = hard_negatives.RETURN * np.eye(10) + (1 - hard_negatives.RETURN) * walker @ step
    np.testing.assert_allclose(found, walker[start], atol=1e-12)
    np.testing.assert_allclose(found.sum(1), [1, 1, hard_negatives.RETURN])


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4])
def test_candidates_are_those_of_the_inverted_matrix(share):
    """Both heuristics as the protocol defines them, written out densely."""
    of = random_graph(150, share)
    edges = of.edges_E2.numpy()
    matrix = adjacency(of).numpy()
    degree = np.maximum(matrix.sum(0), 1)
    walk = np.eye(150) - (1 - hard_negatives.RETURN) * matrix / degree[:, None]
    both = (matrix / degree) @ matrix, hard_negatives.RETURN * np.linalg.inv(walk)
    barred = (matrix > 0) | np.eye(150, dtype=bool)
    rank = np.minimum(*(hard_negatives._ranks(scores, barred) for scores in both))

    expected = np.argsort(rank, axis=1, kind="stable")[:, :20]

    assert np.array_equal(candidates(of, edges, 20), expected)


def test_blocks_change_nothing(monkeypatch):
    of = random_graph(40, 0.3)
    whole = candidates(of, of.edges_E2.numpy(), 9)
    monkeypatch.setattr(heuristics, "BLOCK", 40 * 7)

    assert np.array_equal(candidates(of, of.edges_E2.numpy(), 9), whole)


def test_no_array_is_of_all_pairs(monkeypatch):
    """Not even of one byte a pair: what is held at a time is a block, of which two are made."""
    V, pairs = 6000, np.random.default_rng(0).integers(0, 6000, (30_000, 2))
    edges = pairs[pairs[:, 0] < pairs[:, 1]]
    of = Graph(V, torch.from_numpy(edges))
    two = lambda nodes, n_nodes: islice(heuristics.blocks(nodes, n_nodes), 2)  # noqa: E731
    monkeypatch.setattr(heuristics, "BLOCK", 1 << 15)
    monkeypatch.setattr(hard_negatives, "blocks", two)
    tracemalloc.start()

    candidates(of, edges, 10)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < V**2 / 2


def test_who_has_fewer_is_held_against_fewer():
    """Node 0 has an edge with all but 4."""
    of = graph(5, (0, 1), (0, 2), (0, 3))

    found = candidates(of, of.edges_E2.numpy(), 9)

    assert found.shape == (5, 5)
    assert sorted(found[0].tolist()) == [-1, -1, -1, -1, 4]
    scores = {(0, 4): 2.0}
    score = lambda pairs: np.array([scores.get((u, w), 0.5) for u, w in pairs.tolist()])  # noqa: E731
    estimates = evaluate(score, np.array([[0, 1]]), found)
    # Above it the pair 0-4; with it tie 1-2, 1-3 and 1-4.
    assert estimates["heart/mrr"].value == pytest.approx(1 / (1 + 1 + 1.5))


def test_of_equal_rank_the_lower_node_comes_first():
    of = graph(6, (0, 1))

    assert candidates(of, of.edges_E2.numpy(), 3)[5].tolist() == [0, 1, 2]
