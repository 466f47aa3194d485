"""What learns nothing, and must be beaten: rewired, random and copied graphs.

Each makes graphs like those it is given, deterministically by a seed. They mark the floor of a
table: a model that does not beat Erdős–Rényi has learnt no density, one that does not beat rewiring
has learnt no structure beyond degrees, and copies show what a perfect distance costs in novelty.

Shapes: G graphs, N nodes and E edges of a graph.
"""

from collections.abc import Callable

import numpy as np

from assay.errors import DataError
from assay.pathways.graphs import Pathway, PathwayGraphs, pack
from assay.pathways.likeness import most_alike

SWAPS_AN_EDGE = 10
"""Swaps that are tried, for each edge of a graph."""


def rewired(graphs: PathwayGraphs, seed: int = 0) -> PathwayGraphs:
    """Return graphs with the in- and out-degree of every node kept, and all else forgotten.

    Two edges a → b and c → d become a → d and c → b, unless that makes a loop or an edge that is
    there. Sources: Maslov, Sneppen, Science 296 (2002) 910; Milo et al., "On the uniform generation
    of random graphs with prescribed degree sequences" (2003), section 4.
    """
    return _made(graphs, _swapped, seed)


def erdos_renyi(graphs: PathwayGraphs, seed: int = 0) -> PathwayGraphs:
    """Return graphs of as many nodes and edges, with every set of edges equally likely.

    Source: Erdős, Rényi, Publicationes Mathematicae 6 (1959) 290: G(n, M), on ordered pairs.
    """
    return _made(graphs, _uniform, seed)


def erdos_renyi_joined(graphs: PathwayGraphs, seed: int = 0) -> PathwayGraphs:
    """Return such graphs in one piece, as far as their edges suffice: what assembly alone does.

    Models' graphs begin as a spanning tree of the likeliest edges (`assembly.likely_edges`), here
    of random ones: Kruskal, Proc. AMS 7 (1956) 48.
    """
    return _made(graphs, _spanning, seed)


def copied(train: PathwayGraphs, count: int, seed: int = 0) -> PathwayGraphs:
    """Return `count` training graphs, each as often as any other, give or take one; none is novel.

    Raises:
        DataError: there is no training graph.
    """
    if not len(train):
        raise DataError("floors: there is no training graph to copy")
    generator = np.random.default_rng(seed)
    rounds = -(-count // len(train))
    order = np.concatenate([generator.permutation(len(train)) for _ in range(rounds)] or [[]])
    return train.select(order[:count].astype(np.int64))


def nearest(graphs: PathwayGraphs, train: PathwayGraphs) -> PathwayGraphs:
    """Return, for each graph, the training graph that is most like it (`likeness.most_alike`).

    As a floor of conditional generation and of reconstruction: look it up.

    Raises:
        DataError: there is no training graph.
    """
    return train.select(most_alike(graphs, train).places_G)


_Edges = list[tuple[int, int]]


def _swapped(generator: np.random.Generator, edges: _Edges, N: int) -> _Edges:
    """Return the edges after swaps of their targets."""
    found, there, E = list(edges), set(edges), len(edges)
    if E < 2:
        return found
    for i, j in generator.integers(E, size=(SWAPS_AN_EDGE * E, 2)).tolist():
        (a, b), (c, d) = found[i], found[j]
        if a == d or c == b or (a, d) in there or (c, b) in there:
            continue
        there -= {(a, b), (c, d)}
        found[i], found[j] = (a, d), (c, b)
        there |= {(a, d), (c, b)}
    return found


def _uniform(generator: np.random.Generator, edges: _Edges, N: int) -> _Edges:
    """Return as many edges, drawn from all ordered pairs of different nodes."""
    drawn = generator.choice(max(N * (N - 1), 1), size=len(edges), replace=False)
    source, step = np.divmod(drawn, max(N - 1, 1))
    # The pair's second number counts the other nodes, so that it never names the first.
    return list(zip(source.tolist(), (step + (step >= source)).tolist(), strict=True))


def _spanning(generator: np.random.Generator, edges: _Edges, N: int) -> _Edges:
    """Return as many edges: in a random order, those that join two pieces first."""
    piece = list(range(N))
    joining, others = [], []
    for pair in generator.permutation(N * (N - 1)).tolist():
        source, step = divmod(pair, N - 1)
        target = step + (step >= source)
        one, other = piece[source], piece[target]
        if one == other:
            others.append((source, target))
            continue
        joining.append((source, target))
        piece = [one if each == other else each for each in piece]
    return (joining + others)[: len(edges)]


def _made(
    graphs: PathwayGraphs,
    make: Callable[[np.random.Generator, _Edges, int], _Edges],
    seed: int,
) -> PathwayGraphs:
    """Return each graph with its nodes and as many other edges, of which as many are reversible.

    The k-th edge that is made has the k-th edge's attribute; reactions are not known any more.
    """
    found = []
    for k in range(len(graphs)):
        # A stream a graph: a graph does not depend on those before it.
        generator = np.random.default_rng([seed, k])
        flags = _reversible(graphs, k)
        made = make(generator, list(flags), int(graphs.node_counts[k]))
        edges = dict(sorted(zip(made, flags.values(), strict=True)))
        found.append(
            Pathway(
                id=graphs.ids[k],
                nodes=graphs.names_of(k),
                edges=list(edges),
                reversible=list(edges.values()),
                environment=_environment(graphs, k),
            )
        )
    return pack(found)


def _reversible(graphs: PathwayGraphs, k: int) -> dict[tuple[int, int], bool]:
    """Return the distinct edges of a graph, ascending, and whether each is reversible."""
    flags = graphs.reversible[graphs.edge_offsets[k] : graphs.edge_offsets[k + 1]].tolist()
    found: dict[tuple[int, int], bool] = {}
    for (source, target), flag in sorted(zip(graphs.edges_of(k).T.tolist(), flags, strict=True)):
        found[source, target] = found.get((source, target), False) or flag
    return found


def _environment(graphs: PathwayGraphs, k: int) -> list[float | None]:
    known, values = graphs.environment_known[k].tolist(), graphs.environment[k].tolist()
    return [value if there else None for there, value in zip(known, values, strict=True)]
