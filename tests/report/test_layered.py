from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

from assay.report.layered import layered

DIAMOND = [(0, 1), (0, 2), (1, 3), (2, 3)]
RING = [(0, 1), (1, 2), (2, 3), (3, 0)]


def layer_of(found) -> dict:
    return {slot: row for row, layer in enumerate(found.slots) for slot in layer}


def crossings(found) -> int:
    """Pairs of pieces between the same two layers that cross."""
    place = {slot: k for layer in found.slots for k, slot in enumerate(layer)}
    rows = layer_of(found)
    pieces = [
        tuple(sorted(piece, key=rows.__getitem__))
        for way in found.ways.values()
        for piece in pairwise(way)
    ]
    return sum(
        rows[a] == rows[c] and (place[a] - place[c]) * (place[b] - place[d]) < 0
        for k, (a, b) in enumerate(pieces)
        for c, d in pieces[:k]
    )


def random_graph(seed: int, N: int = 14):
    random = np.random.default_rng(seed)
    pairs = {tuple(sorted(map(int, random.choice(N, 2, replace=False)))) for _ in range(20)}
    return N, [(a, b) if random.random() < 0.5 else (b, a) for a, b in sorted(pairs)]


def test_edges_lead_down():
    rows = layer_of(layered(4, DIAMOND))

    assert [rows[node] for node in range(4)] == [0, 1, 1, 2]


def test_of_a_ring_one_edge_leads_up():
    found = layered(4, RING)
    rows = layer_of(found)

    up = [(s, t) for s, t in RING if rows[s] > rows[t]]
    assert up == [(3, 0)]
    assert found.ways[3, 0] == [3, (3, 0, 2), (3, 0, 1), 0]


def test_a_long_edge_has_a_place_in_every_layer_that_it_passes():
    found = layered(4, [(0, 1), (1, 2), (2, 3), (0, 3)])

    assert found.ways[0, 3] == [0, (0, 3, 1), (0, 3, 2), 3]
    assert [len(layer) for layer in found.slots] == [1, 2, 2, 1]


def test_a_late_source_stands_above_what_it_gives_to():
    rows = layer_of(layered(5, [(0, 1), (1, 2), (2, 3), (4, 3)]))

    assert rows[4] == rows[2]


def test_layers_are_ordered_so_that_lines_do_not_cross():
    crossed = [(0, 2), (0, 3), (1, 4), (1, 5), (2, 9), (3, 8), (4, 7), (5, 6)]

    assert crossings(layered(10, crossed)) == 0


@pytest.mark.parametrize("seed", range(6))
def test_every_node_is_once_in_a_layer_and_every_edge_goes_from_layer_to_layer(seed):
    N, edges = random_graph(seed)
    found = layered(N, edges)
    rows = layer_of(found)

    nodes = [slot for layer in found.slots for slot in layer if isinstance(slot, int)]
    assert sorted(nodes) == list(range(N))
    assert all(found.slots), "no layer is empty"
    for (source, target), way in found.ways.items():
        assert (way[0], way[-1]) == (source, target)
        steps = {rows[b] - rows[a] for a, b in pairwise(way)}
        assert steps in ({1}, {-1})
    down = nx.DiGraph((s, t) for s, t in edges if rows[s] < rows[t])
    assert nx.is_directed_acyclic_graph(down)
    assert layered(N, edges) == found


def test_a_graph_without_nodes_has_no_layers():
    assert layered(0, []).slots == []
    assert layered(2, []).slots == [[0, 1]]
