"""Which pairs of a graph of many nodes are looked at closely.

What is cheap (one number a pair: the product of what two nodes give and take, attention) is always
computed of all pairs. What keeps a vector for each pair (what the encoder knows of it, what the
decoder looks at it through, messages along it) would take N² of them. Up to `Sparsity.beyond` nodes
it does. Of a larger graph the encoder keeps the edges that it sees, either way, and every node with
itself; the decoder keeps candidates, the best of each node by the cheap number. A graph's own nodes
decide, not what it is padded to: nothing depends on the graphs beside it.

Shapes: B graphs, N nodes (padded), P listed pairs.
"""

import torch
from pydantic import PositiveInt
from torch import Tensor

from assay.config import Settings
from assay.pathways.batches import PathwayBatch, pairs_of

Place = tuple[Tensor, Tensor, Tensor]
"""(P,) int64 each: graph, row and column of entries of a (B, N, N) matrix."""


class Sparsity(Settings):
    """From how many nodes on not all pairs of a graph are looked at closely."""

    beyond: PositiveInt = 128
    """Nodes; graphs of as many or fewer keep all their pairs."""
    candidates: PositiveInt = 16
    """Of a larger graph: edges from each node, and to each node, that are looked at closely."""


def places_of(listed_BNN: Tensor) -> Place:
    """Return where a bool (B, N, N) is True, in its order."""
    graph_P, row_P, column_P = listed_BNN.nonzero(as_tuple=True)
    return graph_P, row_P, column_P


def seen_pairs(batch: PathwayBatch, sparsity: Sparsity) -> Tensor | None:
    """Return bool (B, N, N): the pairs of which an encoder keeps features; None if it is all.

    Edges that the batch shows, their reverses, and each node with itself; of small graphs all.
    """
    mask_BN = batch.mask_BN
    if mask_BN.shape[1] <= sparsity.beyond:
        return None
    same_NN = torch.eye(mask_BN.shape[1], dtype=torch.bool, device=mask_BN.device)
    seen_BNN = batch.adjacency_BNN | batch.adjacency_BNN.mT | same_NN
    inside_BNN = mask_BN[:, :, None] & mask_BN[:, None, :]
    return inside_BNN & (seen_BNN | _small(mask_BN, sparsity))


def candidate_pairs(scores_BNN: Tensor, mask_BN: Tensor, sparsity: Sparsity) -> Tensor:
    """Return bool (B, N, N): the pairs of different nodes that a decoder looks at closely.

    Of each node the `candidates` best edges from it and the `candidates` best edges to it, by
    their scores; of small graphs all.
    """
    pairs_BNN = pairs_of(mask_BN)
    if mask_BN.shape[1] <= sparsity.beyond:
        return pairs_BNN
    shut_BNN = scores_BNN.detach().masked_fill(~pairs_BNN, -torch.inf)
    most = min(sparsity.candidates, mask_BN.shape[1])
    kept_BNN = torch.zeros_like(pairs_BNN)
    for dim in (1, 2):
        kept_BNN.scatter_(dim, shut_BNN.topk(most, dim=dim).indices, True)
    return pairs_BNN & (kept_BNN | _small(mask_BN, sparsity))


def _small(mask_BN: Tensor, sparsity: Sparsity) -> Tensor:
    """Return bool (B, 1, 1): whether a graph keeps all its pairs."""
    return (mask_BN.sum(1) <= sparsity.beyond)[:, None, None]
