"""A law over its first variable, with its band: what a figure draws and a document keeps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from assay.statistics.scaling.forms import Form
from assay.statistics.scaling.runs import Runs, Values
from assay.statistics.scaling.study import Study

_POINTS = 60
_KEPT = 30
_DIGITS = 6

_ALONG: dict[str, Literal["params_R", "samples_R", "flops_R"]] = {
    "params": "params_R", "samples": "samples_R", "flops": "flops_R",
}  # fmt: skip
_NONE_AGAIN = 0
"""Stands for the distinct samples of runs that see none twice, which are as many as they see."""


@dataclass(frozen=True)
class Curve:
    """The law at one value of its other variables, over the runs that have it; G grid points."""

    name: str
    along: str
    """The first variable: params, samples or flops."""
    runs: Runs
    x_R: Values
    """Of the runs."""
    x_G: Values
    value_G: Values
    low_G: Values
    """95 % interval, by resampling; not a number where there is none."""
    high_G: Values


def curves(study: Study, points: int = _POINTS) -> Iterator[Curve]:
    """Yield a curve for each value of the second variable, or a single one.

    Of params and samples the one is second that has fewer values: at equal FLOPs hardly two runs
    have seen the same number of samples.
    """
    law, runs = study.law, study.law.runs
    first, two = law.form.variables[0], len(law.form.variables) == 2
    first = "samples" if first == "repeated" else first
    ones_R, beside_R = np.ones(len(runs)), runs.samples_R
    if two and len(np.unique(runs.params_R)) < len(np.unique(beside_R)):
        first, beside_R = "samples", runs.params_R
    others = [beside_R if two else ones_R, ones_R]
    if law.form.repeats:
        others[1] = np.asarray(runs.unique_R)
        if first == "samples":
            others[1] = np.where(others[1] < runs.samples_R, others[1], _NONE_AGAIN)
    for beside, unique in np.unique(np.stack(others, axis=1), axis=0):
        mine = runs.at((others[0] == beside) & (others[1] == unique))
        x_R = np.asarray(getattr(mine, _ALONG[first]))
        x_G = np.geomspace(x_R.min(), x_R.max(), points)
        grid = Runs(
            x_G if first == "params" else np.full(points, mine.params_R[0]),
            x_G if first == "samples" else np.full(points, mine.samples_R[0]),
            np.ones(points),
            x_G if first == "flops" else None,
            None if mine.unique_R is None else np.full(points, mine.unique_R[0]),
        )
        if law.form.repeats and unique == _NONE_AGAIN:
            grid = replace(grid, unique_R=grid.samples_R)
        name = _name(law.form, first, beside, unique)
        yield Curve(name, first, mine, x_R, x_G, *law.predict(grid))


def _name(form: Form, along: str, beside: float, unique: float) -> str:
    two = len(form.variables) == 2
    if two and along == "params":
        distinct = f", {unique:,.0f} of them distinct" if form.repeats else ""
        return f"{beside:,.0f} samples{distinct}"
    said = [f"{beside:,.0f} parameters"] if two else []
    if form.repeats:
        count = "all" if unique == _NONE_AGAIN else f"{unique:,.0f}"
        said.append("all samples distinct" if count == "all" else f"{count} distinct samples")
    return ", ".join(said) or "law"


def plain_curves(study: Study) -> list[dict[str, Any]]:
    """Return the curves as JSON: columns `x`, `value`, `low`, `high`, where they are known."""
    return [
        {
            "name": curve.name, "along": curve.along,
            "x": _column(curve.x_G), "value": _column(curve.value_G),
            "low": _column(curve.low_G), "high": _column(curve.high_G),
        }
        for curve in curves(study, _KEPT)
    ]  # fmt: skip


def _column(values_G: Values) -> list[float | None]:
    return [float(f"{v:.{_DIGITS}g}") if np.isfinite(v) else None for v in values_G]
