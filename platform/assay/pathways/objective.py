"""The terms that the Graph VAE minimises: each a mean per entry of a graph, then over graphs.

Means, not sums: a sum over pairs would change every weight with the square of the nodes.

Shapes: B graphs, N nodes (padded), R classes of reactions, S candidates.
"""

import torch
from pydantic import NonNegativeFloat, NonNegativeInt
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, relu

from assay.config import Settings
from assay.pathways.batches import PathwayBatch
from assay.pathways.corpus import Corpus
from assay.pathways.decoder import Decoded
from assay.pathways.encoder import Gaussian
from assay.pathways.graphs import UNKNOWN

CANDIDATES = 256
"""Compounds among which each node's own is to be found; the same for all nodes of a step."""


class Weights(Settings):
    """Of the terms; one of weight 0 is not computed."""

    edges: NonNegativeFloat = 1.0
    """Cross-entropy of every ordered pair, edges weighted by `balance`."""
    existence: NonNegativeFloat = 0.1
    """Cross-entropy of how many nodes there are, slot by slot."""
    classes: NonNegativeFloat = 0.1
    """Cross-entropy of a node's class."""
    compounds: NonNegativeFloat = 0.1
    """Cross-entropy of a node's compound among others."""
    types: NonNegativeFloat = 0.1
    """Cross-entropies of an edge's reversibility and of its reaction's class."""
    kl: NonNegativeFloat = 0.05
    """Divergence of the latents from their prior, a mean per latent entry."""
    degree: NonNegativeFloat = 0.0
    """Expected degrees that real nodes do not have, squared."""


class Kullback(Settings):
    """How the divergence of the latents comes in."""

    warmup_steps: NonNegativeInt = 200
    """In which its weight grows from 0: Bowman et al., CoNLL 2016."""
    free_bits: NonNegativeFloat = 0.05
    """Nats a latent entry that cost the same as none: Kingma et al., NeurIPS 2016."""


def mean(values: Tensor, counted: Tensor) -> Tensor:
    """Return the mean over graphs of the mean of what counts of each; 0 where nothing does.

    Args:
        values: (B, …).
        counted: bool, of the same shape.
    """
    kept = values.masked_fill(~counted, 0).flatten(1).sum(1)
    return (kept / counted.flatten(1).sum(1).clamp(min=1)).mean()


def edges(decoded: Decoded, batch: PathwayBatch, weight: float) -> Tensor:
    """Return the cross-entropy over all ordered pairs; each non-edge is a negative.

    Edges count `weight` times. That moves the optimum by log(weight), which is taken off what the
    decoder says: its log odds stay those of the data.
    """
    shifted = decoded.edges_BNN + torch.tensor(weight).log()
    losses = binary_cross_entropy_with_logits(
        shifted,
        batch.adjacency_BNN.to(shifted.dtype),
        pos_weight=torch.tensor(weight, device=shifted.device),
        reduction="none",
    )
    return mean(losses, batch.pairs_BNN)


def existence(logits_BM: Tensor, batch: PathwayBatch) -> Tensor:
    """Return the cross-entropy of slots: that k nodes or more are there."""
    slots_M = torch.arange(logits_BM.shape[1], device=logits_BM.device)
    there_BM = slots_M < batch.mask_BN.sum(1, keepdim=True)
    losses = binary_cross_entropy_with_logits(
        logits_BM, there_BM.to(logits_BM.dtype), reduction="none"
    )
    return mean(losses, torch.ones_like(there_BM))


def classes(decoded: Decoded, batch: PathwayBatch) -> Tensor:
    """Return the cross-entropy of the classes of nodes."""
    losses = cross_entropy(decoded.classes_BNK.mT, batch.classes_BN, reduction="none")
    return mean(losses, batch.mask_BN)


def compounds(
    own_BN: Tensor, others_BNS: Tensor, targets_BN: Tensor, candidates_S: Tensor
) -> Tensor:
    """Return the cross-entropy of each node's compound among itself and the candidates.

    Args:
        own_BN: Logits of the compounds that nodes are.
        others_BNS: Logits of the candidates.
        targets_BN: int64, what nodes are; UNKNOWN ones do not count.
        candidates_S: int64.
    """
    itself = targets_BN.unsqueeze(-1) == candidates_S
    logits = torch.cat([own_BN.unsqueeze(-1), others_BNS.masked_fill(itself, -torch.inf)], -1)
    return mean(logits.logsumexp(-1) - own_BN, targets_BN != UNKNOWN)


def types(decoded: Decoded, batch: PathwayBatch) -> Tensor:
    """Return the cross-entropies of reversibility and, where it is known, of the reaction's class."""
    reversible = binary_cross_entropy_with_logits(
        decoded.reversible_BNN,
        batch.reversible_BNN.to(decoded.reversible_BNN.dtype),
        reduction="none",
    )
    reaction = cross_entropy(
        decoded.reactions_BNNR.permute(0, 3, 1, 2), batch.reactions_BNN, reduction="none"
    )
    known = batch.adjacency_BNN & (batch.reactions_BNN > 0)
    return mean(reversible, batch.adjacency_BNN) + mean(reaction, known)


def divergence(nodes: Gaussian, graph: Gaussian, mask_BN: Tensor, free_bits: float) -> Tensor:
    """Return the mean divergence of a latent entry, of nodes and of graphs alike.

    Below `free_bits` an entry of a graph, its mean over the graph's nodes, costs the same as none
    at all.
    """
    there_BN1 = mask_BN.unsqueeze(-1)
    of_nodes = (nodes.kl() * there_BN1).sum(1) / there_BN1.sum(1)
    return torch.cat([of_nodes, graph.kl()], -1).clamp(min=free_bits).mean()


def degree(decoded: Decoded, batch: PathwayBatch, corpus: Corpus) -> Tensor:
    """Return how far expected degrees are beyond what real nodes have, squared.

    By the limits that 99.9 % of the training nodes keep to, above; below, by 1: a compound of a
    pathway takes part in a reaction.
    """
    chance_BNN = decoded.edges_BNN.sigmoid() * batch.pairs_BNN
    incoming_BN, outgoing_BN = chance_BNN.sum(1), chance_BNN.sum(2)
    beyond = (
        relu(incoming_BN - corpus.limits.in_degree) ** 2
        + relu(outgoing_BN - corpus.limits.out_degree) ** 2
        + relu(1 - incoming_BN - outgoing_BN) ** 2
    )
    return mean(beyond, batch.mask_BN)
