"""Many directed metabolic graphs in a few arrays: the form in which they are stored and scored.

A node is a compound, an edge leads from a substrate to a product of a reaction. What a source does
not say is -1 (a code) or False (a mask), never a zero that could be a value.

Shapes: G graphs, N nodes and E edges of a graph, V compounds, R reactions of the whole set.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.packing import offsets_of, rows_of
from assay.store.packed import SPLITS, Split
from assay.store.texts import Texts

if TYPE_CHECKING:
    from torch_geometric.data import Data

ENVIRONMENT = ("pH", "temperature", "oxygen", "redox")
"""The columns of every environment: pH, K, fraction of O2 (0 to 1), mV."""
UNKNOWN = -1
"""A compound, reaction or family that the source does not name."""
REACTION_CLASSES = (
    "unknown", "oxidoreductase", "transferase", "hydrolase", "lyase", "isomerase", "ligase",
    "translocase",
)  # fmt: skip
"""By the first digit of the EC number; several digits of one reaction are unknown."""


@dataclass(frozen=True)
class Pathway:
    """One graph as a reader makes it, before it is packed."""

    id: str
    nodes: Sequence[str | None]
    """(N,) compounds by the source's ids; None where it names none."""
    edges: Sequence[tuple[int, int]]
    """(E,) source and target: positions in `nodes`."""
    main: Sequence[bool] | None = None
    """(E,) the pair that carries the pathway on; None: all are."""
    reversible: Sequence[bool] | None = None
    """(E,) None: none is."""
    reactions: Sequence[str | None] | None = None
    """(E,) the reaction of each edge; None: not told."""
    reaction_classes: Sequence[int] | None = None
    """(E,) positions in `REACTION_CLASSES`; None: all unknown."""
    environment: Sequence[float | None] = (None, None, None, None)
    """In the order and units of `ENVIRONMENT`; None is unknown."""
    family: str | None = None
    """What is split as one; None: a family of its own."""
    split: Split = "test"
    consumes_oxygen: bool | None = None
    """Whether a reaction takes up O2, read before currency metabolites are removed."""


@dataclass(frozen=True)
class PathwayGraphs:
    """G graphs, packed; graph k owns the nodes `node_offsets[k]:node_offsets[k + 1]`."""

    node_counts: NDArray[np.int64]
    """(G,)."""
    edge_counts: NDArray[np.int64]
    """(G,)."""
    nodes: NDArray[np.int32]
    """(ΣN,) positions in `compounds`, or UNKNOWN."""
    edges: NDArray[np.int32]
    """(2, ΣE) source and target, counted from 0 within each graph."""
    main: NDArray[np.bool_]
    """(ΣE,)."""
    reversible: NDArray[np.bool_]
    """(ΣE,)."""
    reactions: NDArray[np.int32]
    """(ΣE,) positions in `reaction_names`, or UNKNOWN."""
    reaction_classes: NDArray[np.uint8]
    """(ΣE,) positions in `REACTION_CLASSES`."""
    environment: NDArray[np.float32]
    """(G, 4) in the order and units of `ENVIRONMENT`; 0 where it is not known."""
    environment_known: NDArray[np.bool_]
    """(G, 4)."""
    consumes_oxygen: NDArray[np.int8]
    """(G,) 1, 0, or UNKNOWN."""
    families: NDArray[np.int32]
    """(G,) positions in `family_names`."""
    split: NDArray[np.uint8]
    """(G,) positions in `assay.store.packed.SPLITS`."""
    ids: Texts = field(repr=False)
    """(G,)."""
    compounds: Texts = field(repr=False)
    """(V,)."""
    reaction_names: Texts = field(repr=False)
    """(R,)."""
    family_names: Texts = field(repr=False)

    def __len__(self) -> int:
        """Return G."""
        return len(self.node_counts)

    @cached_property
    def node_offsets(self) -> NDArray[np.int64]:
        """(G + 1,) first node of each graph, and the end."""
        return offsets_of(self.node_counts)

    @cached_property
    def edge_offsets(self) -> NDArray[np.int64]:
        """(G + 1,) first edge of each graph, and the end."""
        return offsets_of(self.edge_counts)

    def select(self, indices: NDArray[np.integer] | Sequence[int]) -> Self:
        """Return the graphs at `indices`, in that order; the tables of names stay whole."""
        chosen = np.asarray(indices, np.int64)
        nodes = rows_of(self.node_counts, chosen)
        edges = rows_of(self.edge_counts, chosen)
        return type(self)(
            node_counts=self.node_counts[chosen],
            edge_counts=self.edge_counts[chosen],
            nodes=self.nodes[nodes],
            edges=self.edges[:, edges],
            main=self.main[edges],
            reversible=self.reversible[edges],
            reactions=self.reactions[edges],
            reaction_classes=self.reaction_classes[edges],
            environment=self.environment[chosen],
            environment_known=self.environment_known[chosen],
            consumes_oxygen=self.consumes_oxygen[chosen],
            families=self.families[chosen],
            split=self.split[chosen],
            ids=self.ids.select(chosen),
            compounds=self.compounds,
            reaction_names=self.reaction_names,
            family_names=self.family_names,
        )

    def of_split(self, split: Split) -> Self:
        """Return the graphs of a split."""
        return self.select(np.flatnonzero(self.split == SPLITS.index(split)))

    def edges_of(self, k: int) -> NDArray[np.int32]:
        """Return (2, E): the edges of graph k."""
        return self.edges[:, self.edge_offsets[k] : self.edge_offsets[k + 1]]

    def names_of(self, k: int) -> list[str | None]:
        """Return (N,) the compounds of graph k; None where one is not named."""
        codes = self.nodes[self.node_offsets[k] : self.node_offsets[k + 1]]
        return [None if code == UNKNOWN else self.compounds[code] for code in codes.tolist()]

    def adjacency(self, k: int) -> NDArray[np.bool_]:
        """Return (N, N): whether an edge leads from the row's node to the column's, in graph k."""
        N = int(self.node_counts[k])
        found = np.zeros((N, N), np.bool_)
        source, target = self.edges_of(k)
        found[source, target] = True
        return found

    def to_pyg(self, k: int) -> "Data":
        """Return graph k as PyG's `Data`.

        Fields: edge_index (2, E), compound (N,), edge_main, edge_reversible (E,) bool,
        edge_reaction, edge_reaction_class (E,) int64, environment (1, 4) float32,
        environment_known (1, 4) bool, pathway_id, family. Only edge_index has `index` in its name,
        for PyG shifts such fields when it batches graphs.
        """
        import torch
        from torch_geometric.data import Data

        nodes = slice(self.node_offsets[k], self.node_offsets[k + 1])
        edges = slice(self.edge_offsets[k], self.edge_offsets[k + 1])

        def whole(array: NDArray) -> torch.Tensor:
            return torch.from_numpy(np.array(array, np.int64))

        return Data(
            edge_index=whole(self.edges[:, edges]),
            num_nodes=int(self.node_counts[k]),
            compound=whole(self.nodes[nodes]),
            edge_main=torch.from_numpy(np.array(self.main[edges])),
            edge_reversible=torch.from_numpy(np.array(self.reversible[edges])),
            edge_reaction=whole(self.reactions[edges]),
            edge_reaction_class=whole(self.reaction_classes[edges]),
            environment=torch.from_numpy(np.array(self.environment[k : k + 1])),
            environment_known=torch.from_numpy(np.array(self.environment_known[k : k + 1])),
            pathway_id=self.ids[k],
            family=self.family_names[int(self.families[k])],
        )


def pack(pathways: Iterable[Pathway]) -> PathwayGraphs:
    """Pack graphs in their order; tables of names are in order of first appearance.

    Nothing is judged here: `assay.pathways.data.checks` does.
    """
    found = list(pathways)
    compounds, reactions, families = _Table(), _Table(), _Table()
    sizes = [len(one.edges) for one in found]
    pairs = np.array([edge for one in found for edge in one.edges], np.int32).reshape(-1, 2)
    environment = np.array([one.environment for one in found], np.float64).reshape(-1, 4)
    known = ~np.isnan(environment)
    return PathwayGraphs(
        node_counts=np.array([len(one.nodes) for one in found], np.int64),
        edge_counts=np.array(sizes, np.int64),
        nodes=np.array([compounds.code(name) for one in found for name in one.nodes], np.int32),
        edges=np.ascontiguousarray(pairs.T),
        main=_edges([one.main for one in found], sizes, True, np.bool_),
        reversible=_edges([one.reversible for one in found], sizes, False, np.bool_),
        reactions=np.array(
            [
                reactions.code(name)
                for one, size in zip(found, sizes, strict=True)
                for name in (one.reactions if one.reactions is not None else [None] * size)
            ],
            np.int32,
        ),
        reaction_classes=_edges([one.reaction_classes for one in found], sizes, 0, np.uint8),
        environment=np.where(known, environment, 0).astype(np.float32),
        environment_known=known,
        consumes_oxygen=np.array(
            [UNKNOWN if one.consumes_oxygen is None else one.consumes_oxygen for one in found],
            np.int8,
        ),
        families=np.array([families.code(one.family or one.id) for one in found], np.int32),
        split=np.array([SPLITS.index(one.split) for one in found], np.uint8),
        ids=Texts.of(one.id for one in found),
        compounds=Texts.of(compounds.codes),
        reaction_names=Texts.of(reactions.codes),
        family_names=Texts.of(families.codes),
    )


class _Table:
    """Names, numbered as they come."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}

    def code(self, name: str | None) -> int:
        return UNKNOWN if name is None else self.codes.setdefault(name, len(self.codes))


def _edges(
    given: Sequence[Sequence[int] | None], sizes: Sequence[int], default: int, kind: type
) -> NDArray:
    """Return (ΣE,) values, with `default` for the graphs that give none."""
    parts = [
        np.full(size, default, kind) if one is None else np.array(one, kind)
        for one, size in zip(given, sizes, strict=True)
    ]
    return np.concatenate(parts) if parts else np.empty(0, kind)
