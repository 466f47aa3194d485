"""Whether a graph takes up O2, as its compounds and edges tell it: a linear classifier.

O2 is a currency metabolite and no node, so that no graph says it. But a reaction with O2 adds
oxygen atoms, and most are of one class: real graphs, of which it is recorded, teach what to look
for. A graph is what its compounds are on average, what its edges turn into what, and of which
classes their reactions are; never how large it is.

Shapes: G graphs, E edges of all, F features of a compound, D features of a graph.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from assay.pathways.graphs import ENVIRONMENT, REACTION_CLASSES, UNKNOWN, PathwayGraphs

AEROBIC_FROM = 0.105
"""Fraction of O2, half of that of air: what is above is aerobic."""
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
"""Of the squared weights, among which held-out families choose."""
FOLDS = 5
"""In which families are held out, whole, to choose the penalty."""


def oxygen_classes(graphs: PathwayGraphs) -> NDArray[np.int64]:
    """Return (G,) 1 if the environment is aerobic, 0 if not, UNKNOWN where O2 is not known."""
    column = ENVIRONMENT.index("oxygen")
    aerobic = (graphs.environment[:, column] > AEROBIC_FROM).astype(np.int64)
    return np.where(graphs.environment_known[:, column], aerobic, UNKNOWN)


@dataclass(frozen=True)
class UptakeClassifier:
    """Tells graphs that take up O2 from others."""

    features_VF: NDArray[np.float32]
    """Of compounds, by their positions in the graphs' table."""
    centre_D: NDArray[np.float64]
    scale_D: NDArray[np.float64]
    weights_D: NDArray[np.float64]
    """The last one is the constant's."""

    @classmethod
    def learnt(cls, graphs: PathwayGraphs, features_VF: NDArray[np.float32]) -> Self | None:
        """Return a classifier of what graphs record, or None where they record too little of it.

        Logistic regression, classes weighted alike, on standardised features; the penalty is that
        of the best balanced accuracy on families that were held out, a fifth at a time. Too little
        is a class that only one such fifth has.

        Args:
            graphs: Real ones. Give none that a model to be judged has learnt from: it may make
                them again, and of graphs that a classifier has seen its word is worth nothing.
            features_VF: Of the compounds that they name.
        """
        there = np.flatnonzero(graphs.consumes_oxygen != UNKNOWN)
        known = graphs.select(there)
        x_GD, y_G = seen(known, features_VF), known.consumes_oxygen.astype(np.int64)
        fold_G = np.unique(known.families, return_inverse=True)[1] % FOLDS
        if any(len(np.unique(fold_G[y_G == k])) < 2 for k in (0, 1)):
            return None
        right = [_held_out(x_GD, y_G, fold_G, penalty) for penalty in PENALTIES]
        return cls(features_VF, *_standardised(x_GD, y_G, PENALTIES[int(np.argmax(right))]))

    def __call__(self, graphs: PathwayGraphs) -> NDArray[np.int64]:
        """Return (G,) 1 for graphs that take up O2, 0 for others."""
        x_GD = seen(graphs, self.features_VF)
        return _told(x_GD, self.centre_D, self.scale_D, self.weights_D)


def seen(graphs: PathwayGraphs, features_VF: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (G, D): `described` without sizes, and each graph's shares of reaction classes."""
    G, K = len(graphs), len(REACTION_CLASSES)
    owner_E = np.repeat(np.arange(G), graphs.edge_counts)
    kinds_GK = np.bincount(owner_E * K + graphs.reaction_classes, minlength=G * K).reshape(G, K)
    shares_GK = kinds_GK / np.maximum(graphs.edge_counts, 1)[:, None]
    return np.concatenate([_content(graphs, features_VF), shares_GK], axis=1)


def described(graphs: PathwayGraphs, features_VF: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (G, D): mean, least and greatest of nodes' features and of their change along edges.

    And how many nodes and edges there are, as logarithms, in the last two columns. The numbering of
    nodes and the order of edges do not matter.
    """
    sizes = np.log1p(np.stack([graphs.node_counts, graphs.edge_counts], axis=1))
    return np.concatenate([_content(graphs, features_VF), sizes], axis=1)


def _content(graphs: PathwayGraphs, features_VF: NDArray[np.float32]) -> NDArray[np.float64]:
    named = graphs.nodes != UNKNOWN
    x_NF = features_VF[graphs.nodes] * named[:, None]
    shift_E = np.repeat(graphs.node_offsets[:-1], graphs.edge_counts)
    source_E, target_E = graphs.edges + shift_E
    nodes = _pooled(x_NF, graphs.node_counts)
    edges = _pooled(x_NF[target_E] - x_NF[source_E], graphs.edge_counts)
    return np.concatenate([nodes, edges], axis=1).astype(np.float64)


def _pooled(x_RF: NDArray[np.float32], counts_G: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (G, 3F): mean, minimum and maximum of each graph's rows; 0 where it has none."""
    G, F = len(counts_G), x_RF.shape[1]
    found = np.zeros((G, 3, F))
    some = counts_G > 0
    if some.any():
        starts = (np.cumsum(counts_G) - counts_G)[some]
        found[some, 0] = np.add.reduceat(x_RF, starts) / counts_G[some, None]
        found[some, 1] = np.minimum.reduceat(x_RF, starts)
        found[some, 2] = np.maximum.reduceat(x_RF, starts)
    return found.reshape(G, 3 * F)


def _held_out(
    x_GD: NDArray[np.float64], y_G: NDArray[np.int64], fold_G: NDArray[np.int64], penalty: float
) -> float:
    """Return the balanced accuracy on graphs that were held out, fold by fold."""
    found_G = np.zeros_like(y_G)
    for fold in np.unique(fold_G):
        out = fold_G == fold
        found_G[out] = _told(x_GD[out], *_standardised(x_GD[~out], y_G[~out], penalty))
    return float(np.mean([(found_G[y_G == k] == k).mean() for k in (0, 1)]))


def _standardised(
    x_GD: NDArray[np.float64], y_G: NDArray[np.int64], penalty: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return centre (D,), scale (D,) and weights (D + 1,), the constant's last."""
    centre_D, scale_D = x_GD.mean(0), x_GD.std(0) + 1e-6
    return centre_D, scale_D, _fit((x_GD - centre_D) / scale_D, y_G, penalty)


def _told(
    x_GD: NDArray[np.float64],
    centre_D: NDArray[np.float64],
    scale_D: NDArray[np.float64],
    weights_D: NDArray[np.float64],
) -> NDArray[np.int64]:
    scaled_GD = (x_GD - centre_D) / scale_D
    return (scaled_GD @ weights_D[:-1] + weights_D[-1] > 0).astype(np.int64)


def _fit(x_GD: NDArray[np.float64], y_G: NDArray[np.int64], penalty: float) -> NDArray[np.float64]:
    """Return (D + 1,) weights, the constant last."""
    share_G = np.where(y_G == 1, 0.5 / (y_G == 1).sum(), 0.5 / (y_G == 0).sum())
    x_GD = np.concatenate([x_GD, np.ones((len(x_GD), 1))], axis=1)
    sign_G = 2.0 * y_G - 1

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin_G = sign_G * (x_GD @ w)
        value = (share_G * np.logaddexp(0, -margin_G)).sum() + penalty / 2 * (w[:-1] ** 2).sum()
        slope = -(share_G * sign_G * expit(-margin_G)) @ x_GD
        slope[:-1] += penalty * w[:-1]
        return float(value), slope

    return minimize(loss, np.zeros(x_GD.shape[1]), jac=True, method="L-BFGS-B").x
