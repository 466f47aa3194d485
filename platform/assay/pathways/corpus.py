"""What a model may know beside its records: compounds, and what training graphs are like.

Shapes: V compounds, F features, Z heavy elements.
"""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from torch import Tensor

from assay.pathways.compounds import FORMULA, KNOWN, CompoundTable
from assay.pathways.graphs import REACTION_CLASSES, UNKNOWN, PathwayGraphs
from assay.pathways.metrics.atoms import HEAVY
from assay.pathways.metrics.descriptors import distinct_edges
from assay.pathways.metrics.validity import Limits
from assay.store.texts import Texts


@dataclass(frozen=True)
class Corpus:
    """The compounds of a data set, and figures of those training graphs that a cell uses."""

    names: Texts = field(repr=False)
    """(V,) as graphs name them."""
    features_VF: Tensor
    """float32, the columns of `assay.pathways.compounds.FEATURES`."""
    classes_V: Tensor
    """int64, positions in `assay.pathways.compounds.CLASSES`."""
    atoms_VZ: Tensor
    """float32, heavy atoms in the columns of `assay.pathways.metrics.atoms.HEAVY`; 0 if unknown."""
    atoms_known_V: Tensor
    """bool: the formula is known, and is of these elements and hydrogen alone."""
    counts_V: Tensor
    """float32: training nodes that are this compound. Those with none are never generated."""
    density: float
    """Share of the ordered pairs of different nodes that are edges."""
    both_ways: float
    """Share of the joined pairs of nodes that are joined in both directions."""
    reversible: float
    """Share of the edges that are reversible."""
    reaction_classes: tuple[float, ...]
    """Shares of the edges' reaction classes."""
    most_nodes: int
    """Of one training graph."""
    limits: Limits
    """Degrees that 99.9 % of the training nodes keep to."""
    graphs: PathwayGraphs = field(repr=False)
    """Those training graphs themselves: what learns nothing looks up in them."""

    @classmethod
    def of(cls, train: PathwayGraphs, table: CompoundTable) -> Self:
        """Learn a corpus from training graphs.

        Args:
            train: Those that may be learned from.
            table: Of `train.compounds`, row by row.
        """
        formulas = np.asarray(table.formulas)
        plain_V = table.known[:, KNOWN.index("formula")] & (
            formulas[:, FORMULA.index("other")] == 0
        )
        pairs = (train.node_counts * (train.node_counts - 1)).sum()
        edges_2E = distinct_edges(train)
        joined = np.unique(np.sort(edges_2E, axis=0), axis=1).shape[1]
        named = train.nodes[train.nodes != UNKNOWN]
        kinds = np.bincount(train.reaction_classes, minlength=len(REACTION_CLASSES))
        return cls(
            names=train.compounds,
            features_VF=torch.from_numpy(table.features()),
            classes_V=torch.from_numpy(table.classes.astype(np.int64)),
            atoms_VZ=torch.from_numpy((formulas[:, HEAVY] * plain_V[:, None]).astype(np.float32)),
            atoms_known_V=torch.from_numpy(np.array(plain_V)),
            counts_V=torch.from_numpy(
                np.bincount(named, minlength=len(train.compounds)).astype(np.float32)
            ),
            density=float(edges_2E.shape[1] / max(pairs, 1)),
            both_ways=float(edges_2E.shape[1] / max(joined, 1) - 1),
            reversible=float(train.reversible.mean()),
            reaction_classes=tuple((kinds / kinds.sum()).tolist()),
            most_nodes=int(train.node_counts.max()),
            limits=Limits.learnt(train, {}),
            graphs=train,
        )
