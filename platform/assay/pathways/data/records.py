"""Batches of pathways: dense, padded to the largest graph, cut from packed arrays.

Shapes: B graphs of a batch, N nodes (padded), F features of a node, K positions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.chemistry.packing import rows_of
from assay.pathways.compounds import Compound, CompoundTable
from assay.pathways.data.packing import compounds_of, graphs_of
from assay.pathways.encodings import Encodings, PositionBatch, Positions, encode
from assay.pathways.environment import normalised
from assay.pathways.graphs import UNKNOWN, Pathway, PathwayGraphs, pack
from assay.store.packed import PackedSet, Split
from assay.task import Splits

if TYPE_CHECKING:
    from torch_geometric.data import Data


@dataclass(frozen=True)
class PathwayBatch:
    """B graphs; row and column of a matrix are source and target. Padding is 0 or False."""

    record_ids: Tensor
    """(B,) int64: index into the packed set."""
    mask_BN: Tensor
    """bool: real nodes."""
    compounds_BN: Tensor
    """int64: which compound of the set, or UNKNOWN, which padding is too."""
    classes_BN: Tensor
    """int64: positions in `assay.pathways.compounds.CLASSES`."""
    features_BNF: Tensor
    """float32: the columns of `assay.pathways.compounds.FEATURES`, masks among them."""
    adjacency_BNN: Tensor
    """bool."""
    main_BNN: Tensor
    """bool."""
    reversible_BNN: Tensor
    """bool."""
    reaction_classes_BNN: Tensor
    """int64: positions in `assay.pathways.graphs.REACTION_CLASSES`."""
    environment_B4: Tensor
    """float32: as `assay.pathways.environment.normalised`."""
    environment_known_B4: Tensor
    """bool."""
    positions: PositionBatch | None
    """Where they were asked for."""

    def __len__(self) -> int:
        """Return B."""
        return len(self.record_ids)

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""
        own = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        positions = self.positions and self.positions.to(device)
        return replace(self, positions=positions, **_on(device, own))


class PathwayRecords:
    """A split of a packed set, or any graphs with their compounds, as `assay.task.Records`.

    `lengths` are numbers of nodes, by which training forms batches of like sizes.
    """

    def __init__(
        self,
        graphs: PathwayGraphs,
        compounds: CompoundTable,
        record_ids: NDArray[np.int64] | None = None,
        encodings: Encodings | None = None,
    ) -> None:
        """Keep the graphs, and their positions if `encodings` asks for any.

        Args:
            graphs: Those of the split.
            compounds: Of `graphs.compounds`.
            record_ids: (G,) index of each into the packed set; None where they are all of it.
            encodings: Positions to compute, once.
        """
        self.graphs = graphs
        self._ids = np.arange(len(graphs)) if record_ids is None else record_ids
        # One more row, of zeros, for what UNKNOWN = -1 points at.
        self._features = _with_unknown(compounds.features())
        self._classes = _with_unknown(compounds.classes.astype(np.int64))
        self._environment = normalised(graphs.environment, graphs.environment_known)
        self._positions = None if encodings is None else encode(graphs, encodings)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(G,) nodes of each."""
        return self.graphs.node_counts

    def __len__(self) -> int:
        """Return G."""
        return len(self.graphs)

    def batch(self, indices: NDArray[np.integer]) -> PathwayBatch:
        """Return the graphs at `indices` (B,) of the split, in that order."""
        graphs, chosen = self.graphs, np.asarray(indices, np.int64)
        nodes = _Cells(graphs.node_counts, chosen)
        edges = _Cells(graphs.edge_counts, chosen)
        shape = (len(chosen), int(graphs.node_counts[chosen].max(initial=0)))
        square = (*shape, shape[1])
        at_nodes, at_edges = nodes.at, (edges.owner, *graphs.edges[:, edges.rows])
        compounds = graphs.nodes[nodes.rows]
        return PathwayBatch(
            record_ids=torch.from_numpy(self._ids[chosen]),
            mask_BN=_filled(shape, at_nodes, np.True_),
            compounds_BN=_filled(shape, at_nodes, compounds.astype(np.int64), UNKNOWN),
            classes_BN=_filled(shape, at_nodes, self._classes[compounds]),
            features_BNF=_filled(shape, at_nodes, self._features[compounds]),
            adjacency_BNN=_filled(square, at_edges, np.True_),
            main_BNN=_filled(square, at_edges, graphs.main[edges.rows]),
            reversible_BNN=_filled(square, at_edges, graphs.reversible[edges.rows]),
            reaction_classes_BNN=_filled(
                square, at_edges, graphs.reaction_classes[edges.rows].astype(np.int64)
            ),
            environment_B4=torch.from_numpy(self._environment[chosen]),
            environment_known_B4=torch.from_numpy(np.array(graphs.environment_known[chosen])),
            positions=_positions(self._positions, chosen, nodes, shape),
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


def splits(packed: PackedSet, encodings: Encodings | None = None) -> Splits:
    """Return the three splits of a packed set."""
    graphs, compounds = graphs_of(packed), compounds_of(packed)

    def records(split: Split) -> PathwayRecords:
        chosen = packed.split_indices(split)
        return PathwayRecords(graphs.select(chosen), compounds, chosen, encodings)

    return Splits(records("train"), records("validation"), records("test"), packed.description)


def records_of(
    pathways: Sequence[Pathway],
    compounds: Mapping[str, Compound],
    where: str,
    encodings: Encodings | None = None,
) -> PathwayRecords:
    """Return graphs that a reader made, of a user's own files, as records.

    Args:
        pathways: The graphs.
        compounds: What is known of compounds by name; of others nothing is.
        where: The file, for what is said of a bad formula.
        encodings: Positions to compute, once.

    Raises:
        DataError: a formula is none.
    """
    graphs = pack(pathways)
    names = list(graphs.compounds)
    table = CompoundTable.of([compounds.get(name, Compound()) for name in names], names, where)
    return PathwayRecords(graphs, table, encodings=encodings)


class _Cells:
    """The rows of chosen records in packed arrays, and where each goes in a padded one."""

    def __init__(self, counts: NDArray[np.int64], chosen: NDArray[np.int64]) -> None:
        sizes = counts[chosen]
        self.rows = rows_of(counts, chosen)
        self.owner = np.repeat(np.arange(len(chosen)), sizes)
        self.place = np.arange(len(self.rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)

    @property
    def at(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(ΣN,) record and place of each row."""
        return self.owner, self.place


def _filled(
    shape: tuple[int, ...],
    at: tuple[NDArray, ...],
    values: NDArray | np.bool_,
    empty: int = 0,
) -> Tensor:
    """Return a padded array with `values` at the places `at`."""
    found = np.full((*shape, *values.shape[1:]), empty, values.dtype)
    found[at] = values
    return torch.from_numpy(found)


def _with_unknown(values: NDArray) -> NDArray:
    return np.concatenate([values, np.zeros_like(values[:0], shape=(1, *values.shape[1:]))])


def _positions(
    found: Positions | None, chosen: NDArray[np.int64], nodes: _Cells, shape: tuple[int, int]
) -> PositionBatch | None:
    if found is None:
        return None
    return PositionBatch(
        _filled(shape, nodes.at, found.laplacian[nodes.rows]),
        torch.from_numpy(found.laplacian_values[chosen]),
        _filled(shape, nodes.at, found.magnetic[nodes.rows]),
        torch.from_numpy(found.magnetic_values[chosen]),
    )


def _on(device: torch.device, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    return {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}
