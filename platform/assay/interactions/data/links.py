"""What a packed set of links holds, and batches of it.

    smiles.npy (V,) bytes, one a node, empty where it is unknown    ids.npy (E,) int64
    study_smiles.npy (V,) bytes, if there is a second table that knows fewer
    edges.npy (E, 2) int32, u < v, undirected                       split.npy (E,) uint8
    negatives_validation.npy, negatives_test.npy (N, 2) int32, u < v: fixed pairs that are no edge

A record is an edge. Nobody sees the edges of the validation and test splits but evaluation: the
graph that messages pass along is made of training edges alone.

Shapes: V nodes, E edges, N fixed negatives, B edges of a batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.errors import ConfigError, DataError
from assay.store.packed import PackedSet, Split
from assay.store.sets import Prepared
from assay.task import Splits

HeldOut = Literal["validation", "test"]
HELD_OUT: tuple[HeldOut, ...] = ("validation", "test")


@dataclass(frozen=True)
class Graph:
    """An undirected graph without self-edges."""

    n_nodes: int
    edges_E2: Tensor
    """int64 (E, 2), each edge once, u < v."""


@dataclass(frozen=True)
class LinkBatch:
    """B edges."""

    record_ids: Tensor
    """(B,) int64: index into the packed set."""
    pairs_B2: Tensor
    """int64: the two nodes of each edge."""

    def __len__(self) -> int:
        """Return B."""
        return len(self.record_ids)

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""
        return replace(
            self,
            record_ids=self.record_ids.to(device, non_blocking=True),
            pairs_B2=self.pairs_B2.to(device, non_blocking=True),
        )


class LinkRecords:
    """A split of a packed set, as `assay.task.Records`."""

    lengths = None

    def __init__(self, packed: PackedSet, split: Split) -> None:
        self._records = packed.split_indices(split)
        self._edges = packed.arrays["edges"][self._records].astype(np.int64)

    def __len__(self) -> int:
        """Return the number of edges."""
        return len(self._records)

    def batch(self, indices: NDArray[np.integer]) -> LinkBatch:
        """Return the edges at `indices` (B,) of the split, in that order."""
        return LinkBatch(
            torch.from_numpy(self._records[indices]), torch.from_numpy(self._edges[indices])
        )


def links_of(prepared: Prepared) -> PackedSet:
    """Return a prepared set as one of links.

    Raises:
        ConfigError: it holds something else.
    """
    if not isinstance(prepared, PackedSet) or "edges" not in prepared.arrays:
        raise ConfigError(
            f"{prepared.name}: holds no links; the interactions family needs a set of links, such "
            "as mini_links"
        )
    return prepared


def splits(packed: PackedSet) -> Splits:
    """Return the three splits of a packed set."""
    return Splits(
        LinkRecords(packed, "train"),
        LinkRecords(packed, "validation"),
        LinkRecords(packed, "test"),
        packed.description,
    )


def training_graph(packed: PackedSet) -> Graph:
    """Return all nodes, joined by the training edges."""
    edges = packed.arrays["edges"][packed.split_indices("train")]
    return Graph(len(packed.arrays["smiles"]), torch.from_numpy(edges.astype(np.int64)))


def fixed_negatives(packed: PackedSet, split: HeldOut) -> Tensor:
    """Return int64 (N, 2): the pairs that a split's edges are ranked against."""
    return torch.from_numpy(packed.arrays[f"negatives_{split}"].astype(np.int64))


def check_links(arrays: Mapping[str, NDArray], name: str) -> None:
    """Refuse arrays that are no links of an undirected graph; a preparation ends with it.

    Raises:
        DataError: a node that there is not, a node paired with itself, u ≥ v, an edge given
            twice, or negatives that are missing, given twice or edges; names the first.
    """
    V = len(arrays["smiles"])
    edges = _codes(arrays["edges"], V, f"{name}: edges")
    for split in HELD_OUT:
        where = f"{name}: negatives_{split}"
        pairs = arrays[f"negatives_{split}"]
        if len(pairs) == 0:
            raise DataError(f"{where}: holds no pair; edges can be ranked against nothing")
        wrong = np.flatnonzero(np.isin(_codes(pairs, V, where), edges))
        if len(wrong):
            u, v = pairs[wrong[0]]
            raise DataError(f"{where}: row {wrong[0]}: {u}-{v} is an edge; leave such pairs out")


def _codes(pairs: NDArray, V: int, where: str) -> NDArray[np.int64]:
    """Return one number a pair, having seen that they are pairs of nodes, u < v, each once."""
    u, v = pairs.astype(np.int64).T
    for wrong, sentence in (
        ((u < 0) | (v < 0) | (u >= V) | (v >= V), f"names a node that is not in 0 … {V - 1}"),
        (u == v, "joins a node with itself; leave such pairs out"),
        (u > v, "is in the wrong order; give the lower node first"),
    ):
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise DataError(f"{where}: row {row}: {u[row]}-{v[row]} {sentence}")
    codes = u * V + v
    first = np.unique(codes, return_index=True)[1]
    if len(first) < len(codes):
        row = int(np.setdiff1d(np.arange(len(codes)), first)[0])
        raise DataError(f"{where}: row {row}: {u[row]}-{v[row]} is given twice; give it once")
    return codes
