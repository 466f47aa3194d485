"""One order of a graph's nodes, from its entry on: for models that make nodes one after another.

Shapes: B graphs, N nodes (padded).
"""

import torch
from torch import Tensor

from assay.pathways.batches import PathwayBatch


def breadth_first(batch: PathwayBatch) -> Tensor:
    """Return int64 (B, N): the node in each place, padding last; `batch.renumbered` takes it.

    Breadth first, as You et al., "GraphRNN", ICML 2018, section 2.3.4: every node but the first has
    a neighbour before it, if the graph is connected. The first is the one that gives most more
    than it takes; of nodes as far from it, that is what decides, too, and of nodes that give alike,
    the compound's place in the table. So the order does not depend on how nodes were numbered, but
    for nodes of one name, or of none.
    """
    rank_BN = _rank(batch)
    first_BN = (rank_BN == 0) & batch.mask_BN
    place_BN = _distances(batch, first_BN) * rank_BN.shape[1] + rank_BN
    beyond = torch.iinfo(torch.int64).max
    return place_BN.masked_fill(~batch.mask_BN, beyond).argsort(dim=1, stable=True)


def _rank(batch: PathwayBatch) -> Tensor:
    """Return int64 (B, N): places of nodes by what they give more than take, then by compound."""
    N = batch.mask_BN.shape[1]
    surplus_BN = batch.adjacency_BNN.sum(2) - batch.adjacency_BNN.sum(1)
    most = batch.compounds_BN.max() + 2
    key_BN = (N - surplus_BN) * most + batch.compounds_BN + 1
    key_BN = key_BN.masked_fill(~batch.mask_BN, torch.iinfo(torch.int64).max)
    return key_BN.argsort(dim=1, stable=True).argsort(dim=1)


def _distances(batch: PathwayBatch, first_BN: Tensor) -> Tensor:
    """Return int64 (B, N): edges from a node to the first, directions ignored; N if none leads."""
    A_BNN = (batch.adjacency_BNN | batch.adjacency_BNN.mT).float()
    N = first_BN.shape[1]
    reached_BN, front_BN = first_BN, first_BN
    found_BN = torch.full_like(first_BN, N, dtype=torch.int64).masked_fill(first_BN, 0)
    for distance in range(1, N):
        front_BN = ((front_BN.float().unsqueeze(1) @ A_BNN).squeeze(1) > 0) & ~reached_BN
        if not front_BN.any():
            break
        found_BN = found_BN.masked_fill(front_BN, distance)
        reached_BN = reached_BN | front_BN
    return found_BN
