"""Batches of pathways, dense and padded, and the splits that they are read from.

A pair (u, v) of a matrix is the edge from u, the row, to v, the column. Nothing of a batch depends
on how the nodes of a graph are numbered, but for the numbering itself: models must not read it.

Shapes: B graphs, N nodes (padded), F features, V compounds, E edges of all graphs of a batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.chemistry.packing import rows_of
from assay.pathways.compounds import Compound, CompoundTable
from assay.pathways.data.packing import compounds_of, graphs_of, pathways_of
from assay.pathways.environment import normalised
from assay.pathways.graphs import UNKNOWN, Pathway, PathwayGraphs, pack
from assay.store.packed import SPLITS, Split
from assay.store.sets import Prepared
from assay.task import Splits
from assay.training.draws import Draws

if TYPE_CHECKING:
    from torch_geometric.data import Data

MOST_PAIRS = 1 << 16
"""Of all graphs of a batch that is scored or generated, padding included: a model keeps a vector
for each, and of sizes that differ much most of a large batch would be padding."""


def of_like_sizes(sizes_G: NDArray[np.integer], most: int) -> list[NDArray[np.int64]]:
    """Return the positions of graphs, by ascending size, cut into batches.

    Args:
        sizes_G: Nodes of each.
        most: Graphs of one batch; fewer where they have more than `MOST_PAIRS` pairs together.
    """
    order_G = np.argsort(sizes_G, kind="stable")
    pairs_G, found, begin = np.asarray(sizes_G, np.int64)[order_G] ** 2, [], 0
    while begin < len(order_G):
        window = pairs_G[begin : begin + most]
        # Ascending: the last graph is what all are padded to.
        padded = window * np.arange(1, len(window) + 1)
        count = max(1, int(np.searchsorted(padded, MOST_PAIRS, side="right")))
        found.append(order_G[begin : begin + count])
        begin += count
    return found


def pairs_of(mask_BN: Tensor) -> Tensor:
    """Return bool (B, N, N): the ordered pairs of different nodes, of the nodes that there are."""
    same_NN = torch.eye(mask_BN.shape[1], dtype=torch.bool, device=mask_BN.device)
    return mask_BN[:, :, None] & mask_BN[:, None, :] & ~same_NN


@dataclass(frozen=True)
class PathwayBatch:
    """B directed graphs of compounds, padded to the largest."""

    record_ids: Tensor
    """(B,) int64: index into the packed set."""
    mask_BN: Tensor
    """bool: there is a node; those of a graph come first, then padding."""
    compounds_BN: Tensor
    """int64: positions in the table of compounds; UNKNOWN (-1) for padding and where not named."""
    classes_BN: Tensor
    """int64: positions in `assay.pathways.compounds.CLASSES`; 0, unknown, for padding."""
    features_BNF: Tensor
    """float32, the columns of `assay.pathways.compounds.FEATURES`: of the compound alone."""
    adjacency_BNN: Tensor
    """bool: an edge leads from the row's node to the column's. The diagonal is False."""
    reversible_BNN: Tensor
    """bool: that edge is reversible; False where there is none."""
    main_BNN: Tensor
    """bool: that edge is a main pair of its reaction; False where there is none."""
    reactions_BNN: Tensor
    """int64: its class, a position in REACTION_CLASSES; 0, unknown, also where there is no edge."""
    hidden_BNN: Tensor
    """bool: what joins that pair is not shown. No edge there is no news, and False elsewhere is."""
    environment_B4: Tensor
    """float32: normalised, in the columns of ENVIRONMENT; 0 where unknown, so read the mask."""
    known_B4: Tensor
    """bool: that entry of the environment is known."""

    def __len__(self) -> int:
        """Return B."""
        return len(self.record_ids)

    @property
    def pairs_BNN(self) -> Tensor:
        """Bool: the ordered pairs of different nodes that there are."""
        return pairs_of(self.mask_BN)

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""
        return replace(self, **{k: v.to(device, non_blocking=True) for k, v in vars(self).items()})

    def without(self, hidden_BNN: Tensor) -> Self:
        """Return the batch without the edges at `hidden_BNN`, bool, and without what they are.

        Pairs there are marked as hidden, whether or not an edge was there.
        """
        seen_BNN = ~hidden_BNN
        return replace(
            self,
            hidden_BNN=self.hidden_BNN | hidden_BNN & self.pairs_BNN,
            adjacency_BNN=self.adjacency_BNN & seen_BNN,
            reversible_BNN=self.reversible_BNN & seen_BNN,
            main_BNN=self.main_BNN & seen_BNN,
            reactions_BNN=self.reactions_BNN * seen_BNN,
        )

    def renumbered(self, order_BN: Tensor) -> Self:
        """Return the batch whose node k is this one's node `order_BN[:, k]`, padding still last."""
        rows_B1 = torch.arange(len(self), device=order_BN.device).unsqueeze(1)
        found = {}
        for name, value in vars(self).items():
            if name.endswith("_BNN"):
                found[name] = value[rows_B1[:, :, None], order_BN[:, :, None], order_BN[:, None]]
            elif "_BN" in name:
                found[name] = value[rows_B1, order_BN]
        return replace(self, **found)


def drawn_pairs(batch: PathwayBatch, draws: Draws, name: str) -> Tensor:
    """Return float32 (B, N, N): uniform in (0, 1), one number for a pair of nodes and its reverse.

    What is hidden by it is hidden both ways: an edge would tell of its reverse.
    """
    return pair_draws(draws, batch.mask_BN.shape[1], name)


def pair_draws(draws: Draws, N: int, name: str) -> Tensor:
    """Return float32 (B, N, N): uniform in (0, 1), symmetric, 1 on the diagonal."""
    drawn_BP = draws.uniform(name, N * (N - 1) // 2)
    device = drawn_BP.device
    low, high = torch.triu_indices(N, N, 1, device=device)
    # By the two nodes' numbers, so that padding a batch further changes no draw.
    place_P = high * (high - 1) // 2 + low
    found_BNN = torch.ones(len(drawn_BP), N, N, device=device)
    found_BNN[:, low, high] = drawn_BP[:, place_P]
    found_BNN[:, high, low] = drawn_BP[:, place_P]
    return found_BNN


class PathwayRecords:
    """Graphs, as `assay.task.Records`."""

    def __init__(
        self, graphs: PathwayGraphs, table: CompoundTable, record_ids: NDArray[np.int64]
    ) -> None:
        """Keep graphs, what is known of the compounds that they name, and their identities (G,)."""
        self.graphs, self.table, self.record_ids = graphs, table, record_ids
        # One more row, of zeros, for what UNKNOWN = -1 points at.
        self._features = _and_unknown(table.features())
        self._classes = _and_unknown(table.classes.astype(np.int64))
        self._environment = normalised(graphs.environment, graphs.environment_known)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(G,) nodes of each graph."""
        return self.graphs.node_counts

    def __len__(self) -> int:
        """Return the number of graphs."""
        return len(self.graphs)

    def first(self, most: int) -> Self:
        """Return the first `most` graphs, or all that there are."""
        chosen = np.arange(min(most, len(self)))
        return type(self)(self.graphs.select(chosen), self.table, self.record_ids[chosen])

    def batch(self, indices: NDArray[np.integer]) -> PathwayBatch:
        """Return the graphs at `indices` (B,) of the split, in that order."""
        graphs, B, indices = self.graphs, len(indices), indices.astype(np.int64)
        counts = graphs.node_counts[indices]
        mask_BN = np.arange(counts.max(initial=1)) < counts[:, None]
        compounds_BN = np.full(mask_BN.shape, UNKNOWN, np.int64)
        compounds_BN[mask_BN] = graphs.nodes[rows_of(graphs.node_counts, indices)]
        edges = rows_of(graphs.edge_counts, indices)
        owner_E = np.repeat(np.arange(B), graphs.edge_counts[indices])
        N = mask_BN.shape[1]
        matrices: dict[str, NDArray] = {
            "adjacency": np.zeros((B, N, N), np.bool_),
            "reversible": np.zeros((B, N, N), np.bool_),
            "main": np.zeros((B, N, N), np.bool_),
            "reactions": np.zeros((B, N, N), np.int64),
        }
        hidden_BNN = torch.zeros(B, N, N, dtype=torch.bool)
        of_edges = (None, graphs.reversible, graphs.main, graphs.reaction_classes)
        for matrix, values in zip(matrices.values(), of_edges, strict=True):
            # Of an edge that is listed several times, what any listing says.
            told = np.ones(len(edges), np.bool_) if values is None else values[edges]
            some = np.flatnonzero(told)
            source, target = graphs.edges[:, edges[some]]
            matrix[owner_E[some], source, target] = told[some]
        return PathwayBatch(
            record_ids=torch.from_numpy(self.record_ids[indices]),
            mask_BN=torch.from_numpy(mask_BN),
            compounds_BN=torch.from_numpy(compounds_BN),
            classes_BN=torch.from_numpy(self._classes[compounds_BN]),
            features_BNF=torch.from_numpy(self._features[compounds_BN]),
            environment_B4=torch.from_numpy(self._environment[indices]),
            known_B4=torch.from_numpy(np.asarray(graphs.environment_known)[indices]),
            hidden_BNN=hidden_BNN,
            **{f"{name}_BNN": torch.from_numpy(matrix) for name, matrix in matrices.items()},
        )

    def to_pyg(self, k: int) -> "Data":
        """Return graph k as PyG's `Data`.

        To the fields of `PathwayGraphs.to_pyg` come x (N, F) float32, with the columns of
        `assay.pathways.compounds.FEATURES`, and compound_class (N,) int64.
        """
        data = self.graphs.to_pyg(k)
        data.x = torch.from_numpy(self._features[data.compound.numpy()])
        data.compound_class = torch.from_numpy(self._classes[data.compound.numpy()])
        return data


def records_of(
    pathways: Sequence[Pathway], compounds: Mapping[str, Compound], where: str
) -> PathwayRecords:
    """Return graphs that a reader made, of a user's own files, as records.

    Args:
        pathways: The graphs; record k is graph k.
        compounds: What is known of compounds by name; of others nothing is.
        where: The file, for what is said of a bad formula.

    Raises:
        DataError: a formula is none, or a number is not finite.
    """
    graphs = pack(pathways)
    names = list(graphs.compounds)
    table = CompoundTable.of([compounds.get(name, Compound()) for name in names], names, where)
    return PathwayRecords(graphs, table, np.arange(len(graphs)))


def _and_unknown(values: NDArray) -> NDArray:
    return np.concatenate([values, np.zeros_like(values, shape=(1, *values.shape[1:]))])


def splits(prepared: Prepared) -> Splits:
    """Return the three splits of a prepared set.

    Raises:
        ConfigError: it holds no pathways.
    """
    packed = pathways_of(prepared)
    graphs, table = graphs_of(prepared), compounds_of(prepared)

    def records(split: Split) -> PathwayRecords:
        chosen = np.flatnonzero(graphs.split == SPLITS.index(split))
        return PathwayRecords(graphs.select(chosen), table, chosen)

    return Splits(records("train"), records("validation"), records("test"), packed.description)
