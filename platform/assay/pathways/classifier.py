"""Which environment a graph is of, as its compounds and edges tell it: a linear classifier.

It is trained on real graphs alone, whichever model it judges. A graph is what its compounds are on
average, and what its edges turn into what: a reaction with O2 adds oxygen atoms, one that breathes
something else does not.

Shapes: G graphs, F features of a compound, D features of a graph.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from assay.pathways.graphs import ENVIRONMENT, UNKNOWN, PathwayGraphs

AEROBIC_FROM = 0.105
"""Fraction of O2, half of that of air: what is above is aerobic."""
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
"""Of the squared weights, among which the validation split chooses."""


def oxygen_classes(graphs: PathwayGraphs) -> NDArray[np.int64]:
    """Return (G,) 1 if the environment is aerobic, 0 if not, UNKNOWN where O2 is not known."""
    column = ENVIRONMENT.index("oxygen")
    aerobic = (graphs.environment[:, column] > AEROBIC_FROM).astype(np.int64)
    return np.where(graphs.environment_known[:, column], aerobic, UNKNOWN)


@dataclass(frozen=True)
class OxygenClassifier:
    """Tells graphs of aerobic environments from others."""

    features_VF: NDArray[np.float32]
    """Of compounds, by their positions in the graphs' table."""
    centre_D: NDArray[np.float64]
    scale_D: NDArray[np.float64]
    weights_D: NDArray[np.float64]
    """The last one is the constant's."""

    @classmethod
    def learnt(
        cls,
        train: PathwayGraphs,
        validation: PathwayGraphs,
        features_VF: NDArray[np.float32],
    ) -> Self | None:
        """Return a classifier, or None where a split does not know both classes.

        Logistic regression, classes weighted alike, on standardised features; the penalty is that
        of the best balanced accuracy on the validation split.
        """
        (x, y), (x_held, y_held) = (_known(graphs, features_VF) for graphs in (train, validation))
        if len(np.unique(y)) < 2 or len(np.unique(y_held)) < 2:
            return None
        centre, scale = x.mean(0), x.std(0) + 1e-6
        fits = [_fit((x - centre) / scale, y, penalty) for penalty in PENALTIES]
        found = [cls(features_VF, centre, scale, weights) for weights in fits]
        right = [_balanced(one._of(x_held), y_held) for one in found]
        return found[int(np.argmax(right))]

    def __call__(self, graphs: PathwayGraphs) -> NDArray[np.int64]:
        """Return (G,) 1 for aerobic, 0 for not."""
        return self._of(described(graphs, self.features_VF))

    def _of(self, x_GD: NDArray[np.float64]) -> NDArray[np.int64]:
        scaled = (x_GD - self.centre_D) / self.scale_D
        return (scaled @ self.weights_D[:-1] + self.weights_D[-1] > 0).astype(np.int64)


def described(graphs: PathwayGraphs, features_VF: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (G, D): mean, least and greatest of nodes' features, and of their change along edges.

    The numbering of nodes and the order of edges do not matter.
    """
    named = graphs.nodes != UNKNOWN
    x_NF = features_VF[graphs.nodes] * named[:, None]
    shift_E = np.repeat(graphs.node_offsets[:-1], graphs.edge_counts)
    source_E, target_E = graphs.edges + shift_E
    nodes = _pooled(x_NF, graphs.node_counts)
    edges = _pooled(x_NF[target_E] - x_NF[source_E], graphs.edge_counts)
    sizes = np.log1p(np.stack([graphs.node_counts, graphs.edge_counts], axis=1))
    return np.concatenate([nodes, edges, sizes], axis=1).astype(np.float64)


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


def _known(
    graphs: PathwayGraphs, features_VF: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    classes = oxygen_classes(graphs)
    there = np.flatnonzero(classes != UNKNOWN)
    return described(graphs.select(there), features_VF), classes[there]


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


def _balanced(found_G: NDArray[np.int64], true_G: NDArray[np.int64]) -> float:
    return float(np.mean([(found_G[true_G == k] == k).mean() for k in (0, 1)]))
