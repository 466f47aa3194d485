"""Sketches of what has no fixed size, for a state to rebuild: a description's and a network's.

Shapes: B planets, T tokens of a text, H buckets, N nodes, F features, R classes of reactions, C
columns of a network's sketch.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from assay.pathways.batches import PathwayBatch
from assay.pathways.compounds import FEATURES
from assay.pathways.graphs import REACTION_CLASSES

BUCKETS = 512
COMPOSITION = len(FEATURES) + len(REACTION_CLASSES)
RUN = 3
"""Tokens that are hashed together."""
_MULTIPLIERS = (-7046029254386353131, -4658895280553007687, -7723592293110705685)
"""Odd, of 64 bits."""


def grams(ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """Return bool (B, H): which buckets the runs of three tokens of a text fall into.

    Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009.
    """
    whole_BT = pad(mask_BT[:, RUN - 1 :], (0, RUN - 1))
    counts_BH = torch.zeros(len(ids_BT), BUCKETS, device=ids_BT.device)
    counts_BH.scatter_add_(1, runs(ids_BT, BUCKETS), whole_BT.to(counts_BH.dtype))
    return counts_BH > 0


def runs(ids_BT: Tensor, buckets: int) -> Tensor:
    """Return int64 (B, T): the bucket of each token and the two after it, 0 beyond the end."""
    parts = pad(ids_BT, (0, RUN - 1)).unfold(1, RUN, 1).unbind(-1)
    mixed_BT = torch.zeros_like(ids_BT)
    for part_BT, by in zip(parts, _MULTIPLIERS, strict=True):
        mixed_BT = mixed_BT + part_BT * by
    return (mixed_BT >> 40) % buckets


def composition(networks: PathwayBatch) -> Tensor:
    """Return (B, C): the mean of the compounds' features, and the shares of reactions' classes."""
    mask_BN1 = networks.mask_BN.unsqueeze(-1)
    features_BF = (networks.features_BNF * mask_BN1).sum(1) / mask_BN1.sum(1)
    kinds_R = torch.arange(len(REACTION_CLASSES), device=mask_BN1.device)
    edges_BNN1 = networks.adjacency_BNN.unsqueeze(-1)
    of_kind_BR = (edges_BNN1 & (networks.reactions_BNN.unsqueeze(-1) == kinds_R)).sum((1, 2))
    return torch.cat([features_BF, of_kind_BR / edges_BNN1.sum((1, 2)).clamp(min=1)], -1)
