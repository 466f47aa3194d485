"""Which temperature a graph is of, as its compounds and edges tell it: a linear regression.

It is learnt from real graphs alone, as the classifier of O2 is (`assay.pathways.classifier`), from
the same description of a graph. Temperatures are those at which species of a pathway's taxa grow, a
weak label: what it says of held-out real graphs is as good as it gets.

Shapes: G graphs, D features of a graph.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.pathways.classifier import described
from assay.pathways.graphs import ENVIRONMENT, PathwayGraphs

PENALTIES = (1.0, 10.0, 100.0, 1e3, 1e4)
"""Of the squared weights, among which the validation split chooses."""
FEWEST = 10
"""Graphs of known temperature that each split has to have."""


def temperatures_K(graphs: PathwayGraphs) -> NDArray[np.float64]:
    """Return (G,) K, NaN where the temperature is not known."""
    column = ENVIRONMENT.index("temperature")
    known = np.asarray(graphs.environment_known)[:, column]
    return np.where(known, graphs.environment[:, column], np.nan).astype(np.float64)


@dataclass(frozen=True)
class Thermometer:
    """Tells the temperature of graphs."""

    features_VF: NDArray[np.float32]
    """Of compounds, by their positions in the graphs' table."""
    centre_D: NDArray[np.float64]
    scale_D: NDArray[np.float64]
    weights_D: NDArray[np.float64]
    """K."""
    mean_K: float
    """Of the training graphs."""

    @classmethod
    def learnt(
        cls,
        train: PathwayGraphs,
        validation: PathwayGraphs,
        features_VF: NDArray[np.float32],
    ) -> Self | None:
        """Return a thermometer, or None where a split knows less than `FEWEST` temperatures.

        Ridge regression on standardised features; the penalty is that of the least mean absolute
        error on the validation split.
        """
        (x, y), (x_held, y_held) = (_known(graphs, features_VF) for graphs in (train, validation))
        if min(len(y), len(y_held)) < FEWEST:
            return None
        centre, scale, mean = x.mean(0), x.std(0) + 1e-6, float(y.mean())
        scaled = (x - centre) / scale
        square, aim = scaled.T @ scaled, scaled.T @ (y - mean)
        found = [
            cls(features_VF, centre, scale,
                np.linalg.solve(square + penalty * np.eye(len(square)), aim), mean)
            for penalty in PENALTIES
        ]  # fmt: skip
        errors = [np.abs(one._of(x_held) - y_held).mean() for one in found]
        return found[int(np.argmin(errors))]

    def __call__(self, graphs: PathwayGraphs) -> NDArray[np.float64]:
        """Return (G,) K."""
        return self._of(described(graphs, self.features_VF))

    def errors_K(self, real: PathwayGraphs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return by how much it is too warm, and the truth, of graphs of known temperature."""
        x_GD, true_G = _known(real, self.features_VF)
        return self._of(x_GD) - true_G, true_G

    def _of(self, x_GD: NDArray[np.float64]) -> NDArray[np.float64]:
        return (x_GD - self.centre_D) / self.scale_D @ self.weights_D + self.mean_K


def _known(
    graphs: PathwayGraphs, features_VF: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    of_G = temperatures_K(graphs)
    there = np.flatnonzero(np.isfinite(of_G))
    return described(graphs.select(there), features_VF), of_G[there]
