import math

import pytest
import torch

from assay.interactions.features.edges import edge_attributes
from assay.interactions.heuristics import HEURISTICS
from tests.interactions.graphs import graph, random_graph, renumbered

SQUARE = graph(5, (0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (3, 4))
"""Two triangles on the edge 1-2, and 4 at the end of 3."""


def test_scores_by_hand():
    found = edge_attributes(SQUARE, ["common_neighbours"])

    # Of the edges in their order: 1, 1, 2, 1, 1 and 0 neighbours in common.
    logs = torch.tensor([1, 1, 2, 1, 1, 0], dtype=torch.float64).log1p()
    expected = (logs - logs.mean()) / logs.std(correction=0)
    torch.testing.assert_close(found[:, 0], expected.float())
    assert found[2, 0] > found[0, 0] > found[5, 0]


def test_every_heuristic_is_a_column_of_mean_0_and_variance_1():
    of = random_graph(30, 0.3)
    found = edge_attributes(of, list(HEURISTICS))

    assert found.shape == (len(of.edges_E2), len(HEURISTICS))
    torch.testing.assert_close(found.mean(0), torch.zeros(len(HEURISTICS)), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std(0, correction=0), torch.ones(len(HEURISTICS)))
    last = edge_attributes(of, [list(HEURISTICS)[-1]])
    torch.testing.assert_close(last[:, 0], found[:, -1])


def test_walks_along_the_edge_itself_are_not_counted():
    logs = edge_attributes(SQUARE, ["paths_of_length_3"])[:, 0].double()

    # 0-2-3-1, 0-1-3-2, 1-0-2-3 and 2-0-1-3 are the paths; 1-2 and 3-4 have none.
    nines, sixes = 9**-0.5, 6**-0.5
    by_hand = torch.tensor([nines, nines, 0, sixes, sixes, 0], dtype=torch.float64).log1p()
    expected = (by_hand - by_hand.mean()) / by_hand.std(correction=0)
    torch.testing.assert_close(logs, expected, atol=1e-5, rtol=0)


def test_edges_that_are_all_alike_are_told_nothing():
    ring = graph(4, (0, 1), (1, 2), (2, 3), (0, 3))

    assert edge_attributes(ring, ["adamic_adar"]).tolist() == [[0.0]] * 4


def test_it_follows_the_numbering_of_nodes():
    of = random_graph(12, 0.4)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    other = renumbered(of, order)
    here, there = (edge_attributes(each, ["resource_allocation"])[:, 0] for each in (of, other))
    by_pair = {tuple(p): v for p, v in zip(other.edges_E2.tolist(), there.tolist(), strict=True)}
    place = {node: k for k, node in enumerate(order.tolist())}

    for (u, v), value in zip(of.edges_E2.tolist(), here.tolist(), strict=True):
        moved = tuple(sorted((place[u], place[v])))
        assert math.isclose(by_pair[moved], value, abs_tol=1e-6)


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "sparse"])
def test_each_direction_of_an_edge_is_told_the_same(dense):
    from assay.interactions.messages import Messages

    told = edge_attributes(SQUARE, ["common_neighbours", "adamic_adar"])
    messages = Messages(SQUARE, dense, told)
    seen = messages.without(None)

    for k, (u, v) in enumerate(SQUARE.edges_E2.tolist()):
        for one, other in ((u, v), (v, u)):
            if dense:
                found = seen.attributes_AVV[:, one, other]
            else:
                (place,) = (
                    (messages.edges_2M[0] == one) & (messages.edges_2M[1] == other)
                ).nonzero()[:, 0]
                found = seen.attributes()[place]
            assert torch.equal(found, told[k])
    if not dense:
        hidden = messages.without(SQUARE.edges_E2[:2])
        assert hidden.edges().shape[1] == len(hidden.attributes()) == 8
