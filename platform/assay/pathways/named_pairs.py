"""Pairs of named compounds: in how many graphs they are together, and are an edge.

Shapes: G graphs, B graphs of a batch, N nodes, E edges, P distinct pairs of names.
"""

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.packing import rows_of
from assay.pathways.batches import PathwayBatch
from assay.pathways.graphs import UNKNOWN, PathwayGraphs


def pairs_of(
    graphs: PathwayGraphs,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return ordered pairs of named compounds (P,), in how many graphs they are, and are an edge.

    A pair is source · V + target, ascending.
    """
    V, counts_G = len(graphs.compounds), graphs.node_counts
    nodes = graphs.nodes.astype(np.int64)
    # Every node with all nodes of its graph.
    source = np.repeat(nodes, np.repeat(counts_G, counts_G))
    target = nodes[rows_of(counts_G, np.repeat(np.arange(len(graphs)), counts_G))]
    named = (source != UNKNOWN) & (target != UNKNOWN) & (source != target)
    codes_P, both_P = np.unique((source * V + target)[named], return_counts=True)
    shift_E = np.repeat(graphs.node_offsets[:-1], graphs.edge_counts)
    owner_E = np.repeat(np.arange(len(graphs)), graphs.edge_counts)
    s, t = nodes[graphs.edges[0] + shift_E], nodes[graphs.edges[1] + shift_E]
    named = (s != UNKNOWN) & (t != UNKNOWN) & (s != t)
    once = np.unique(np.stack([owner_E, s * V + t])[:, named], axis=1)[1]
    edges_P = np.zeros_like(both_P)
    np.add.at(edges_P, np.searchsorted(codes_P, once), 1)
    return codes_P, both_P, edges_P


def pair_codes(batch: PathwayBatch, V: int) -> NDArray[np.int64]:
    """Return (B, N, N): the pairs of a batch as `pairs_of` writes them; UNKNOWN without a name."""
    compounds_BN = batch.compounds_BN.cpu().numpy()
    named_BN = compounds_BN != UNKNOWN
    code_BNN = compounds_BN[:, :, None] * V + compounds_BN[:, None, :]
    return np.where(named_BN[:, :, None] & named_BN[:, None, :], code_BNN, UNKNOWN)
