"""How alike pathways are by name, and which training graph is most like another one.

Shapes: G graphs, K training graphs, P features that a graph has or has not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from assay.errors import DataError
from assay.pathways.graphs import PathwayGraphs

SIMILARITY = (
    "Jaccard index of the sets of named edges, then of named compounds, then the nearest number of "
    "nodes; the first of equals"
)
"""By what a training graph is the most alike, in words."""


@dataclass(frozen=True)
class Alike:
    """For each of G graphs the training graph that is most like it."""

    places_G: NDArray[np.int64]
    """Positions among the training graphs."""
    edges_G: NDArray[np.float64]
    """Jaccard index of the two sets of named edges."""
    compounds_G: NDArray[np.float64]
    """That of the two sets of compounds."""


def most_alike(graphs: PathwayGraphs, train: PathwayGraphs) -> Alike:
    """Return the training graph that is most like each graph, by `SIMILARITY`.

    Nodes without a name share one; edges are directed.

    Raises:
        DataError: there is no training graph.
    """
    if not len(train):
        raise DataError("likeness: there is no training graph")
    own_N, their_N = _names(graphs, train)
    edges_GK = _jaccard(_edges(graphs, own_N), _edges(train, their_N), len(graphs), len(train))
    compounds_GK = _jaccard(
        np.stack([_owners(graphs.node_counts), own_N]),
        np.stack([_owners(train.node_counts), their_N]),
        len(graphs),
        len(train),
    )
    closer_GK = -np.abs(graphs.node_counts[:, None] - train.node_counts[None]).astype(np.float64)
    left_GK = np.ones(edges_GK.shape, np.bool_)
    for values_GK in (edges_GK, compounds_GK, closer_GK):
        shut_GK = np.where(left_GK, values_GK, -np.inf)
        left_GK &= shut_GK == shut_GK.max(1, keepdims=True)
    places_G = left_GK.argmax(1)
    rows_G = np.arange(len(graphs))
    return Alike(places_G, edges_GK[rows_G, places_G], compounds_GK[rows_G, places_G])


def _names(
    graphs: PathwayGraphs, train: PathwayGraphs
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (ΣN,) of either: what a node is called, numbered alike; 0 without a name."""
    numbers: dict[str, int] = {}

    def called(some: PathwayGraphs) -> NDArray[np.int64]:
        own = [numbers.setdefault(name, len(numbers) + 1) for name in some.compounds]
        # UNKNOWN is -1: the last place is that of nodes without a name.
        return np.array([*own, 0], np.int64)[some.nodes]

    return called(graphs), called(train)


def _edges(graphs: PathwayGraphs, names_N: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (2, ΣE): whose each edge is, and its two names as one number."""
    shift_E = np.repeat(graphs.node_offsets[:-1], graphs.edge_counts)
    source_E, target_E = names_N[graphs.edges + shift_E]
    return np.stack([_owners(graphs.edge_counts), (source_E << 32) | target_E])


def _owners(counts_G: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(counts_G)), counts_G)


def _jaccard(
    one_2P: NDArray[np.int64], other_2P: NDArray[np.int64], G: int, K: int
) -> NDArray[np.float64]:
    """Return (G, K): the index of the sets of features of graphs, each (owner, feature)."""
    features, place_P = np.unique(np.concatenate([one_2P[1], other_2P[1]]), return_inverse=True)
    width, split = len(features), one_2P.shape[1]
    a_GP = _incidence(one_2P[0], place_P[:split], (G, width))
    b_KP = _incidence(other_2P[0], place_P[split:], (K, width))
    shared_GK = (a_GP @ b_KP.T).toarray()
    either_GK = a_GP.sum(1)[:, None] + b_KP.sum(1)[None] - shared_GK
    return shared_GK / np.maximum(either_GK, 1)


def _incidence(
    owner_P: NDArray[np.int64], feature_P: NDArray[np.int64], shape: tuple[int, int]
) -> csr_array:
    """Return whether an owner has a feature, however often it is listed, as 0 and 1."""
    found = csr_array((np.ones(len(owner_P)), (owner_P, feature_P)), shape=shape)
    found.sum_duplicates()
    found.data[:] = 1
    return found
