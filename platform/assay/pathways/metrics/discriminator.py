"""How far a classifier tells generated graphs from real ones: PolyGraph's discrepancy, directed.

Sets of one size are halved. On one half a logistic regression learns to tell real rows of numbers
(`assay.pathways.metrics.descriptors`) from generated ones. By what it says of the other half, p of
a graph being real, the Jensen-Shannon distance of the two distributions, in [0, 1], is at least

    √(1 + ½ (mean log₂ p over real graphs + mean log₂ (1 − p) over generated ones)),

0 where that is below 0. `pgd/discrepancy` is of the one descriptor that tells them apart best
within the first half, by four folds. Source: Krimmel et al., "PolyGraph Discrepancy", 2025
(arXiv 2510.06122), and its public code (`polygraph-benchmark` 1.1), with its logistic regression in
place of TabPFN, whose weights are gated, and with descriptors that know directions.

Shapes: M graphs of each set, B columns, H graphs of a half, R resamples.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from assay.pathways.graphs import PathwayGraphs
from assay.pathways.metrics import mmd
from assay.pathways.metrics.estimates import estimated
from assay.statistics.intervals import CONFIDENCE, RESAMPLES, Interval
from assay.task import Estimate

VERSION = "1"
"""Changes whenever a number could: results of another version are evaluated again."""

FOLDS = 4
"""Within the half that is learnt from."""
FEWEST = 4 * FOLDS
"""Graphs of a set: with fewer a fold tells nothing."""

_ITERATIONS = 1000
_EPSILON = 1e-10
_DRAWS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Told:
    """How far two sets are told apart by one descriptor."""

    expected: float
    """The mean distance of the folds within the first half: what a descriptor is chosen by."""
    value: float
    """The distance by the second half."""
    interval: Interval
    """95 %, over graphs of the second half, of the classifier that was learnt."""


def evaluate(
    generated: PathwayGraphs, reference: PathwayGraphs, seed: int = 0
) -> dict[str, Estimate]:
    """Return `pgd/discrepancy` and `pgd/…` of each descriptor; nothing of fewer than `FEWEST`.

    Args:
        generated: G graphs.
        reference: F graphs, such as the test split; min(G, F) of each are drawn.
        seed: of what is drawn, halved and resampled. The order of the graphs does not matter.
    """
    M = min(len(generated), len(reference))
    if M < FEWEST:
        return {}
    sets = [_rows(graphs) for graphs in (generated, reference)]
    for rows in sets:
        _draw(rows, M, seed)
    told: dict[str, Told] = {}
    for name in sets[0]:
        made_MB, real_MB = _of_one_width(*(rows[name] for rows in sets))
        told[name] = told_apart(real_MB, made_MB, seed)
    best = max(told, key=lambda name: told[name].expected)
    version = f"{VERSION}: Jensen-Shannon distance, logistic regression, {M} of each"
    ways = " ".join(told)
    found = {"pgd/discrepancy": (told[best], f"{version}, by the best of {ways}")}
    found |= {f"pgd/{name}": (one, version) for name, one in told.items()}
    return {
        name: estimated(one.value, one.interval, M, how, "lower")
        for name, (one, how) in found.items()
    }


def told_apart(real_MB: NDArray[np.float64], made_MB: NDArray[np.float64], seed: int = 0) -> Told:
    """Return how far a logistic regression tells rows apart; the order of the rows matters."""
    draw = np.random.default_rng(seed)
    halves = [_halved(rows_MB, draw) for rows_MB in (real_MB, made_MB)]
    learnt_HB = np.concatenate([learnt for learnt, _ in halves])
    scaler = StandardScaler().fit(learnt_HB)
    x_HB = np.asarray(scaler.transform(learnt_HB))
    y_H = np.repeat([1, 0], [len(learnt) for learnt, _ in halves])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    expected = []
    for fit, left in folds.split(x_HB, y_H):
        p_H = _probabilities(x_HB[fit], y_H[fit], x_HB[left])
        real = y_H[left] == 1
        expected.append(distance(_logs(p_H[real]).mean(), _logs(1 - p_H[~real]).mean()))
    tested = [np.asarray(scaler.transform(rest)) for _, rest in halves]
    p_real, p_made = (_probabilities(x_HB, y_H, rows_HB) for rows_HB in tested)
    real_H, made_H = _logs(p_real), _logs(1 - p_made)
    value = float(distance(real_H.mean(), made_H.mean()))
    return Told(float(np.mean(expected)), value, _interval(real_H, made_H, seed))


def distance(real: NDArray[np.float64], made: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of mean log₂ p of real and mean log₂ (1 − p) of generated graphs."""
    return np.sqrt(np.clip((real + made + 2) / 2, 0, 1))


def _rows(graphs: PathwayGraphs) -> dict[str, NDArray[np.float64]]:
    """Return the rows of all descriptors, the graphs in an order of their own."""
    found = {name: how.of(graphs) for name, how in mmd.usable().items()}
    # Graphs that no descriptor tells apart may change places: no number moves.
    order = np.lexsort(np.concatenate(list(found.values()), axis=1).T)
    for name, how in mmd.usable().items():
        rows = found[name][order]
        whole = rows.sum(axis=1, keepdims=True) if how.histogram else 1.0
        found[name] = rows / np.maximum(whole, 1.0)
    return found


def _draw(rows: dict[str, NDArray[np.float64]], M: int, seed: int) -> None:
    """Keep M graphs, the same by every descriptor."""
    G = len(next(iter(rows.values())))
    kept = np.sort(np.random.default_rng(seed).permutation(G)[:M])
    for name in rows:
        rows[name] = rows[name][kept]


def _of_one_width(*sets: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the sets, the narrower histograms continued with zeros."""
    B = max(rows.shape[1] for rows in sets)
    return [np.pad(rows, ((0, 0), (0, B - rows.shape[1]))) for rows in sets]


def _halved(
    rows_MB: NDArray[np.float64], draw: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    M = len(rows_MB)
    learnt = draw.choice(M, size=M // 2, replace=False)
    return rows_MB[learnt], np.delete(rows_MB, learnt, axis=0)


def _probabilities(
    x_HB: NDArray[np.float64], y_H: NDArray[np.int64], asked_HB: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (H,) how probably each of the asked rows is real."""
    if (x_HB == x_HB[0]).all():
        return np.full(len(asked_HB), 0.5)
    learnt = LogisticRegression(max_iter=_ITERATIONS).fit(x_HB, y_H)
    return learnt.predict_proba(asked_HB)[:, 1]


def _logs(p_H: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log2(p_H + _EPSILON)


def _interval(real_H: NDArray[np.float64], made_H: NDArray[np.float64], seed: int) -> Interval:
    """Return the percentile interval over resamples of both sets' graphs."""
    draw = np.random.default_rng(seed)
    means = [_resampled(logs_H, draw) for logs_H in (real_H, made_H)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(distance(*means), [tail, 1 - tail])
    return float(low), float(high)


def _resampled(logs_H: NDArray[np.float64], draw: np.random.Generator) -> NDArray[np.float64]:
    """Return (R,) the means of resamples."""
    H = len(logs_H)
    rows = max(1, _DRAWS_AT_ONCE // H)
    counts = [min(rows, RESAMPLES - done) for done in range(0, RESAMPLES, rows)]
    return np.concatenate(
        [logs_H[draw.integers(H, size=(count, H))].mean(axis=1) for count in counts]
    )
