"""Whole graphs from probabilities: which edges, and which compounds, of all that are likely.

What decodes every edge by itself needs it: edges that are drawn one by one make pieces. All
decoders of one shot use the same rules, so that models are compared and not their tricks.

Shapes: B graphs, N nodes (padded), V compounds.
"""

import torch
from torch import Tensor

from assay.pathways.batches import pair_draws
from assay.training.draws import Draws


def likely_edges(
    logits_BNN: Tensor, pairs_BNN: Tensor, connected: bool, ways_BNN: Tensor | None = None
) -> Tensor:
    """Return bool (B, N, N): the most likely edges, as many as are expected.

    The number of edges is the sum of the probabilities, rounded. If a graph is to be connected, the
    edges of a weakly spanning tree of the largest log odds are taken first (Kruskal, Proc. AMS 7
    (1956) 48), then the others from the most likely on.

    Args:
        logits_BNN: Calibrated log odds.
        pairs_BNN: bool, the pairs that there are.
        connected: Whether a way joins any two nodes, directions ignored.
        ways_BNN: bool, the directions that may be taken (`drawn_ways`); all if there are none.
    """
    open_BNN = pairs_BNN if ways_BNN is None else pairs_BNN & ways_BNN
    shut_BNN = logits_BNN.masked_fill(~open_BNN, -torch.inf)
    count_B = (logits_BNN.sigmoid() * pairs_BNN).sum((1, 2)).round().long()
    taken_BNN = torch.zeros_like(pairs_BNN)
    if connected:
        taken_BNN = spanning_trees(shut_BNN)
        shut_BNN = shut_BNN.masked_fill(taken_BNN, torch.inf)
    order_BP = shut_BNN.flatten(1).argsort(dim=1, descending=True, stable=True)
    rank_BP = order_BP.argsort(dim=1)
    return taken_BNN | ((rank_BP < count_B[:, None]).view_as(pairs_BNN) & open_BNN)


def drawn_ways(draws: Draws, N: int, both: float) -> Tensor:
    """Return bool (B, N, N): directions for scores that have none, one of each pair, or both.

    Of equal scores the likeliest edges would be pairs of an edge and its reverse, and of single
    ones that from the lower number, whatever the model.

    Args:
        draws: One stream a graph.
        N: Nodes.
        both: Share of the pairs that may be joined in both directions.
    """
    drawn_BNN = pair_draws(draws, N, "ways")
    upwards_NN = torch.ones(N, N, dtype=torch.bool, device=drawn_BNN.device).triu(1)
    upwards_BNN = torch.where(drawn_BNN < (1 + both) / 2, upwards_NN, upwards_NN.mT)
    return upwards_BNN | (drawn_BNN < both)


def spanning_trees(logits_BNN: Tensor) -> Tensor:
    """Return bool (B, N, N): N − 1 edges that join the nodes of each graph, of largest sum.

    Args:
        logits_BNN: -inf where there is no pair; what has none is no node.
    """
    B, N, _ = logits_BNN.shape
    rows_B = torch.arange(B, device=logits_BNN.device)
    joined_BNN = torch.eye(N, dtype=torch.bool, device=logits_BNN.device).repeat(B, 1, 1)
    found_BNN = torch.zeros_like(joined_BNN)
    for _ in range(N - 1):
        best_B, place_B = logits_BNN.masked_fill(joined_BNN, -torch.inf).flatten(1).max(1)
        u_B, v_B = place_B // N, place_B % N
        is_edge_B = best_B > -torch.inf
        found_BNN[rows_B, u_B, v_B] |= is_edge_B
        pieces_BNN = joined_BNN[rows_B, u_B][:, :, None] & joined_BNN[rows_B, v_B][:, None, :]
        joined_BNN |= (pieces_BNN | pieces_BNN.mT) & is_edge_B[:, None, None]
    return found_BNN


def distinct_compounds(logits_BNV: Tensor, mask_BN: Tensor, draws: Draws) -> Tensor:
    """Return int64 (B, N): a compound for each node, no compound twice in a graph.

    Node after node draws from the compounds that those before it have left.

    Args:
        logits_BNV: -inf for what is never drawn; more compounds than nodes are left.
        mask_BN: Nodes that there are.
        draws: One stream a graph.
    """
    B, N, V = logits_BNV.shape
    unit_BN = draws.uniform("compound", N).unsqueeze(-1)
    free_BV = torch.ones(B, V, dtype=torch.bool, device=logits_BNV.device)
    found = []
    for n in range(N):
        odds_BV = logits_BNV[:, n].masked_fill(~free_BV, -torch.inf).softmax(-1)
        cumulative_BV = odds_BV.cumsum(-1)
        below_BV = cumulative_BV < unit_BN[:, n] * cumulative_BV[:, -1:]
        drawn_B1 = below_BV.sum(-1, keepdim=True).clamp(max=V - 1)
        found.append(drawn_B1)
        free_BV.scatter_(1, drawn_B1, ~mask_BN[:, n : n + 1])
    return torch.cat(found, dim=1)
