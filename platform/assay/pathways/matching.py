"""Which decoded node is which node of a real graph, where nothing but the graphs themselves tells.

A transport plan between the two sets of nodes, by what each node seems to be and how many edges it
has: Sinkhorn's iteration (Cuturi, NeurIPS 2013; for permutations, Mena et al., ICLR 2018), which
has gradients. Simonovsky and Komodakis (ICANN 2018) match by max-pooling to the same end.

Shapes: B graphs, N nodes (padded), K classes of compounds.
"""

import torch
from torch import Tensor

from assay.pathways.batches import PathwayBatch
from assay.pathways.decoder import Decoded
from assay.pathways.means import mean

ROUNDS = 20
"""Of Sinkhorn's iteration."""
TEMPERATURE = 0.5
"""Of costs, which are in nats."""
DEGREE = 0.5
"""Nats that a difference of one edge costs, squared."""


def costs(decoded: Decoded, batch: PathwayBatch) -> Tensor:
    """Return (B, N, N): what it costs to take the row's decoded node for the column's real one.

    The cross-entropy of its class, and squared differences of in- and out-degrees; no numbering.
    """
    unlike_BNK = -decoded.nodes.classes_BNK.log_softmax(-1)
    index = batch.classes_BN.unsqueeze(1).expand(-1, unlike_BNK.shape[1], -1)
    found_BNN = unlike_BNK.gather(2, index)
    chance_BNN = decoded.edges_BNN.sigmoid() * batch.pairs_BNN
    edges_BNN = batch.adjacency_BNN.to(chance_BNN.dtype)
    for dim in (1, 2):
        gap_BNN = chance_BNN.sum(dim).unsqueeze(2) - edges_BNN.sum(dim).unsqueeze(1)
        found_BNN = found_BNN + DEGREE * gap_BNN**2
    return found_BNN


def plan(decoded: Decoded, batch: PathwayBatch) -> Tensor:
    """Return (B, N, N): a doubly stochastic matrix for each graph; padding is taken for itself."""
    mask_BN = batch.mask_BN
    inside_BNN = mask_BN[:, :, None] & mask_BN[:, None, :]
    eye_NN = torch.eye(mask_BN.shape[1], dtype=torch.bool, device=mask_BN.device)
    # Finite, so that gradients are; e^-60 is nothing.
    log_BNN = (-costs(decoded, batch) / TEMPERATURE).masked_fill(~inside_BNN, -60.0)
    log_BNN = log_BNN.masked_fill(eye_NN & ~inside_BNN, 0.0)
    for _ in range(ROUNDS):
        log_BNN = log_BNN - log_BNN.logsumexp(2, keepdim=True)
        log_BNN = log_BNN - log_BNN.logsumexp(1, keepdim=True)
    return log_BNN.exp()


def matched_edges(decoded: Decoded, batch: PathwayBatch) -> Tensor:
    """Return the squared error of the adjacency that the plan S makes of the decoded one.

    Of each ordered pair: (Sᵀ Â S)(u, v) against A(u, v). Numbering the real graph otherwise
    changes nothing.
    """
    plan_BNN = plan(decoded, batch)
    chance_BNN = decoded.edges_BNN.sigmoid() * batch.pairs_BNN
    moved_BNN = plan_BNN.mT @ chance_BNN @ plan_BNN
    errors_BNN = (moved_BNN - batch.adjacency_BNN.to(moved_BNN.dtype)) ** 2
    return mean(errors_BNN, batch.pairs_BNN)


@torch.no_grad()
def rounded(plan_BNN: Tensor) -> Tensor:
    """Return int64 (B, N): for each decoded node the real one that it is taken for, each once.

    The largest entry of the plan is taken, then the largest of what is left.
    """
    B, N, _ = plan_BNN.shape
    left_BNN, rows_B = plan_BNN.clone(), torch.arange(B, device=plan_BNN.device)
    order_BN = torch.zeros(B, N, dtype=torch.int64, device=plan_BNN.device)
    for _ in range(N):
        place_B = left_BNN.flatten(1).argmax(1)
        u_B, v_B = place_B // N, place_B % N
        order_BN[rows_B, u_B] = v_B
        left_BNN[rows_B, u_B] = -1
        left_BNN[rows_B, :, v_B] = -1
    return order_BN
