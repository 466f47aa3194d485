"""Main effects of two factors and their interaction, with seeds as blocks.

y = μ + row + column + row × column + seed + noise, every factor with effects that sum to zero, by
least squares (Montgomery, "Design and Analysis of Experiments", sections 4.1 and 5.3). Every cell
has the same seeds, so that effects are differences of means and do not depend on each other.

Shapes: I rows, J columns, S seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from assay.errors import DataError
from assay.statistics.intervals import CONFIDENCE

_ROUNDING = 1e-24
"""Of the largest square, below which a residual is that of arithmetic."""


@dataclass(frozen=True)
class Effect:
    """By how much a level, or a pair of levels, lies above what the rest would make it."""

    levels: tuple[str, ...]
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Source:
    """A row of the analysis of variance."""

    name: str
    degrees: int
    squares: float
    """Sum of squares."""
    p: float | None
    """That there is no such effect, by F against the residual; None for the residual."""
    share: float
    """Of all squares about the mean (η²)."""


@dataclass(frozen=True)
class Factorial:
    """The analysis of a full design."""

    mean: float
    rows: tuple[Effect, ...]
    columns: tuple[Effect, ...]
    interaction: tuple[Effect, ...]
    sources: tuple[Source, ...]
    """Rows, columns, interaction, seeds, residual."""
    noise: float
    """Standard deviation of a single run about its cell and seed."""


def factorial(
    rows: Sequence[str],
    columns: Sequence[str],
    values_IJS: NDArray[np.float64],
    confidence: float = CONFIDENCE,
) -> Factorial:
    """Analyse a full design of two factors, every cell of which was run with the same seeds.

    Args:
        rows: (I,) levels of the first factor, such as architectures.
        columns: (J,) levels of the second, such as processes.
        values_IJS: (I, J, S) a figure of every run.
        confidence: of the intervals, each for itself.

    Raises:
        DataError: a factor has one level, there is one seed, a value is missing, or there is no
            noise at all.
    """
    _require_full(rows, columns, values_IJS)
    places = list(product(*map(range, values_IJS.shape)))
    frame = pd.DataFrame(places, columns=["row", "column", "seed"]).assign(y=values_IJS.ravel())
    model = ols("y ~ C(row, Sum) * C(column, Sum) + C(seed, Sum)", frame).fit()
    if model.mse_resid <= _ROUNDING * np.square(values_IJS).max():
        raise DataError(
            "runs of a cell differ by their seed alone: there is no noise to hold effects "
            "against; look whether seeds were really run apart"
        )
    exog = np.asarray(model.model.exog)
    mean_X = exog.mean(axis=0)

    def of(levels: tuple[str, ...], contrast_X: NDArray[np.float64]) -> Effect:
        tested = model.t_test(contrast_X)
        low, high = np.ravel(tested.conf_int(1 - confidence))
        return Effect(levels, float(np.ravel(tested.effect)[0]), float(low), float(high))

    row_X = [exog[frame["row"] == i].mean(axis=0) for i in range(len(rows))]
    column_X = [exog[frame["column"] == j].mean(axis=0) for j in range(len(columns))]
    both_X = {
        (i, j): exog[(frame["row"] == i) & (frame["column"] == j)].mean(axis=0)
        for i, j in product(range(len(rows)), range(len(columns)))
    }
    return Factorial(
        mean=float(values_IJS.mean()),
        rows=tuple(of((rows[i],), row_X[i] - mean_X) for i in range(len(rows))),
        columns=tuple(of((columns[j],), column_X[j] - mean_X) for j in range(len(columns))),
        interaction=tuple(
            of((rows[i], columns[j]), cell_X - row_X[i] - column_X[j] + mean_X)
            for (i, j), cell_X in both_X.items()
        ),
        sources=_sources(anova_lm(model, typ=2)),
        noise=float(np.sqrt(model.mse_resid)),
    )


def _sources(table: Any) -> tuple[Source, ...]:
    named = {
        "rows": "C(row, Sum)",
        "columns": "C(column, Sum)",
        "interaction": "C(row, Sum):C(column, Sum)",
        "seeds": "C(seed, Sum)",
        "residual": "Residual",
    }
    total = float(table["sum_sq"].sum())
    found = []
    for name, key in named.items():
        at = table.loc[key]
        p = None if name == "residual" else float(at["PR(>F)"])
        squares = float(at["sum_sq"])
        found.append(Source(name, int(at["df"]), squares, p, squares / total if total else 0.0))
    return tuple(found)


def _require_full(
    rows: Sequence[str], columns: Sequence[str], values_IJS: NDArray[np.float64]
) -> None:
    if min(len(rows), len(columns)) < 2:
        raise DataError("a factor with one level has no effect; both need two or more")
    if values_IJS.shape[:2] != (len(rows), len(columns)):
        raise DataError(
            f"values of {values_IJS.shape[0]} × {values_IJS.shape[1]} cells for "
            f"{len(rows)} × {len(columns)} levels"
        )
    if values_IJS.shape[2] < 2:
        raise DataError("one seed: effects cannot be told from noise; run two or more")
    missing = [
        f"{rows[i]}-{columns[j]} (run {s + 1})" for i, j, s in np.argwhere(~np.isfinite(values_IJS))
    ]
    if missing:
        raise DataError(f"the design is not full, as values are missing: {', '.join(missing[:5])}")
