"""The distances of metabolic graphs written down a second time, slowly, from their definitions.

They share no code with `assay.pathways.metrics`: double loops, networkx, and counting of induced
subgraphs by looking at every set of nodes. On undirected graphs (every edge both ways) they are the
definitions of DiGress, whose degree, clustering and spectrum networkx has.
"""

import cmath
import itertools
import math
from collections import Counter

import networkx as nx
import numpy as np
import pytest

from assay.pathways.metrics import descriptors, mmd
from tests.pathways.metrics import tiny as t

GENERATED, REFERENCE = t.random_graphs(8, seed=1), t.random_graphs(6, seed=2, density=0.45)


def digraph(graph):
    nodes, edges = graph
    found = nx.DiGraph()
    found.add_nodes_from(range(len(nodes)))
    found.add_edges_from(edges)
    return found


def total_variation(x, y):
    wide = max(len(x), len(y))
    x, y = [*x, *[0] * (wide - len(x))], [*y, *[0] * (wide - len(y))]
    return sum(abs(a - b) for a, b in zip(x, y, strict=True)) / 2


def slow_mmd(xs, ys, sigma, histogram):
    if histogram:
        xs, ys = ([[v / (sum(r) + 1e-6) for v in r] for r in rows] for rows in (xs, ys))

    def mean(one, other):
        total = 0.0
        for x in one:
            for y in other:
                total += math.exp(-(total_variation(x, y) ** 2) / (2 * sigma**2))
        return total / (len(one) * len(other))

    return mean(xs, xs) + mean(ys, ys) - 2 * mean(xs, ys)


def degree_rows(graph, of):
    degrees = [degree for _, degree in of(digraph(graph))]
    return [degrees.count(k) for k in range(max(degrees) + 1)]


def clustering_row(graph):
    """Fagiolo's coefficient, by closing every directed pair of neighbours."""
    G = digraph(graph)
    values = []
    for i in G:
        closed = possible = 0
        ends = [(j, way) for j in G for way in ("out", "in") if has(G, i, j, way)]
        for (j, _), (k, _) in itertools.permutations(ends, 2):
            if j == k:
                continue
            possible += 2
            closed += G.has_edge(j, k) + G.has_edge(k, j)
        values.append(closed / possible if possible else 0.0)
    return np.histogram(values, bins=100, range=(0, 1))[0].tolist()


def has(G, i, j, way):
    return G.has_edge(i, j) if way == "out" else G.has_edge(j, i)


def spectrum_row(graph):
    G = digraph(graph)
    N = len(G)
    H = [[0j] * N for _ in range(N)]
    for i, j in itertools.product(range(N), repeat=2):
        there, back = G.has_edge(i, j), G.has_edge(j, i)
        H[i][j] = (there + back) / 2 * cmath.exp(2j * cmath.pi * 0.25 * (there - back))
    degree = [sum(abs(value) for value in row) for row in H]
    L = [
        [
            (i == j) * (degree[i] > 0)
            - (H[i][j] / math.sqrt(degree[i] * degree[j]) if H[i][j] else 0)
            for j in range(N)
        ]
        for i in range(N)
    ]
    values = np.linalg.eigvals(np.array(L)).real
    values = np.clip(values, 0, 2)
    return np.histogram(values, bins=200, range=(-1e-5, 2))[0].tolist()


# Orbits of Pržulj (2007): a graphlet's sorted degrees and a node's degree name the orbit, but for
# the paw's and the diamond's, which they name as well.
ORBIT = {
    ((1, 1), 1): 0, ((1, 1, 2), 1): 1, ((1, 1, 2), 2): 2, ((2, 2, 2), 2): 3,
    ((1, 1, 2, 2), 1): 4, ((1, 1, 2, 2), 2): 5, ((1, 1, 1, 3), 1): 6, ((1, 1, 1, 3), 3): 7,
    ((2, 2, 2, 2), 2): 8, ((1, 2, 2, 3), 1): 9, ((1, 2, 2, 3), 2): 10, ((1, 2, 2, 3), 3): 11,
    ((2, 2, 3, 3), 2): 12, ((2, 2, 3, 3), 3): 13, ((3, 3, 3, 3), 3): 14,
}  # fmt: skip


def orbit_row(graph):
    G = digraph(graph).to_undirected()
    counts = Counter()
    for size in (2, 3, 4):
        for nodes in itertools.combinations(G, size):
            part = G.subgraph(nodes)
            if nx.is_connected(part):
                shape = tuple(sorted(degree for _, degree in part.degree))
                counts.update(ORBIT[shape, degree] for _, degree in part.degree)
    return [counts[orbit] / len(G) for orbit in range(15)]


SLOW = {
    "in_degree": lambda graph: degree_rows(graph, lambda G: G.in_degree),
    "out_degree": lambda graph: degree_rows(graph, lambda G: G.out_degree),
    "clustering": clustering_row,
    "spectrum": spectrum_row,
    "orbit": orbit_row,
}
SIGMAS = {"in_degree": 1, "out_degree": 1, "clustering": 0.1, "spectrum": 1, "orbit": 30}


@pytest.mark.parametrize("name", SLOW)
def test_mmd_is_the_double_loop_over_the_definition(name):
    if name == "orbit":
        pytest.importorskip("orbit_count")
    xs, ys = ([SLOW[name](graph) for graph in graphs] for graphs in (GENERATED, REFERENCE))
    expected = slow_mmd(xs, ys, SIGMAS[name], histogram=name != "orbit")
    found = mmd.evaluate(t.packed(*GENERATED), t.packed(*REFERENCE))[f"mmd/{name}"]

    assert found.value == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_orbit_counts_are_those_of_every_set_of_nodes():
    pytest.importorskip("orbit_count")
    found = descriptors.orbits(t.packed(*GENERATED, *REFERENCE))

    for row, graph in zip(found, [*GENERATED, *REFERENCE], strict=True):
        assert row == pytest.approx(orbit_row(graph))


def communities(count, seed):
    """Undirected graphs like comm20: two communities, dense within, sparse between."""
    generator = np.random.default_rng(seed)
    found = []
    for k in range(count):
        half = int(generator.integers(6, 11))
        G = nx.planted_partition_graph(2, half, 0.7, 0.05, seed=int(1000 * seed + k))
        found.append(G)
    return found


def test_on_undirected_graphs_it_is_the_definition_of_digress():
    # Degree, clustering and normalised-Laplacian spectrum as networkx has them.
    sets = [communities(10, seed=1), communities(8, seed=2)]
    packed = [
        t.packed(*[([str(v) for v in G], t.both_ways(G.edges)) for G in graphs]) for graphs in sets
    ]

    def spectre(G):
        values = np.linalg.eigvalsh(nx.normalized_laplacian_matrix(G).toarray())
        return np.histogram(values, bins=200, range=(-1e-5, 2))[0].tolist()

    def clusters(G):
        return np.histogram(list(nx.clustering(G).values()), bins=100, range=(0, 1))[0].tolist()

    definitions = {
        "in_degree": (nx.degree_histogram, 1.0),
        "out_degree": (nx.degree_histogram, 1.0),
        "clustering": (clusters, 0.1),
        "spectrum": (spectre, 1.0),
    }
    found = mmd.evaluate(*packed)
    for name, (of, sigma) in definitions.items():
        xs, ys = ([of(G) for G in graphs] for graphs in sets)
        expected = slow_mmd(xs, ys, sigma, histogram=True)
        assert found[f"mmd/{name}"].value == pytest.approx(expected, rel=1e-9), name


def test_directed_clustering_is_that_of_networkx():
    found = descriptors.clustering(t.packed(*GENERATED))
    for row, graph in zip(found, GENERATED, strict=True):
        values = list(nx.clustering(digraph(graph)).values())
        assert row.tolist() == np.histogram(values, bins=100, range=(0, 1))[0].tolist()
