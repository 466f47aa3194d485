from itertools import combinations

import pytest
import torch

from assay.errors import DataError
from assay.interactions.negatives import NonEdges
from assay.training.draws import Draws
from tests.interactions.graphs import Graph, graph, random_graph


def absent(of: Graph) -> set[tuple[int, int]]:
    edges = set(map(tuple, of.edges_E2.tolist()))
    seen = sorted({node for edge in edges for node in edge})
    return set(combinations(seen, 2)) - edges


def star(V) -> Graph:
    """Node 0 joined to all others."""
    ends = torch.arange(1, V)
    return Graph(V, torch.stack([torch.zeros_like(ends), ends], dim=1))


def test_a_node_without_an_edge_is_in_no_pair():
    drawn = NonEdges.of(graph(9, (0, 3), (3, 7))).pairs(torch.arange(1))

    assert drawn.tolist() == [[0, 7]]


@pytest.mark.parametrize(
    "of",
    [graph(6, (0, 1), (4, 5)), random_graph(30, 0.2), random_graph(30, 0.9)],
    ids=["first and last", "sparse", "dense"],
)
def test_ranks_name_every_pair_that_is_no_edge_once(of):
    numbered = NonEdges.of(of)

    pairs = list(map(tuple, numbered.pairs(torch.arange(numbered.count)).tolist()))

    assert len(pairs) == len(set(pairs))
    assert set(pairs) == absent(of)


def test_the_last_pair_of_many_nodes_is_exact():
    V = 1_000_000
    numbered = NonEdges.of(star(V))
    ranks = torch.tensor([0, numbered.count - V + 2, numbered.count - V + 1, numbered.count - 1])

    assert numbered.pairs(ranks).tolist() == [[1, 2], [1, V - 1], [V - 3, V - 2], [V - 2, V - 1]]


def test_draws_are_never_edges_and_all_alike():
    of = random_graph(12, 0.5)
    draws = Draws(0, 0, torch.arange(3000))

    drawn = NonEdges.of(of).draw(draws, 10).flatten(0, 1)

    pairs, counts = drawn.unique(dim=0, return_counts=True)
    assert set(map(tuple, pairs.tolist())) == absent(of)
    expected = 30_000 / len(pairs)
    # Chi-squared with as many degrees of freedom as pairs: mean k, variance 2k.
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    assert abs(chi2 - len(pairs)) < 5 * (2 * len(pairs)) ** 0.5


def test_pairs_are_reached_that_one_uniform_number_of_24_bits_would_never_name():
    numbered = NonEdges.of(star(8000))

    drawn = numbered.draw(Draws(0, 0, torch.arange(20_000)), 1)

    u, v = drawn.flatten(0, 1).unbind(-1)
    ranks = v * (v - 1) // 2 + u - v
    nearest = (ranks * 2**24 / numbered.count - 0.5).ceil()
    reached = ((nearest + 0.5) / 2**24 * numbered.count).floor() == ranks
    assert float(reached.double().mean()) == pytest.approx(2**24 / numbered.count, abs=0.02)


def test_a_records_negatives_depend_on_seed_step_and_record_alone():
    numbered, ids = NonEdges.of(random_graph(30, 0.2)), torch.tensor([7, 3, 11, 40])

    whole = numbered.draw(Draws(5, 2, ids), 3)
    part = numbered.draw(Draws(5, 2, ids[2:]), 3)

    assert torch.equal(whole[2:], part)
    assert not torch.equal(whole, numbered.draw(Draws(5, 3, ids), 3))
    assert not torch.equal(whole, numbered.draw(Draws(6, 2, ids), 3))


def test_a_graph_without_a_free_pair_is_refused():
    with pytest.raises(DataError, match=r"all 3 pairs of the 3 nodes are training edges"):
        NonEdges.of(graph(3, (0, 1), (0, 2), (1, 2)))
