"""A directed graph as a drawing from the top to the bottom: which layer, which place in it.

After Sugiyama, Tagawa, Toda, "Methods for visual understanding of hierarchical system structures",
IEEE Trans. SMC 11 (1981) 109: edges that close a cycle are turned for a while, a node's layer is
the length of the longest way to it, long edges get a place in every layer that they pass, and
layers are put in the order of their neighbours' means. networkx finds cycles and layers.

Shapes: N nodes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx

SWEEPS = 2
"""Down and up again, in which layers are ordered."""

Edge = tuple[int, int]
Slot = int | tuple[int, int, int]
"""A node; or source, target and layer of an edge that passes through."""


@dataclass(frozen=True)
class Layers:
    """Where nodes and passing edges are."""

    slots: Sequence[Sequence[Slot]]
    """Of each layer, from the top: what is in it, from left to right."""
    ways: Mapping[Edge, Sequence[Slot]]
    """Of each edge: what its line goes through, from source to target."""


def layered(count: int, edges: Sequence[Edge]) -> Layers:
    """Return the layers of a graph.

    Args:
        count: N; nodes are 0 … N − 1.
        edges: Distinct, between different nodes; of an edge and its reverse only one.
    """
    graph = nx.DiGraph()
    # Sources first, so that ways are followed from their beginning.
    targets = {target for _, target in edges}
    graph.add_nodes_from(sorted(range(count), key=lambda node: (node in targets, node)))
    graph.add_edges_from(edges)
    graph.remove_edges_from(_closing(graph))
    layer_of = _layer_of(graph)
    ways = {edge: _way(edge, layer_of) for edge in edges}
    slots: list[list[Slot]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for node in range(count):
        slots[layer_of[node]].append(node)
    for way in ways.values():
        for passing in way[1:-1]:
            assert isinstance(passing, tuple)
            slots[passing[2]].append(passing)
    return Layers(_ordered(slots, list(ways.values())), ways)


def _closing(graph: nx.DiGraph) -> list[Edge]:
    """Return the edges that lead back to where a depth-first search has come from."""
    found, above = [], set()
    for source, target, kind in nx.dfs_labeled_edges(graph):
        if kind == "forward":
            above.add(target)
        elif kind == "reverse":
            above.discard(target)
        elif target in above:
            found.append((source, target))
    return found


def _layer_of(graph: nx.DiGraph) -> dict[int, int]:
    """Return the layer of each node of a graph without cycles; sources are just above the rest."""
    found = {
        node: layer
        for layer, nodes in enumerate(nx.topological_generations(graph))
        for node in nodes
    }
    for node in graph:
        if not graph.pred[node] and graph.succ[node]:
            found[node] = min(found[other] for other in graph.succ[node]) - 1
    return found


def _way(edge: Edge, layer_of: Mapping[int, int]) -> list[Slot]:
    source, target = edge
    first, last = layer_of[source], layer_of[target]
    step = 1 if last > first else -1
    passed: list[Slot] = [(source, target, layer) for layer in range(first + step, last, step)]
    return [source, *passed, target]


def _ordered(slots: Sequence[Sequence[Slot]], ways: Sequence[Sequence[Slot]]) -> list[list[Slot]]:
    """Return layers in the order of the means above, on the way down, and below, on the way up."""
    row = {slot: k for k, layer in enumerate(slots) for slot in layer}
    above: dict[Slot, list[Slot]] = {slot: [] for slot in row}
    below: dict[Slot, list[Slot]] = {slot: [] for slot in row}
    for way in ways:
        for pair in pairwise(way):
            upper, lower = sorted(pair, key=row.__getitem__)
            below[upper].append(lower)
            above[lower].append(upper)
    found = [list(layer) for layer in slots]
    place = {slot: _middle(k, layer) for layer in found for k, slot in enumerate(layer)}
    for sweep in range(2 * SWEEPS):
        down = sweep % 2 == 0
        joined = above if down else below
        for layer in found if down else reversed(found):
            means = {slot: _mean([place[o] for o in joined[slot]], place[slot]) for slot in layer}
            layer.sort(key=means.__getitem__)
            place |= {slot: _middle(k, layer) for k, slot in enumerate(layer)}
    return found


def _middle(k: int, layer: Sequence[Slot]) -> float:
    """Return a place counted from the middle of the layer."""
    return k - (len(layer) - 1) / 2


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
