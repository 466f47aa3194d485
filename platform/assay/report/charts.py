"""What the page's charts are drawn from: points of quality against cost, and curves of training.

The page itself draws them (`assets/charts.js`), so that they follow its light and dark style.
A first axis of the grid is told apart by colour, a second by the marker's shape and the dash.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.report.folders import Folder
from assay.report.leaderboard import (
    Row,
    in_order,
    metric_names,
    of_one_version,
    representatives,
)
from assay.report.told_apart import names
from assay.report.wording import COSTS, FRACTIONS, estimate_text, metric_title
from assay.result import Result
from assay.statistics.pareto import front
from assay.task import Estimate

X_AXES = ("samples", "flops", "seconds")
"""What a curve can be drawn against."""

_DIGITS = 5


def chart_data(folder: Folder, rows: Sequence[Row]) -> dict[str, Any]:
    """Return everything that the charts of a suite show, as plain JSON."""
    metrics = metric_names(folder.results, folder.reference)
    reference = next((row for row in rows if row.kind == "reference"), None)
    held_against = {
        metric: _numbers(metric, estimate)
        for metric, estimate in (reference.estimates if reference else {}).items()
    }
    several, named = any(row.kind == "mean" for row in rows), names(folder.results)
    models = representatives(rows)
    return {
        "reference": reference.reference_name if reference else "",
        "costs": COSTS,
        "metrics": [
            {
                "key": metric,
                "title": metric_title(metric),
                "fraction": metric in FRACTIONS,
                "higher": _better(metric, folder) == "higher",
                "reference": held_against.get(metric),
                "fronts": fronts(models, metric),
            }
            for metric in metrics
        ],
        "points": [_point(row, folder.suite.grid) for row in models],
        "quantities": _quantities(folder),
        "curves": [
            {
                "name": _name(named[result.provenance.cell_key], result, several),
                "style": places(result.cell["variant"], folder.suite.grid),
                **_curve(folder.curves[result.provenance.cell_key]),
            }
            for result in in_order(folder.results, rows)
            if folder.curves.get(result.provenance.cell_key)
        ],
    }


def fronts(rows: Sequence[Row], metric: str) -> dict[str, list[int]]:
    """Return by cost the rows than which none is as good and cheaper, or better and as cheap.

    Args:
        rows: models with their costs.
        metric: those that have it are compared, by its values; of equal rows all are returned.
            Floors, which cost no training, are in no front.

    Returns:
        Places in `rows`, the cheapest first.
    """
    alike = {id(row) for row in of_one_version(rows, metric)}
    measured = [
        place
        for place, row in enumerate(rows)
        if id(row) in alike and row.cost and not row.is_floor
    ]
    if not measured:
        return {cost: [] for cost in COSTS}
    found = [rows[place].estimates[metric] for place in measured]
    sign = 1 if found[0].better == "higher" else -1
    quality_M = sign * np.array([estimate.value for estimate in found])
    by_cost = {}
    for cost in COSTS:
        cost_M = np.array([float(getattr(rows[place].cost, cost)) for place in measured])
        on_M = front(quality_M, cost_M[:, None])
        places = sorted(np.flatnonzero(on_M).tolist(), key=lambda m: (cost_M[m], quality_M[m]))
        by_cost[cost] = [measured[m] for m in places]
    return by_cost


def _name(name: str, result: Result, several: bool) -> str:
    return f"{name}, seed {result.cell['seed']}" if several else name


def _better(metric: str, folder: Folder) -> str:
    known = [result.estimates for result in folder.results]
    known += [folder.reference.estimates] if folder.reference else []
    return next(estimates[metric].better for estimates in known if metric in estimates)


def _point(row: Row, grid: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    assert row.cost is not None
    return {
        "name": row.label,
        "floor": row.is_floor,
        "style": places(row.variant, grid),
        "costs": {cost: _short(getattr(row.cost, cost)) for cost in COSTS},
        "values": {name: _numbers(name, estimate) for name, estimate in row.estimates.items()},
    }


def _numbers(metric: str, estimate: Estimate) -> list[Any]:
    text = f"{estimate_text(metric, estimate)}, n = {estimate.n:,}"
    return [_short(v) for v in (estimate.value, estimate.low, estimate.high)] + [text]


def places(variant: Mapping[str, str], grid: Mapping[str, Sequence[str]]) -> tuple[int, int]:
    """Return where a variant's values stand on the first two axes: its colour and its shape."""
    found = [
        list(values).index(variant[axis]) if variant.get(axis) in values else len(values)
        for axis, values in grid.items()
    ]
    first, second = [*found, 0, 0][:2]
    return first, second


def _quantities(folder: Folder) -> list[str]:
    """Return what was logged in training or validation, the loss first."""
    keys = {key for rows in folder.curves.values() for row in rows for key in row}
    names = {key.partition("/")[2] for key in keys if key.startswith(("train/", "val/"))}
    return sorted(names, key=lambda name: (name != "loss", name))


def _curve(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Turn rows into columns; a series is [rows in which it is logged, values]."""
    names = sorted({key for row in rows for key in row if key.startswith(("train/", "val/"))})
    logged = {name: [k for k, row in enumerate(rows) if name in row] for name in names}
    return {
        "x": {axis: [_short(row[axis]) for row in rows] for axis in X_AXES if axis in rows[0]},
        "series": {
            name: [places if len(places) < len(rows) else None,
                   [_short(rows[k][name]) for k in places]]
            for name, places in logged.items()
        },
    }  # fmt: skip


def _short(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.{_DIGITS}g}")
