"""Small graphs with known properties."""

import torch

from assay.interactions.data.links import Graph


def graph(n_nodes: int, *edges: tuple[int, int]) -> Graph:
    """A graph of the given edges, each written u < v."""
    return Graph(n_nodes, torch.tensor(edges, dtype=torch.int64).reshape(-1, 2))


def random_graph(n_nodes: int, share: float, seed: int = 0) -> Graph:
    """A graph in which each pair is an edge with probability `share`."""
    u, v = torch.triu_indices(n_nodes, n_nodes, offset=1)
    drawn = torch.rand(len(u), generator=torch.Generator().manual_seed(seed)) < share
    return Graph(n_nodes, torch.stack([u, v], dim=1)[drawn])


def renumbered(of: Graph, order: torch.Tensor) -> Graph:
    """The same graph with node `order[k]` called k."""
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    return Graph(of.n_nodes, place[of.edges_E2].sort(dim=1).values)


def adjacency(of: Graph) -> torch.Tensor:
    """The dense float64 adjacency matrix, filled edge by edge."""
    matrix = torch.zeros(of.n_nodes, of.n_nodes, dtype=torch.float64)
    for u, v in of.edges_E2.tolist():
        matrix[u, v] = matrix[v, u] = 1
    return matrix
