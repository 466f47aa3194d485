"""Graphs as the arrays of a packed set, and back.

    offsets, edge_offsets (G + 1,) int64    nodes (ΣN,) int32    edges (2, ΣE) int32
    main, reversible (ΣE,) bool             reactions (ΣE,) int32, reaction_classes (ΣE,) uint8
    environment (G, 4) float32, environment_known (G, 4) bool, consumes_oxygen (G,) int8
    families (G,) int32                     ids (G,) int64, split (G,) uint8
    compound_{formulas,charges,gibbs,descriptors,classes,known} (V, …)
    {pathway,compound,reaction,family,notes}_text (bytes,) uint8 in UTF-8, …_text_offsets int64
    label_{compounds,pathways,classes}_text likewise, where the source has names beside ids

Shapes: G graphs, N nodes, E edges, V compounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import ConfigError
from assay.pathways.compounds import CompoundTable
from assay.pathways.data.labels import Labels
from assay.pathways.graphs import PathwayGraphs
from assay.store.packed import SPLITS, PackedSet
from assay.store.sets import Built, Prepared
from assay.store.texts import Texts

_EDGES = ("main", "reversible", "reactions", "reaction_classes")
_GRAPHS = ("environment", "environment_known", "consumes_oxygen", "families", "split")
_TEXTS = {
    "pathway": "ids", "compound": "compounds", "reaction": "reaction_names",
    "family": "family_names",
}  # fmt: skip


def built(
    graphs: PathwayGraphs,
    compounds: CompoundTable,
    what: str,
    notes: Sequence[str],
    labels: Labels | None = None,
) -> Built:
    """Return what a preparation ends with.

    Args:
        graphs: All of them.
        compounds: Of `graphs.compounds`, row by row.
        what: The first part of the description, to which sizes and splits are added.
        notes: What was left out or is doubtful, a sentence each.
        labels: Names beside the ids, where the source has some.
    """
    parts = " / ".join(f"{count:,}" for count in np.bincount(graphs.split, minlength=len(SPLITS)))
    description = (
        f"{what}; {len(graphs):,} graphs of {graphs.node_counts.min()} to "
        f"{graphs.node_counts.max()} nodes in {len(graphs.family_names):,} families, split by "
        f"family {parts} (train / validation / test)"
    )
    return Built(arrays_of(graphs, compounds, notes, labels), description)


def arrays_of(
    graphs: PathwayGraphs,
    compounds: CompoundTable,
    notes: Sequence[str] = (),
    labels: Labels | None = None,
) -> dict[str, NDArray]:
    """Return the arrays to pack; their ids count the graphs from 1."""
    arrays: dict[str, NDArray] = {
        "offsets": graphs.node_offsets,
        "edge_offsets": graphs.edge_offsets,
        "ids": np.arange(1, len(graphs) + 1),
        "nodes": graphs.nodes,
        "edges": graphs.edges,
    }
    arrays |= {name: getattr(graphs, name) for name in (*_EDGES, *_GRAPHS)}
    arrays |= {f"compound_{one.name}": getattr(compounds, one.name) for one in fields(compounds)}
    texts = {name: getattr(graphs, own) for name, own in _TEXTS.items()}
    if labels is not None:
        texts |= {f"label_{one.name}": getattr(labels, one.name) for one in fields(labels)}
    for name, text in {**texts, "notes": Texts.of(notes)}.items():
        arrays |= {f"{name}_text": text.buffer, f"{name}_text_offsets": text.offsets}
    return arrays


def graphs_of(prepared: Prepared) -> PathwayGraphs:
    """Return the graphs of a prepared set, read through its memory maps.

    Raises:
        ConfigError: it holds something else.
    """
    arrays = pathways_of(prepared).arrays
    found: dict[str, Any] = {name: arrays[name] for name in ("nodes", "edges", *_EDGES, *_GRAPHS)}
    found |= {own: text_of(arrays, name) for name, own in _TEXTS.items()}
    return PathwayGraphs(
        node_counts=np.diff(arrays["offsets"]),
        edge_counts=np.diff(arrays["edge_offsets"]),
        **found,
    )


def compounds_of(prepared: Prepared) -> CompoundTable:
    """Return what is known of the compounds of a prepared set.

    Raises:
        ConfigError: it holds no pathways.
    """
    arrays = pathways_of(prepared).arrays
    return CompoundTable(**{f.name: arrays[f"compound_{f.name}"] for f in fields(CompoundTable)})


def labels_of(prepared: Prepared) -> Labels:
    """Return what a prepared set calls its compounds and pathways: its ids, if nothing else.

    Raises:
        ConfigError: it holds no pathways.
    """
    arrays = pathways_of(prepared).arrays
    if "label_compounds_text" not in arrays:
        return Labels.plain(graphs_of(prepared))
    return Labels(**{one.name: text_of(arrays, f"label_{one.name}") for one in fields(Labels)})


def notes_of(prepared: Prepared) -> list[str]:
    """Return what the preparation left out or doubts, a sentence each.

    Raises:
        ConfigError: the set holds no pathways.
    """
    return list(text_of(pathways_of(prepared).arrays, "notes"))


def pathways_of(prepared: Prepared) -> PackedSet:
    """Return a prepared set as one of pathways.

    Raises:
        ConfigError: it holds something else.
    """
    if not isinstance(prepared, PackedSet) or "edge_offsets" not in prepared.arrays:
        raise ConfigError(
            f"{prepared.name}: holds no pathways; the pathways family needs a set of directed "
            "metabolic graphs, such as mini_pathways"
        )
    return prepared


def text_of(arrays: Mapping[str, NDArray], name: str) -> Texts:
    """Return one of the tables of strings."""
    return Texts(arrays[f"{name}_text"], arrays[f"{name}_text_offsets"])
