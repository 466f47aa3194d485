"""Small graphs whose figures can be written down by hand, and graphs that hypothesis draws."""

import numpy as np
from hypothesis import strategies as st

from assay.pathways.graphs import Pathway, PathwayGraphs, pack

CHAIN = (["a", "b", "c"], [(0, 1), (1, 2)])
CYCLE = (["a", "b", "c"], [(0, 1), (1, 2), (2, 0)])
FORK = (["a", "b", "c"], [(0, 1), (0, 2)])
PAIR = (["a", "b"], [(0, 1)])
BOTH_WAYS = (["a", "b"], [(0, 1), (1, 0)])
APART = (["a", "b", "c", "d"], [(0, 1), (2, 3)])


def packed(*graphs, **more) -> PathwayGraphs:
    return pack(
        Pathway(id=f"p{k}", nodes=nodes, edges=edges, **more)
        for k, (nodes, edges) in enumerate(graphs)
    )


def both_ways(edges):
    return [pair for a, b in edges for pair in ((a, b), (b, a))]


def relabelled(graph, order):
    """The same graph with node k moved to place order[k]."""
    nodes, edges = graph
    moved = [None] * len(nodes)
    for k, place in enumerate(order):
        moved[place] = nodes[k]
    return moved, [(order[s], order[t]) for s, t in edges]


@st.composite
def graphs(draw, least=1, most=7, names=None):
    N = draw(st.integers(least, most))
    pairs = [(s, t) for s in range(N) for t in range(N) if s != t]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    nodes = [f"n{k}" for k in range(N)]
    if names is not None:
        nodes = draw(st.lists(st.sampled_from(names), min_size=N, max_size=N))
    return nodes, edges


@st.composite
def graphs_and_orders(draw, **how):
    graph = draw(graphs(**how))
    return graph, draw(st.permutations(range(len(graph[0]))))


def random_graphs(count, seed=0, most=9, density=0.3):
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        N = int(generator.integers(2, most))
        hit = generator.random((N, N)) < density
        np.fill_diagonal(hit, False)
        found.append(([f"n{k}" for k in range(N)], np.argwhere(hit).tolist()))
    return found
