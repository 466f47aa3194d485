"""The encoder of molecular graphs that both generators read.

Layers are GINE, graph isomorphism with features of bonds (Hu et al., "Strategies for pre-training
graph neural networks", ICLR 2020), in PyG's GINEConv, each within a residual after a layer norm:

    n = LayerNorm(h),  h <- h + MLP((1 + ε) n_i + Σ_j relu(n_j + e_ij))

There are no statistics over a batch: what a molecule is given does not depend on who else is in it.

Shapes: N atoms, M directed edges, B molecules, A features of an atom, G of a bond, D width,
O output width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch_geometric.nn import GINEConv
from torch_geometric.nn.aggr import (
    Aggregation,
    AttentionalAggregation,
    MeanAggregation,
    SumAggregation,
)

from assay.captioning.graphs import ATOM_FEATURES, BOND_FEATURES, Feature, GraphBatch
from assay.config import Size, SizedSettings
from assay.training.dropout import Dropout

_MOST_ATOMS = 1 << 20
"""Of a molecule: an atom's draws are those of record · 2^20 + place."""


class EncoderSettings(SizedSettings):
    """Of the graph encoder; `size` sets width and depth."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 64, "depth": 2},
        "s": {"width": 128, "depth": 3},
        "m": {"width": 256, "depth": 4},
        "l": {"width": 384, "depth": 5},
        "xl": {"width": 768, "depth": 6},
    }

    width: PositiveInt
    depth: PositiveInt
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Of what a layer adds."""
    pooling: Literal["sum", "mean", "attention"] = "mean"
    """How a molecule is made of its atoms. A sum tells sizes apart; attention learns weights."""
    outputs: PositiveInt | None = None
    """Width of a molecule's embedding, such as 768; by default that of its atoms."""


@dataclass(frozen=True)
class Encoded:
    """What the encoder makes of B molecules."""

    atoms_ND: Tensor
    """One row an atom, in the order of the batch."""
    molecules_BO: Tensor


class CodeEmbedding(nn.Module):
    """The sum of one learned row for each feature's code."""

    first_F: Tensor
    """Where each feature's rows begin."""

    def __init__(self, features: Sequence[Feature], width: int) -> None:
        """Keep one table for all features."""
        super().__init__()
        sizes = torch.tensor([0] + [feature.size for feature in features])
        self.rows = nn.EmbeddingBag(int(sizes.sum()), width, mode="sum")
        nn.init.normal_(self.rows.weight, std=len(features) ** -0.5)
        self.register_buffer("first_F", sizes.cumsum(0)[:-1], persistent=False)

    def forward(self, codes_NF: Tensor) -> Tensor:
        """Return (N, D) for uint8 codes."""
        return self.rows(codes_NF + self.first_F)


class GINELayer(nn.Module):
    """A residual step of messages along bonds."""

    def __init__(self, settings: EncoderSettings, name: str) -> None:
        """Draw dropout under a name that no other layer has."""
        super().__init__()
        D = settings.width
        self.dropout = Dropout(settings.dropout, name)
        self.norm = nn.LayerNorm(D)
        self.bonds = CodeEmbedding(BOND_FEATURES, D)
        mlp = nn.Sequential(nn.Linear(D, 2 * D), nn.GELU(), nn.Linear(2 * D, D))
        self.conv = GINEConv(mlp, train_eps=True)

    def forward(self, h_ND: Tensor, graphs: GraphBatch, rows_N: Tensor) -> Tensor:
        """Return (N, D)."""
        added_ND = self.conv(self.norm(h_ND), graphs.edges_2M, self.bonds(graphs.bonds_MG))
        return h_ND + self.dropout(added_ND, rows_N)


class GraphEncoder(nn.Module):
    """Atoms and bonds -> an embedding of every atom and of every molecule.

    Renumbering a molecule's atoms renumbers their embeddings, and changes nothing else.
    """

    def __init__(self, settings: EncoderSettings) -> None:
        """Build the layers; initial values are those of torch's generator."""
        super().__init__()
        self.settings = settings
        D = settings.width
        self.atoms = CodeEmbedding(ATOM_FEATURES, D)
        self.layers = nn.ModuleList(GINELayer(settings, f"gine {k}") for k in range(settings.depth))
        self.norm = nn.LayerNorm(D)
        self.pool = _pooling(settings)
        self.output = nn.Linear(D, settings.outputs or D)

    def forward(
        self, graphs: GraphBatch, record_ids: Tensor, atoms_ND: Tensor | None = None
    ) -> Encoded:
        """Return the embeddings of a batch.

        Args:
            graphs: B molecules.
            record_ids: (B,) int64, for the draws of dropout; the seed is the one that the training
                loop sets for the step.
            atoms_ND: What stands for the atoms' features, where they are not to be seen as they
                are; by default `self.atoms(graphs.atoms_NA)`.
        """
        h_ND = self.atoms(graphs.atoms_NA) if atoms_ND is None else atoms_ND
        rows_N = atom_rows(graphs, record_ids)
        for layer in self.layers:
            h_ND = layer(h_ND, graphs, rows_N)
        h_ND = self.norm(h_ND)
        pooled_BD = self.pool(h_ND, graphs.molecule_N, dim_size=len(graphs))
        return Encoded(h_ND, self.output(pooled_BD))


def atom_rows(graphs: GraphBatch, record_ids: Tensor) -> Tensor:
    """Return (N,) int64: what an atom's random draws are of, whatever batch it is in."""
    return record_ids[graphs.molecule_N] * _MOST_ATOMS + graphs.place_N


def _pooling(settings: EncoderSettings) -> Aggregation:
    if settings.pooling == "attention":
        return AttentionalAggregation(nn.Linear(settings.width, 1, bias=False))
    return SumAggregation() if settings.pooling == "sum" else MeanAggregation()
