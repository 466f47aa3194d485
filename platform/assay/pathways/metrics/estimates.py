"""What every metric of the family builds its `Estimate` with."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.statistics.intervals import Interval, bootstrap, clustered_fraction, wilson
from assay.task import Estimate

Better = Literal["higher", "lower"]


def estimated(value: float, interval: Interval, n: int, version: str, better: Better) -> Estimate:
    """Return an estimate whose interval never leaves the value out."""
    low, high = min(interval[0], value), max(interval[1], value)
    return Estimate(value=value, low=low, high=high, n=n, version=version, better=better)


def share(successes: float, n: int, version: str, better: Better = "higher") -> Estimate:
    """Return a fraction of independent trials, with Wilson's interval; 0 where there is none."""
    return estimated(successes / n if n else 0.0, wilson(successes, n), n, version, better)


def pooled_share(
    successes_S: NDArray[np.number],
    sizes_S: NDArray[np.number],
    version: str,
    better: Better = "higher",
    seed: int = 0,
) -> Estimate | None:
    """Return Σ successes / Σ sizes over graphs that are resampled whole; n counts the units.

    Args:
        successes_S: (S,) of each graph.
        sizes_S: (S,) its units, such as edges; a graph without any does not take part.
        version: of the metric.
        better: which way is better.
        seed: of resampling.

    Returns:
        None where no graph has a unit: then nothing was measured.
    """
    there = sizes_S > 0
    successes, sizes = successes_S[there].astype(float), sizes_S[there].astype(float)
    if not len(sizes):
        return None
    value = float(successes.sum() / sizes.sum())
    interval = clustered_fraction(successes, sizes, seed=seed)
    return estimated(value, interval, round(float(sizes.sum())), version, better)


def mean_over_graphs(
    values_S: NDArray[np.floating], version: str, better: Better = "higher", seed: int = 0
) -> Estimate | None:
    """Return the mean of one value a graph, with its bootstrap interval; None where there is none.

    The order of the graphs does not matter.
    """
    if not len(values_S):
        return None
    interval = bootstrap(np.sort(values_S), lambda drawn: drawn.mean(axis=-1), seed=seed)
    return estimated(float(values_S.mean()), interval, len(values_S), version, better)
