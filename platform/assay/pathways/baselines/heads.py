"""What the baselines share: conditions, the names of nodes, what is said of a pair.

So that models differ by how they decide on edges, and by nothing else: each is told of size and
environment alike, names nodes alike, and hides as much from itself as the others.

Shapes: B graphs, N nodes (padded), D width, F features, K outputs, U compounds that training graphs
name, R classes of reactions, S candidates.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, silu

from assay.pathways import assembly, objective
from assay.pathways.batches import PathwayBatch
from assay.pathways.conditions import EnvironmentVector
from assay.pathways.corpus import Corpus
from assay.pathways.encoder import NodeFeatures
from assay.pathways.graphs import UNKNOWN
from assay.pathways.means import mean
from assay.training.draws import Draws

PAIR_WIDTH = 32
"""Of the hidden layer that a pair is seen through."""
WEIGHTS: Mapping[str, float] = objective.Weights().model_dump(
    include={"edges", "compounds", "types"}
)
"""Of the terms that all have: those of the Graph VAE."""


class Told(nn.Module):
    """What graphs are asked for, their environment and their size, as one vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.environment, self.size = EnvironmentVector(width), nn.Linear(1, width)

    def forward(self, environment_B4: Tensor, known_B4: Tensor, mask_BN: Tensor) -> Tensor:
        """Return (B, D)."""
        size_B1 = mask_BN.sum(1, keepdim=True).float().log() - 2
        return self.environment(environment_B4, known_B4) + self.size(size_B1)


class Compounds(nn.Module):
    """Which compound a node is: a query of its state, answered by keys of compounds."""

    features_UF: Tensor
    classes_U: Tensor
    common_U: Tensor
    used_U: Tensor
    common_V: Tensor

    def __init__(self, width: int, corpus: Corpus) -> None:
        super().__init__()
        used_U = torch.nonzero(corpus.counts_V)[:, 0]
        tables = {
            "used_U": used_U,
            "features_UF": corpus.features_VF[used_U],
            "classes_U": corpus.classes_V[used_U],
            "common_U": corpus.counts_V[used_U].log1p(),
            "common_V": corpus.counts_V.log1p(),
        }
        for name, values in tables.items():
            self.register_buffer(name, values, persistent=False)
        self.query, self.key = nn.Linear(width, width), NodeFeatures(width)
        self.popularity = nn.Parameter(torch.ones(()))

    def logits(self, x_D: Tensor) -> Tensor:
        """Return (…, U) for states (…, D)."""
        keys_UD = self.key(self.features_UF, self.classes_U)
        return self.query(x_D) @ keys_UD.T + self.popularity * self.common_U

    def loss(self, x_BND: Tensor, batch: PathwayBatch, draws: Draws) -> Tensor:
        """Return the cross-entropy of each node's compound among others, as in the Graph VAE."""
        # One draw for the whole step, whoever computes which part of it.
        nobody = torch.zeros(1, dtype=torch.int64, device=x_BND.device)
        whole = Draws(draws.seed, draws.step, nobody)
        drawn_S = whole.bits("candidates", objective.CANDIDATES)[0] % len(self.used_U)
        query_BND = self.query(x_BND)
        keys_SD = self.key(self.features_UF[drawn_S], self.classes_U[drawn_S])
        others_BNS = query_BND @ keys_SD.T + self.popularity * self.common_U[drawn_S]
        keys_BND = self.key(batch.features_BNF, batch.classes_BN)
        common_BN = self.common_V[batch.compounds_BN.clamp(min=0)]
        own_BN = (query_BND * keys_BND).sum(-1) + self.popularity * common_BN
        candidates_S = self.used_U[drawn_S]
        return objective.compounds(own_BN, others_BNS, batch.compounds_BN, candidates_S)

    def drawn(self, x_BND: Tensor, mask_BN: Tensor, draws: Draws) -> Tensor:
        """Return int64 (B, N): a compound for each node, no compound twice in a graph."""
        return self.used_U[assembly.distinct_compounds(self.logits(x_BND), mask_BN, draws)]


class PairHead(nn.Module):
    """A function of two nodes' states, in their order."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.source, self.target = nn.Linear(width, PAIR_WIDTH), nn.Linear(width, PAIR_WIDTH)
        self.out = nn.Linear(PAIR_WIDTH, outputs)

    def forward(self, x_BND: Tensor) -> Tensor:
        """Return (B, N, N, K), from the row's node to the column's."""
        source, target = self.source(x_BND).unsqueeze(2), self.target(x_BND).unsqueeze(1)
        return self.out(silu(source + target))


def edge_loss(logits_BNN: Tensor, batch: PathwayBatch, weight: float) -> Tensor:
    """Return the cross-entropy over all ordered pairs, in which edges count `weight` times.

    As `objective.edges`: what that moves the optimum by is taken off the log odds.
    """
    losses = binary_cross_entropy_with_logits(
        logits_BNN + math.log(weight),
        batch.adjacency_BNN.to(logits_BNN.dtype),
        pos_weight=torch.tensor(weight, device=logits_BNN.device),
        reduction="none",
    )
    return mean(losses, batch.pairs_BNN)


def reversible_loss(logits_BNN: Tensor, batch: PathwayBatch) -> Tensor:
    """Return the cross-entropy of edges' reversibility."""
    target_BNN = batch.reversible_BNN.to(logits_BNN.dtype)
    losses = binary_cross_entropy_with_logits(logits_BNN, target_BNN, reduction="none")
    return mean(losses, batch.adjacency_BNN)


def reaction_loss(logits_BNNR: Tensor, batch: PathwayBatch) -> Tensor:
    """Return the cross-entropy of edges' reaction classes, where they are known."""
    losses = cross_entropy(logits_BNNR.permute(0, 3, 1, 2), batch.reactions_BNN, reduction="none")
    return mean(losses, batch.adjacency_BNN & (batch.reactions_BNN > 0))


def weighted(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the sum of the losses, each by its weight."""
    return torch.stack([weights[name] * value for name, value in losses.items()]).sum()


def likely_reactions(logits_BNNR: Tensor) -> Tensor:
    """Return int64 (B, N, N): the likeliest class of a reaction, if there is one; never unknown."""
    return logits_BNNR[..., 1:].argmax(-1) + 1


def looked_up(corpus: Corpus, compounds: Tensor) -> tuple[Tensor, Tensor]:
    """Return features (…, F) and classes (…) of compounds (…); zeros of what has no name."""
    known, device = compounds != UNKNOWN, compounds.device
    features = corpus.features_VF.to(device)[compounds] * known.unsqueeze(-1)
    return features, corpus.classes_V.to(device)[compounds] * known


def inside(mask_BN: Tensor) -> Tensor:
    """Return bool (B, N, N): the ordered pairs of different nodes that there are."""
    pairs_BNN = mask_BN[:, :, None] & mask_BN[:, None, :]
    return pairs_BNN & ~torch.eye(mask_BN.shape[1], dtype=torch.bool, device=mask_BN.device)


def joined(adjacency_BNN: Tensor, logits_BNN: Tensor, pairs_BNN: Tensor) -> Tensor:
    """Return the graphs (B, N, N), with the most likely edges that join their pieces to one."""
    likely_BNN = logits_BNN.masked_fill(~pairs_BNN, -torch.inf)
    return adjacency_BNN | assembly.spanning_trees(likely_BNN.masked_fill(adjacency_BNN, torch.inf))


def numbered_back(values_BNN: Tensor, order_BN: Tensor) -> Tensor:
    """Return (B, N, N) by the nodes' own numbers, given by those of `renumbered(order_BN)`."""
    place_BN = order_BN.argsort(1)
    rows_B11 = torch.arange(len(place_BN), device=place_BN.device)[:, None, None]
    return values_BNN[rows_B11, place_BN[:, :, None], place_BN[:, None, :]]
