import networkx as nx
import torch

from assay.pathways.assembly import (
    distinct_compounds,
    drawn_ways,
    likely_edges,
    spanning_trees,
)
from assay.training.draws import Draws


def inside(N: int) -> torch.Tensor:
    return ~torch.eye(N, dtype=torch.bool)[None]


def test_the_tree_is_the_one_of_largest_sum():
    torch.manual_seed(0)
    logits = torch.randn(1, 7, 7).masked_fill(~inside(7), -torch.inf)

    found = spanning_trees(logits)[0]

    best = nx.Graph()
    for u in range(7):
        for v in range(u):
            best.add_edge(u, v, weight=float(max(logits[0, u, v], logits[0, v, u])))
    expected = nx.maximum_spanning_tree(best).size(weight="weight")
    assert found.sum() == 6
    torch.testing.assert_close(logits[0][found].sum(), torch.tensor(expected).float())


def test_what_is_beyond_a_graph_is_never_joined():
    pairs = inside(5).repeat(2, 1, 1)
    pairs[1, 3:] = False
    pairs[1, :, 3:] = False

    found = likely_edges(torch.full((2, 5, 5), -9.0), pairs, connected=True)

    assert found.sum((1, 2)).tolist() == [4, 2]
    assert not (found & ~pairs).any()


def test_there_are_as_many_edges_as_are_expected_and_the_most_likely_ones():
    logits = torch.full((1, 4, 4), -20.0)
    logits[0, 0, 1], logits[0, 1, 2], logits[0, 3, 2] = 9.0, 8.0, 0.4

    free = likely_edges(logits, inside(4), connected=False)[0]
    joined = likely_edges(logits, inside(4), connected=True)[0]

    assert free.nonzero().tolist() == [[0, 1], [1, 2], [3, 2]], "0.6 of an edge makes one"
    assert joined.tolist() == free.tolist()
    logits[0, 3, 2] = -0.5
    assert likely_edges(logits, inside(4), connected=False)[0].sum() == 2
    assert likely_edges(logits, inside(4), connected=True)[0].sum() == 3


def test_scores_without_a_direction_are_given_one_by_a_draw():
    """Else the likeliest edges are pairs of an edge and its reverse, from the lower number."""
    torch.manual_seed(0)
    G, N = 400, 12
    logits = torch.randn(G, N, N) - 1.5
    logits = (logits + logits.mT) / 2
    pairs = inside(N).repeat(G, 1, 1)
    ways = drawn_ways(Draws(0, 0, torch.arange(G)), N, both=0.1)

    plain = likely_edges(logits, pairs, connected=True)
    found = likely_edges(logits, pairs, connected=True, ways_BNN=ways)

    def both_ways(edges: torch.Tensor) -> float:
        return float((edges & edges.mT).sum() / edges.sum())

    def upwards(edges: torch.Tensor) -> float:
        one_way = edges & ~edges.mT
        return float(one_way.triu().sum() / one_way.sum())

    assert (ways | ways.mT)[pairs].all()
    assert abs(float((ways & ways.mT)[pairs].float().mean()) - 0.1) < 0.01
    assert found.sum() == plain.sum()
    assert both_ways(plain) > 0.8
    assert both_ways(found) < 0.25
    assert upwards(plain) == 1
    assert abs(upwards(found) - 0.5) < 0.02


def test_no_compound_is_twice_in_a_graph_and_none_that_is_shut_out():
    logits = torch.zeros(3, 5, 8)
    logits[..., 6:] = -torch.inf
    mask = torch.ones(3, 5, dtype=torch.bool)
    draws = Draws(0, 0, torch.arange(3))

    found = distinct_compounds(logits, mask, draws)

    assert found.max() < 6
    assert all(len(set(row)) == 5 for row in found.tolist())
    assert len({tuple(row) for row in found.tolist()}) > 1


def test_a_certain_node_takes_its_compound():
    logits = torch.zeros(1, 3, 6)
    logits[0, 0, 4] = 50
    mask = torch.ones(1, 3, dtype=torch.bool)

    found = distinct_compounds(logits, mask, Draws(0, 0, torch.arange(1)))[0]

    assert found[0] == 4
    assert 4 not in found[1:].tolist()
