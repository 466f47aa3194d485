"""Scaling laws as a document, as tables and as a figure."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from assay.errors import MachineError
from assay.provenance import package_versions
from assay.report.law_curves import curves, plain_curves
from assay.report.tables import headed
from assay.result import write_bytes
from assay.statistics.scaling.extrapolation import Extrapolation
from assay.statistics.scaling.fit import DELTA, VERSION, Parameter
from assay.statistics.scaling.forms import EXPONENTS
from assay.statistics.scaling.isoflop import IsoFLOP
from assay.statistics.scaling.optimum import Optimum
from assay.statistics.scaling.runs import Values
from assay.statistics.scaling.study import Study

_CURVE = 60
_TABLE_STEP = 3
_HIGHER = EXPONENTS | {"R_star"}
"""Parameters by which a loss is the lower the higher they are."""
_COLOURS = ("#3b6fb6", "#c8553d", "#5a9367", "#8f6bb3", "#c99a2e", "#3d8f94", "#a3507a")


def document(study: Study, runs: str) -> dict[str, Any]:
    """Return what `assay scaling fit --json` writes.

    Parameters that are not known stand in `refused` with the reason, not in `metrics`.

    Args:
        study: of the runs.
        runs: name of their file.
    """
    law, n = study.law, len(study.law.runs)
    parameters = law.parameters()
    return {
        "metrics": {
            f"scaling/{name}": _estimate(each, n, "higher" if name in _HIGHER else "lower")
            for name, each in parameters.items()
            if each.refusal is None
        },
        "refused": {
            f"scaling/{name}": _plain(each)
            for name, each in parameters.items()
            if each.refusal is not None
        },
        "forms": [
            {
                "form": each.form.name, "formula": each.form.formula,
                "parameters": len(each.form.parameters), "aicc": _finite(each.aicc),
                "log_likelihood": each.log_likelihood, "chosen": each is law,
            }
            for each in study.others
        ],
        "passed_over": study.passed_over or None,
        "largest_budget": _of_held_out(study.held_out),
        "best_sizes": _of_optimum(study.best),
        "isoflop": _of_isoflop(study.valleys),
        "curves": plain_curves(study),
        "rejected": [],
        "provenance": {
            "runs": runs, "n": n, "protocol": f"scaling {VERSION}", "delta": DELTA,
            "bootstraps": len(law.thetas_BP), "packages": package_versions(),
        },
    }  # fmt: skip


def tables(study: Study) -> Iterator[Table]:
    """Yield the parameters, the forms, the largest budget, the best sizes, for the terminal."""
    law = study.law
    found = headed(f"{law.form.formula}, {len(law.runs)} runs", "parameter", "value", "95 %")
    for name, each in law.parameters().items():
        if each.refusal is None:
            found.add_row(name, f"{each.value:.4g}", f"{each.low:.4g} to {each.high:.4g}")
        else:
            found.add_row(name, "not known", "")
    reasons = [f"{name}: {e.refusal}" for name, e in law.parameters().items() if e.refusal]
    found.caption = Text("\n".join(filter(None, [*reasons, study.passed_over])))
    yield found
    if len(study.others) > 1:
        found = headed("Forms", "form", "parameters", "AICc", "over the best")
        least = study.others[0].aicc
        for each in study.others:
            over = each.aicc - least if math.isfinite(least) else math.nan
            count = str(len(each.form.parameters))
            found.add_row(each.form.formula, count, f"{each.aicc:.1f}", f"{over:.1f}")
        yield found
    yield _held_out_table(study.held_out)
    yield _optimum_table(study.best)
    yield _isoflop_table(study.valleys)


def draw(study: Study, title: str, out: Path) -> None:
    """Write a page of the law's curves with their bands; it needs no network.

    Raises:
        MachineError: it cannot be written.
    """
    from plotly.subplots import make_subplots

    panels = ["loss against its first variable"]
    panels += ["best size"] if isinstance(study.best, Optimum) else []
    panels += ["IsoFLOP parabolas"] if isinstance(study.valleys, IsoFLOP) else []
    figure = make_subplots(rows=1, cols=len(panels), subplot_titles=panels)
    traces = [list(_law_traces(study))]
    if isinstance(study.best, Optimum):
        traces.append(list(_optimum_traces(study.best)))
    if isinstance(study.valleys, IsoFLOP):
        traces.append(list(_valley_traces(study.valleys)))
    for column, of_panel in enumerate(traces, start=1):
        for trace in of_panel:
            figure.add_trace(trace, row=1, col=column)
    figure.update_xaxes(type="log")
    figure.update_yaxes(type="log")
    figure.update_layout(title=f"{title}: {study.law.form.formula}", height=560)
    try:
        write_bytes(out, figure.to_html(include_plotlyjs=True).encode())
    except OSError as error:
        raise MachineError(f"{out}: cannot be written ({error.strerror})") from error


def _law_traces(study: Study) -> Iterator[dict[str, Any]]:
    """Yield the runs and the law over its first variable, a curve for each value of the second."""
    for place, curve in enumerate(curves(study)):
        colour = _COLOURS[place % len(_COLOURS)]
        yield from _band(curve.x_G, curve.value_G, curve.low_G, curve.high_G, curve.name, colour)
        yield {
            "type": "scatter", "mode": "markers", "x": curve.x_R, "y": curve.runs.loss_R,
            "name": curve.name, "marker": {"color": colour}, "legendgroup": curve.name,
            "showlegend": False,
        }  # fmt: skip


def _optimum_traces(best: Optimum) -> Iterator[dict[str, Any]]:
    for quantity, name, colour in (
        (best.params_G, "parameters N*", _COLOURS[0]),
        (best.samples_G, "samples D*", _COLOURS[1]),
    ):
        known = [(C, q) for C, q in zip(best.flops_G, quantity, strict=True) if not q.refusal]
        if known:
            value_K, low_K, high_K = np.array([[q.value, q.low, q.high] for _, q in known]).T
            flops_K = np.array([C for C, _ in known])
            yield from _band(flops_K, value_K, low_K, high_K, name, colour)


def _valley_traces(valleys: IsoFLOP) -> Iterator[dict[str, Any]]:
    for place, valley in enumerate(valleys.valleys):
        colour, name = _COLOURS[place % len(_COLOURS)], f"{valley.flops:.2g} FLOPs"
        x_R = valley.runs.params_R
        x_G = np.geomspace(x_R.min(), x_R.max(), _CURVE)
        shared = {"type": "scatter", "legendgroup": name, "name": name}
        y_G = np.exp(np.polyval(valley.log_loss_3, np.log(x_G)))
        yield {**shared, "mode": "lines", "x": x_G, "y": y_G, "line": {"color": colour}}
        yield {
            **shared, "mode": "markers", "x": x_R, "y": valley.runs.loss_R, "showlegend": False,
            "marker": {"color": colour},
        }  # fmt: skip


def _band(
    x_G: Values, value_G: Values, low_G: Values, high_G: Values, name: str, colour: str
) -> Iterator[dict[str, Any]]:
    shared = {"type": "scatter", "mode": "lines", "legendgroup": name, "name": name}
    around = np.concatenate([x_G, x_G[::-1]]), np.concatenate([high_G, low_G[::-1]])
    yield {
        **shared, "x": around[0], "y": around[1], "fill": "toself", "opacity": 0.25,
        "line": {"width": 0, "color": colour}, "showlegend": False, "hoverinfo": "skip",
    }  # fmt: skip
    yield {**shared, "x": x_G, "y": value_G, "line": {"color": colour}}


def _held_out_table(found: Extrapolation | str) -> Table:
    made = headed("The largest budget, held out", "budget", "seen", "foretold", "95 %", "error")
    if isinstance(found, str):
        made.caption = Text(found)
        return made
    runs = found.held_out
    rows = zip(
        runs.budget_R, runs.loss_R, found.predicted_H, found.low_H, found.high_H, strict=True
    )
    for budget, seen, value, low, high in rows:
        error = f"{value / seen - 1:+.1%}"
        made.add_row(
            f"{budget:.2g}", f"{seen:.4g}", f"{value:.4g}", f"{low:.4g} to {high:.4g}", error
        )
    said = (
        f"mean error {math.expm1(found.error):+.2%}, "
        f"{found.times_further:.1f} times further than was fitted"
    )
    if found.begun_with_others:
        said += f"; {found.begun_with_others} of these runs began as runs that were fitted"
    made.caption = Text(said)
    return made


def _optimum_table(found: Optimum | str) -> Table:
    made = headed("Best sizes", "FLOPs", "parameters", "samples", "loss")
    if isinstance(found, str):
        made.caption = Text(found)
        return made
    quantities = zip(found.flops_G, found.params_G, found.samples_G, found.loss_G, strict=True)
    for flops, *each in list(quantities)[::_TABLE_STEP]:
        made.add_row(f"{flops:.2g}", *map(_ends, each))
    said = _powers(found)
    if found.fall < 1:
        said += f"; intervals are of the {found.fall:.1%} of resamples in which both powers fall"
    made.caption = Text(said)
    return made


def _isoflop_table(found: IsoFLOP | str) -> Table:
    made = headed("IsoFLOP", "FLOPs", "parameters", "samples")
    if isinstance(found, str):
        made.caption = Text(found)
        return made
    for valley in found.valleys:
        made.add_row(f"{valley.flops:.2g}", _ends(valley.params), _ends(valley.samples))
    made.caption = Text("\n".join([_powers(found), *found.left_out]))
    return made


def _ends(found: Parameter) -> str:
    value = "not known" if found.refusal else f"{found.value:.3g}"
    return f"{value} ({found.low:.3g}–{found.high:.3g})"


def _powers(found: Optimum | IsoFLOP) -> str:
    a, b = (f"{p.value:.3f} [{p.low:.3f}, {p.high:.3f}]" for p in (found.a, found.b))
    return f"N* ~ C^a, a = {a}; D* ~ C^b, b = {b}"


def _estimate(found: Parameter, n: int, better: str) -> dict[str, Any]:
    return {
        "value": found.value, "low": found.low, "high": found.high, "n": n, "version": VERSION,
        "better": better,
    }  # fmt: skip


def _plain(found: Parameter) -> dict[str, float | str | None]:
    ends = {"value": found.value, "low": found.low, "high": found.high}
    plain: dict[str, float | str | None] = {name: _finite(end) for name, end in ends.items()}
    return plain | ({"reason": found.refusal} if found.refusal else {})


def _of_held_out(found: Extrapolation | str) -> dict[str, Any]:
    if isinstance(found, str):
        return {"reason": found}
    seen = zip(found.held_out.loss_R, found.predicted_H, found.low_H, found.high_H, strict=True)
    return {
        "error": found.error,
        "times_further": found.times_further,
        "begun_with_others": found.begun_with_others,
        "runs": [
            {"loss": float(loss), "value": float(v), "low": float(low), "high": float(high)}
            for loss, v, low, high in seen
        ],
    }


def _of_optimum(found: Optimum | str) -> dict[str, Any]:
    if isinstance(found, str):
        return {"reason": found}
    rows = zip(found.flops_G, found.params_G, found.samples_G, found.loss_G, strict=True)
    return {
        "a": _plain(found.a),
        "b": _plain(found.b),
        "cost": {"exponent": found.cost_2[0], "log_factor": found.cost_2[1]},
        "resamples_that_fall": found.fall,
        "budgets": [
            {"flops": float(C), "params": _plain(N), "samples": _plain(D), "loss": _plain(L)}
            for C, N, D, L in rows
        ],
    }


def _of_isoflop(found: IsoFLOP | str) -> dict[str, Any]:
    if isinstance(found, str):
        return {"reason": found}
    return {
        "a": _plain(found.a),
        "b": _plain(found.b),
        "budgets": [
            {"flops": each.flops, "params": _plain(each.params), "samples": _plain(each.samples)}
            for each in found.valleys
        ],
        "left_out": list(found.left_out),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
