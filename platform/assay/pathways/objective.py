"""The terms that the Graph VAE minimises: each a mean per entry of a graph, then over graphs.

Means, not sums: a sum over pairs would change every weight with the square of the nodes.

Shapes: B graphs, N nodes (padded), R classes of reactions, S candidates, Z heavy elements.
"""

import math

import torch
from pydantic import NonNegativeFloat, NonNegativeInt
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, normalize, relu

from assay.config import Settings
from assay.pathways.batches import PathwayBatch
from assay.pathways.corpus import Corpus
from assay.pathways.decoder import Decoded, Kinds
from assay.pathways.encoder import Gaussian
from assay.pathways.graphs import UNKNOWN
from assay.pathways.means import mean, mean_of_list

CANDIDATES = 256
"""Compounds among which each node's own is to be found; the same for all nodes of a step."""
LARGEST_LOG = 6.0
"""Of log(1 + atoms), whatever is decoded: 400 atoms."""


class Weights(Settings):
    """Of the terms; one of weight 0 is not computed."""

    edges: NonNegativeFloat = 1.0
    """Cross-entropy of every ordered pair, edges weighted by `balance`."""
    existence: NonNegativeFloat = 0.1
    """Cross-entropy of how many nodes there are, slot by slot."""
    classes: NonNegativeFloat = 0.1
    """Cross-entropy of a node's class."""
    compounds: NonNegativeFloat = 0.3
    """Cross-entropy of a node's compound among others."""
    types: NonNegativeFloat = 0.1
    """Cross-entropies of an edge's reversibility and of its reaction's class."""
    kl: NonNegativeFloat = 0.2
    """Divergence of the latents from their prior, a mean per latent entry."""
    degree: NonNegativeFloat = 0.0
    """Expected degrees that real nodes do not have, squared."""
    matching: NonNegativeFloat = 0.0
    """Error of the adjacency once decoded nodes are matched with real ones, not by number."""
    modules: NonNegativeFloat = 0.0
    """Cross-entropies of a graph's modules and their members; above 0 modules are decoded first."""
    contrast: NonNegativeFloat = 0.0
    """That two views of a graph, without different edges, agree on its nodes."""
    adversarial: NonNegativeFloat = 0.0
    """The cross-entropy of edges once inputs are moved to where it grows most."""
    elements: NonNegativeFloat = 0.0
    """Error of decoded formulas, and atoms that likely edges do not conserve."""


class Kullback(Settings):
    """How the divergence of the latents comes in."""

    warmup_steps: NonNegativeInt = 200
    """In which its weight grows from 0: Bowman et al., CoNLL 2016."""
    free_bits: NonNegativeFloat = 0.05
    """Nats a latent entry that cost the same as none: Kingma et al., NeurIPS 2016."""


def edges(decoded: Decoded, batch: PathwayBatch, weight: float) -> Tensor:
    """Return the cross-entropy over all ordered pairs; each non-edge is a negative.

    Edges count `weight` times. That moves the optimum by log(weight), which is taken off what the
    decoder says: its log odds stay those of the data. Those before a refinement count alike.
    """
    target_BNN = batch.adjacency_BNN.to(decoded.edges_BNN.dtype)
    found = []
    for logits_BNN in (decoded.edges_BNN, *decoded.earlier):
        losses = binary_cross_entropy_with_logits(
            logits_BNN + math.log(weight),
            target_BNN,
            pos_weight=torch.tensor(weight, device=logits_BNN.device),
            reduction="none",
        )
        found.append(mean(losses, batch.pairs_BNN))
    return torch.stack(found).mean()


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
    losses = cross_entropy(decoded.nodes.classes_BNK.mT, batch.classes_BN, reduction="none")
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


def types(kinds: Kinds, batch: PathwayBatch) -> Tensor:
    """Return the cross-entropies of reversibility and, where known, of the reaction's class.

    Args:
        kinds: Of the edges that there are.
        batch: The graphs.
    """
    reversible_P = binary_cross_entropy_with_logits(
        kinds.reversible_P,
        batch.reversible_BNN[kinds.place].to(kinds.reversible_P.dtype),
        reduction="none",
    )
    reactions_P = batch.reactions_BNN[kinds.place]
    reaction_P = cross_entropy(kinds.reactions_PR, reactions_P, reduction="none")
    graph_P, every_P = kinds.place[0], torch.ones_like(reactions_P, dtype=torch.bool)
    return mean_of_list(reversible_P, every_P, graph_P, len(batch)) + mean_of_list(
        reaction_P, reactions_P > 0, graph_P, len(batch)
    )


def divergence(
    nodes: Gaussian | None, mask_BN: Tensor, graph_BL: Tensor, free: float, drawn: bool
) -> Tensor:
    """Return the mean divergence of a latent entry, of nodes and of graphs alike.

    Args:
        nodes: Latents of nodes, of which a graph's entry is the mean over its nodes.
        mask_BN: bool, the nodes that there are.
        graph_BL: Divergences of the entries of graphs.
        free: Nats; an entry that diverges less costs as much as if it did.
        drawn: Whether those of graphs are estimates by one draw, of which none is free: the mean
            of what is cut off below is no longer that of the divergence, and has no gradient where
            a draw happens to be small.
    """
    parts = [graph_BL if drawn else graph_BL.clamp(min=free)]
    if nodes is not None:
        there_BN1 = mask_BN.unsqueeze(-1)
        of_nodes_BL = (nodes.kl() * there_BN1).sum(1) / there_BN1.sum(1)
        parts.append(of_nodes_BL.clamp(min=free))
    return torch.cat(parts, -1).mean()


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


def elements(
    atoms_BNZ: Tensor, edges_BNN: Tensor, batch: PathwayBatch, real_BNZ: Tensor, known_BN: Tensor
) -> Tensor:
    """Return how wrong the decoded heavy atoms are, and how many likely edges do not conserve.

    The squared error of log(1 + atoms); and 1 − 2 Σ min(u, v) / (Σ u + Σ v) over elements of the
    two ends' decoded atoms, a mean over the edges that are expected. Dice's index, by which
    generated pathways are judged.

    Args:
        atoms_BNZ: log(1 + atoms), decoded.
        edges_BNN: Log odds of edges.
        batch: The graphs.
        real_BNZ: Atoms.
        known_BN: bool, where they are known.
    """
    errors_BN = ((atoms_BNZ - real_BNZ.log1p()) ** 2).mean(-1)
    counts_BNZ = relu(atoms_BNZ).clamp(max=LARGEST_LOG).expm1()
    u, v = counts_BNZ.unsqueeze(2), counts_BNZ.unsqueeze(1)
    shared_BNN = torch.minimum(u, v).sum(-1)
    lost_BNN = 1 - 2 * shared_BNN / ((u + v).sum(-1) + 1e-3)
    chance_BNN = edges_BNN.sigmoid() * batch.pairs_BNN
    lost_B = (chance_BNN * lost_BNN).sum((1, 2)) / chance_BNN.sum((1, 2)).clamp(min=1e-3)
    return mean(errors_BN, known_BN & batch.mask_BN) + lost_B.mean()


def contrast(
    one_BND: Tensor, other_BND: Tensor, mask_BN: Tensor, temperature: float = 0.5
) -> Tensor:
    """Return how hard it is to find a node of one view among those of the other view.

    Cross-entropy of cosines: Zhu et al., "Deep graph contrastive representation learning" (2020),
    with the nodes of the same graph as negatives, so that no graph depends on its batch.
    """
    a_BND, b_BND = (normalize(each.float(), dim=-1) for each in (one_BND, other_BND))
    with torch.autocast(one_BND.device.type, enabled=False):
        logits_BNN = a_BND @ b_BND.mT / temperature
    logits_BNN = logits_BNN.masked_fill(~mask_BN[:, None, :], -torch.inf)
    own_BN = logits_BNN.diagonal(dim1=1, dim2=2).masked_fill(~mask_BN, 0)
    return mean(logits_BNN.logsumexp(-1) - own_BN, mask_BN)
