"""Average ranks over several tasks, and how far apart they must be to differ.

Friedman's test and Nemenyi's critical difference: Demšar, "Statistical comparisons of classifiers
over multiple data sets", JMLR 7 (2006) 1, section 3.2.2.

Shapes: K models, T tasks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from assay.errors import DataError


@dataclass(frozen=True)
class Ranking:
    """Models by average rank; 1 is best."""

    names: tuple[str, ...]
    ranks_K: NDArray[np.float64]
    critical_difference: float
    """Average ranks further apart than this differ at level `alpha`."""
    p: float
    """That all models are alike: Friedman's test."""
    groups: tuple[tuple[str, ...], ...]
    """Largest runs of models, by rank, of which no two differ: the bars of a diagram."""


def ranking(names: Sequence[str], quality_TK: NDArray[np.float64], alpha: float = 0.05) -> Ranking:
    """Rank models on every task and compare their average ranks.

    Args:
        names: (K,) of the models.
        quality_TK: (T, K) the higher the better.
        alpha: level of the critical difference.

    Raises:
        DataError: fewer than three models or two tasks, or a value that is not finite.
    """
    T, K = quality_TK.shape
    if K < 3 or T < 2:
        raise DataError(
            f"{K} models on {T} tasks: ranks are compared for three models or more, on two tasks "
            "or more"
        )
    if not np.isfinite(quality_TK).all():
        raise DataError("a value is not finite; a rank needs every model on every task")
    ranks_K = rankdata(-quality_TK, axis=1).mean(axis=0)
    quantile = float(studentized_range.ppf(1 - alpha, K, np.inf)) / np.sqrt(2)
    critical = float(quantile * np.sqrt(K * (K + 1) / (6 * T)))
    order_K = np.argsort(ranks_K, kind="stable")
    ordered = tuple(str(names[k]) for k in order_K)
    groups = _groups(ordered, ranks_K[order_K], critical)
    # Where all models are alike on every task, the test has no statistic.
    alike = bool((quality_TK == quality_TK[:, :1]).all())
    p = 1.0 if alike else float(friedmanchisquare(*quality_TK.T).pvalue)
    return Ranking(ordered, ranks_K[order_K], critical, p, groups)


def _groups(
    names: tuple[str, ...], ranks_K: NDArray[np.float64], critical: float
) -> tuple[tuple[str, ...], ...]:
    found, reached = [], 0
    for first in range(len(names)):
        last = int(np.flatnonzero(ranks_K <= ranks_K[first] + critical)[-1]) + 1
        if last > reached and last - first > 1:
            found.append(names[first:last])
        reached = max(reached, last)
    return tuple(found)
