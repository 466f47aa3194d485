"""What graphs are compared by: one row of numbers a graph, the same for every numbering of nodes.

An edge that is listed twice (two reactions) counts once; the compounds' names play no part.

Shapes: G graphs, N nodes of each graph of a batch, B columns.
"""

from collections.abc import Iterator
from importlib.util import find_spec

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from assay.errors import MachineError
from assay.pathways.graphs import PathwayGraphs

CLUSTERING_BINS = 100
SPECTRUM_BINS = 200
SPECTRUM_RANGE = (-1e-5, 2.0)
CHARGE = 0.25
"""q of the magnetic Laplacian: an edge without its reverse turns the phase by a quarter."""
ORBITS = 15
"""Of the graphlets of two to four nodes."""

_BATCH_CELLS = 1 << 20


def in_degrees(graphs: PathwayGraphs) -> NDArray[np.float64]:
    """Return (G, B) how many nodes have 0, 1, … incoming edges; B − 1 is the largest number."""
    return _degree_histograms(graphs, incoming=True)


def out_degrees(graphs: PathwayGraphs) -> NDArray[np.float64]:
    """Return (G, B) how many nodes have 0, 1, … outgoing edges; B − 1 is the largest number."""
    return _degree_histograms(graphs, incoming=False)


def clustering(graphs: PathwayGraphs) -> NDArray[np.float64]:
    """Return (G, 100) histograms over [0, 1] of the nodes' directed clustering coefficients.

    With S = A + Aᵀ, total degree d and r reciprocated neighbours, c = (S³)ᵢᵢ / 2(d(d − 1) − 2r); 0
    where the denominator is. Of an undirected graph (every edge both ways) it is the undirected
    coefficient. Source: Fagiolo, Phys. Rev. E 76 (2007) 026107, equation 8.
    """
    found = np.zeros((len(graphs), CLUSTERING_BINS))
    for chosen, A_BNN in batches(graphs):
        S_BNN = A_BNN.astype(np.float64) + A_BNN.transpose(0, 2, 1)
        triangles_BN = np.einsum("bij,bji->bi", S_BNN @ S_BNN, S_BNN)
        d_BN = S_BNN.sum(axis=2)
        r_BN = (A_BNN & A_BNN.transpose(0, 2, 1)).sum(axis=2)
        most_BN = 2 * (d_BN * (d_BN - 1) - 2 * r_BN)
        # Whole numbers up to the one division: every numbering of nodes falls into the same bins.
        c_BN = np.divide(triangles_BN, most_BN, out=np.zeros_like(most_BN), where=most_BN > 0)
        found[chosen] = _histograms(c_BN, CLUSTERING_BINS, (0.0, 1.0))
    return found


def spectrum(graphs: PathwayGraphs) -> NDArray[np.float64]:
    """Return (G, 200) histograms of the eigenvalues of the normalised magnetic Laplacian.

    L = D^½⁺ (D − H) D^½⁺, where H = (A + Aᵀ)/2 ∘ exp(2πiq (A − Aᵀ)), D its symmetrised degrees and
    ⁺ the inverse where there is one (the row of a lone node is 0). L is Hermitian with eigenvalues
    in [0, 2]; of an undirected graph it is the usual normalised Laplacian. Sources: Fanuel et al.,
    Applied and Computational Harmonic Analysis 44 (2018) 189; Zhang et al., "MagNet", NeurIPS 2021,
    equations 1 to 3; bins as in Martinkus et al., "SPECTRE", ICML 2022.
    """
    found = np.zeros((len(graphs), SPECTRUM_BINS))
    for chosen, A_BNN in batches(graphs):
        A = A_BNN.astype(np.float64)
        forward_BNN = A - A.transpose(0, 2, 1)
        weight_BNN = (A + A.transpose(0, 2, 1)) / 2
        d_BN = weight_BNN.sum(axis=2)
        scale_BN = np.divide(1.0, np.sqrt(d_BN), out=np.zeros_like(d_BN), where=d_BN > 0)
        H_BNN = weight_BNN * np.exp(2j * np.pi * CHARGE * forward_BNN)
        scale_BNN = scale_BN[:, :, None] * scale_BN[:, None, :]
        diagonal_BNN = (d_BN > 0)[:, :, None] * np.eye(A.shape[1])
        values_BN = np.linalg.eigvalsh(diagonal_BNN - H_BNN * scale_BNN)
        # The largest is exactly 2 for many graphs; rounding must not push it out of the last bin.
        found[chosen] = _histograms(values_BN.clip(0.0, 2.0), SPECTRUM_BINS, SPECTRUM_RANGE)
    return found


def orbits(graphs: PathwayGraphs) -> NDArray[np.float64]:
    """Return (G, 15) orbit counts of the underlying undirected graphs, the mean over nodes.

    Graphlets have two to four nodes and are induced. Source: Hočevar, Demšar, Bioinformatics 30
    (2014) 559 (ORCA), as counted by the package orbit-count.

    Raises:
        MachineError: orbit-count is not installed.
    """
    lacking = orbits_lack()
    if lacking is not None:
        raise MachineError(f"mmd/orbit: {lacking}")
    from orbit_count import batched_node_orbit_counts

    found = np.zeros((len(graphs), ORBITS))
    # Two orbits of two and three nodes need an edge: the package is not asked about empty graphs.
    some = [k for k in range(len(graphs)) if graphs.edge_counts[k]]
    undirected = [_undirected(graphs, k) for k in some]
    for k, counts_NO in zip(some, batched_node_orbit_counts(undirected), strict=True):
        found[k] = np.asarray(counts_NO, np.float64).mean(axis=0)
    return found


def orbits_lack() -> str | None:
    """Return what must be installed before orbits can be counted, as one sentence, or None."""
    if find_spec("orbit_count") is not None:
        return None
    return "orbit-count is not installed; run `pip install 'assay-bench[pathways]'`"


def batches(graphs: PathwayGraphs) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Yield graphs of one size at a time: their indices (B,) and adjacency matrices (B, N, N)."""
    for N in np.unique(graphs.node_counts).tolist():
        whole = np.flatnonzero(graphs.node_counts == N)
        rows = max(1, _BATCH_CELLS // max(N * N, 1))
        for begin in range(0, len(whole), rows):
            chosen = whole[begin : begin + rows]
            if N:
                yield chosen, np.stack([graphs.adjacency(k) for k in chosen.tolist()])


def degrees(graphs: PathwayGraphs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (ΣN,) incoming and (ΣN,) outgoing edges of every node; a repeated edge counts once."""
    ends = distinct_edges(graphs)
    total = int(graphs.node_counts.sum())
    return np.bincount(ends[1], minlength=total), np.bincount(ends[0], minlength=total)


def distinct_edges(graphs: PathwayGraphs) -> NDArray[np.int64]:
    """Return (2, E') source and target, each edge once, counted over the nodes of all graphs."""
    shift = np.repeat(graphs.node_offsets[:-1], graphs.edge_counts)
    return np.unique(graphs.edges.astype(np.int64) + shift, axis=1)


def _degree_histograms(graphs: PathwayGraphs, incoming: bool) -> NDArray[np.float64]:
    degree = degrees(graphs)[0 if incoming else 1]
    found = np.zeros((len(graphs), int(degree.max(initial=0)) + 1))
    np.add.at(found, (np.repeat(np.arange(len(graphs)), graphs.node_counts), degree), 1)
    return found


def _histograms(
    values_BN: NDArray[np.float64], bins: int, span: tuple[float, float]
) -> NDArray[np.float64]:
    """Return (B, bins) counts of each row, in bins as numpy.histogram makes them."""
    counts = [np.histogram(row, bins=bins, range=span)[0] for row in values_BN]
    return np.array(counts, np.float64)


def _undirected(graphs: PathwayGraphs, k: int) -> nx.Graph:
    found = nx.Graph()
    found.add_nodes_from(range(int(graphs.node_counts[k])))
    found.add_edges_from(graphs.edges_of(k).T.tolist())
    return found
