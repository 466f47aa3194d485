"""Graph convolutions on dense batches.

Shapes: B graphs, N nodes (padded), D width.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from assay.pathways.batches import PathwayBatch


def symmetric(batch: PathwayBatch) -> Tensor:
    """Return float32 (B, N, N): D^-1/2 (A + 1) D^-1/2 of the graphs without directions.

    Kipf, Welling, "Semi-supervised classification with graph convolutional networks", ICLR 2017,
    equation 2. Rows and columns of padding are 0.
    """
    A_BNN = (batch.adjacency_BNN | batch.adjacency_BNN.mT).float()
    A_BNN = A_BNN + torch.diag_embed(batch.mask_BN.float())
    scale_BN = A_BNN.sum(-1).clamp(min=1).rsqrt()
    return A_BNN * scale_BN[:, :, None] * scale_BN[:, None, :]


def directed(batch: PathwayBatch) -> tuple[Tensor, ...]:
    """Return float32 (B, N, N) each: who hears of whom by irreversible and reversible edges.

    Along the edges and against them; a node hears the mean of those that it has.
    """
    kinds = (batch.adjacency_BNN & ~batch.reversible_BNN, batch.reversible_BNN)
    return tuple(
        A_BNN.float() / A_BNN.sum(-1, keepdim=True).clamp(min=1)
        for kind_BNN in kinds
        for A_BNN in (kind_BNN.mT, kind_BNN)
    )


class Unseen(nn.Module):
    """What nodes are told of pairs that are hidden: how many of its own are, and with whom.

    Else a graph of which edges are hidden would look like one that never had them.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(width + 1, width, bias=False)

    def forward(self, x_BND: Tensor, batch: PathwayBatch) -> Tensor:
        """Return (B, N, D): the nodes, and the mean of those that each may be joined with."""
        hidden_BNN = (batch.hidden_BNN | batch.hidden_BNN.mT).float()
        count_BN1 = hidden_BNN.sum(-1, keepdim=True)
        others_B11 = (batch.mask_BN.sum(1) - 1).clamp(min=1)[:, None, None]
        mean_BND = hidden_BNN @ x_BND / count_BN1.clamp(min=1)
        return x_BND + self.mix(torch.cat([mean_BND, count_BN1 / others_B11], -1))


class Convolutions(nn.Module):
    """Layers of x ← relu(Σ_r A_r x W_r + x W), one A_r a relation.

    With the one relation of `symmetric`, which holds the node itself, the last term is left out:
    that is the network of Kipf and Welling. With several it is that of Schlichtkrull et al.,
    "Modeling relational data with graph convolutional networks", ESWC 2018, equation 2.
    """

    def __init__(self, width: int, depth: int, relations: int) -> None:
        super().__init__()
        self.relations = nn.ModuleList(
            nn.ModuleList(nn.Linear(width, width, bias=r == 0) for r in range(relations))
            for _ in range(depth)
        )
        itself = depth if relations > 1 else 0
        self.itself = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(itself))

    def forward(self, x_BND: Tensor, graphs: tuple[Tensor, ...]) -> Tensor:
        """Return (B, N, D)."""
        for layer, relations in enumerate(self.relations):
            of_layer = cast(nn.ModuleList, relations)
            parts = [A_BNN @ each(x_BND) for A_BNN, each in zip(graphs, of_layer, strict=True)]
            if self.itself:
                parts.append(self.itself[layer](x_BND))
            x_BND = relu(torch.stack(parts).sum(0))
        return x_BND
