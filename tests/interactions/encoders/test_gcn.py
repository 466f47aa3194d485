import math

import torch

from assay.interactions.encoders.gcn import GCN, GCNSettings, propagation
from tests.interactions.graphs import adjacency, graph, random_graph, renumbered


def encoder(of, depth=2, width=6) -> GCN:
    torch.manual_seed(0)
    made = GCN(GCNSettings(width=width, depth=depth), of)
    with torch.no_grad():
        for layer in made.layers:
            layer.bias.normal_()
    return made


def test_the_propagation_of_two_joined_nodes_and_a_lone_one_by_hand():
    """Degrees with self-loops are 2, 2 and 1: 1/√(2·2) between the joined, 1 for the lone one."""
    expected = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])

    torch.testing.assert_close(propagation(graph(3, (0, 1))), expected)


def test_layers_are_the_formula_written_out_node_by_node():
    of = random_graph(9, 0.3)
    made, x_VD = encoder(of), torch.randn(9, 6)
    matrix = adjacency(of)

    h = x_VD.double()
    for number, layer in enumerate(made.layers):
        weight, bias = layer.weight.detach().double(), layer.bias.detach().double()
        h = h.clamp(min=0) if number else h
        rows = []
        for v in range(9):
            near = [u for u in range(9) if u == v or matrix[u, v]]
            degree = {u: 1 + matrix[u].sum() for u in range(9)}
            rows.append(
                sum((weight @ h[u] + bias) / math.sqrt(degree[u] * degree[v]) for u in near)
            )
        h = torch.stack(rows)

    torch.testing.assert_close(made(x_VD).detach().double(), h, rtol=1e-5, atol=1e-5)


def test_renumbering_the_nodes_renumbers_the_outputs():
    of, order = (
        random_graph(12, 0.3),
        torch.randperm(12, generator=torch.Generator().manual_seed(1)),
    )
    x_VD = torch.randn(12, 6)

    here, there = encoder(of)(x_VD), encoder(renumbered(of, order))(x_VD[order])

    torch.testing.assert_close(there, here[order], rtol=1e-5, atol=1e-6)


def test_what_is_farther_than_the_layers_reach_does_not_matter():
    path = graph(5, (0, 1), (1, 2), (2, 3), (3, 4))
    x_VD = torch.randn(5, 6)
    changed = x_VD.clone()
    changed[3] += 1

    moved = (encoder(path)(x_VD) - encoder(path)(changed)).abs().amax(1) > 0

    assert moved.tolist() == [False, True, True, True, True]


def test_the_graph_is_no_part_of_a_checkpoint():
    assert all(name.startswith("layers.") for name in encoder(random_graph(5, 0.5)).state_dict())
