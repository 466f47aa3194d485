import torch

from assay.interactions.sampling import Neighbours
from tests.interactions.graphs import adjacency, graph, random_graph

OF = random_graph(60, 0.3)
MATRIX = adjacency(OF)
PAIRS = torch.tensor([[3, 50], [7, 3]])


def edges_of(part):
    """The edges of a part, by the nodes of the graph."""
    local = part.messages.edges_2M.t()
    return {tuple(sorted(pair)) for pair in part.nodes_N[local].tolist()}


def test_each_node_has_so_many_of_its_own_neighbours():
    found = Neighbours.of(OF).sample(torch.arange(60), 5, seed=0, step=0)

    assert all(MATRIX[u, v] for u, v in found.tolist())
    assert torch.equal(torch.bincount(found[:, 0]), torch.full((60,), 5))


def test_a_node_of_few_neighbours_has_all_and_a_lone_one_none():
    of = graph(5, (0, 1), (0, 2), (1, 2))

    found = Neighbours.of(of).sample(torch.tensor([0, 4, 1]), 9, seed=0, step=0)

    assert found.tolist() == [[0, 1], [0, 2], [1, 0], [1, 2]]


def test_all_neighbours_are_as_likely():
    neighbours, node = Neighbours.of(OF), torch.tensor([7])
    drawn = torch.cat([neighbours.sample(node, 4, 0, step)[:, 1] for step in range(2000)])

    shares = torch.bincount(drawn, minlength=60).double()[MATRIX[7] > 0] / 8000

    expected = 1 / len(shares)
    assert float((shares - expected).abs().max()) < 5 * (expected / 8000) ** 0.5


def test_a_nodes_neighbours_depend_on_seed_step_and_node_alone():
    neighbours = Neighbours.of(OF)
    among = neighbours.sample(torch.tensor([5, 9, 30]), 4, 1, 2)
    alone = neighbours.sample(torch.tensor([9]), 4, 1, 2)

    assert torch.equal(among[among[:, 0] == 9], alone)
    assert not torch.equal(alone, neighbours.sample(torch.tensor([9]), 4, 1, 3))
    assert not torch.equal(alone, neighbours.sample(torch.tensor([9]), 4, 2, 2))


def test_with_all_neighbours_a_part_is_everything_within_reach():
    path = graph(6, (0, 1), (1, 2), (2, 3), (3, 4), (4, 5))

    part = Neighbours.of(path).around(torch.tensor([[0, 1]]), (9, 9), 0, 0, None)

    assert part.nodes_N.tolist() == [0, 1, 2, 3]
    assert edges_of(part) == {(0, 1), (1, 2), (2, 3)}
    assert part.local(torch.tensor([[1, 3]])).tolist() == [[1, 3]]


def test_hidden_edges_are_not_in_the_part():
    hidden = torch.tensor([[1, 0]])
    path = graph(4, (0, 1), (1, 2), (2, 3))

    part = Neighbours.of(path).around(hidden, (9, 9), 0, 0, hidden)

    assert (0, 1) not in edges_of(part)
    assert {0, 1} <= set(part.nodes_N.tolist())


def test_a_part_is_smaller_and_of_the_graphs_own_edges():
    part = Neighbours.of(OF).around(PAIRS, (3, 2), 0, 0, None)

    assert len(part.nodes_N) < 30
    assert all(MATRIX[u, v] for u, v in edges_of(part))
    assert set(PAIRS.flatten().tolist()) <= set(part.nodes_N.tolist())
