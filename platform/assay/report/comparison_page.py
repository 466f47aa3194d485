"""A comparison as one page of figures: ranks, effects, fronts of quality against cost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay.report.comparison import Comparison, Model
from assay.report.wording import COSTS, FRACTIONS, metric_title
from assay.result import write_bytes
from assay.statistics.factorial import Factorial
from assay.statistics.ranks import Ranking

_COLOURS = ("#3b6fb6", "#c8553d", "#5a9367", "#8f6bb3", "#c99a2e", "#3d8f94", "#a3507a")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross")


def draw(found: Comparison, title: str, out: Path) -> None:
    """Write the page; it needs no network.

    Raises:
        MachineError: it cannot be written.
    """
    figures = [_ranks(found.ranks)] if isinstance(found.ranks, Ranking) else []
    figures += [_effects(found, found.effects)] if isinstance(found.effects, Factorial) else []
    figures.append(_fronts(found))
    figures[0].update_layout(title=f"{title}: {metric_title(found.figure)}")
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=place == 0)
        for place, figure in enumerate(figures)
    ]
    page = "<!doctype html><html><head><meta charset='utf-8'></head><body>{}</body></html>"
    write_bytes(out, page.format("\n".join(parts)).encode())


def _ranks(ranks: Ranking) -> Any:
    """Draw a critical-difference diagram: bars join models of which no two differ."""
    from plotly.graph_objects import Figure

    count, figure = len(ranks.names), Figure()
    figure.add_scatter(
        x=ranks.ranks_K, y=[0] * count, mode="markers+text", text=ranks.names,
        textposition="top center", marker={"size": 10, "color": _COLOURS[0]}, showlegend=False,
    )  # fmt: skip
    for level, group in enumerate(ranks.groups, start=1):
        ends = [float(ranks.ranks_K[ranks.names.index(name)]) for name in (group[0], group[-1])]
        figure.add_scatter(
            x=ends, y=[-level] * 2, mode="lines", line={"width": 6, "color": "#888"},
            hovertext=", ".join(group), showlegend=False,
        )  # fmt: skip
    figure.add_scatter(
        x=[1, 1 + ranks.critical_difference], y=[1.5, 1.5], mode="lines+markers",
        name=f"critical difference {ranks.critical_difference:.2f}",
        line={"color": _COLOURS[1]}, marker={"symbol": "line-ns-open", "size": 12},
    )  # fmt: skip
    figure.update_xaxes(title="average rank over seeds, 1 is best", range=[0.5, count + 0.5])
    figure.update_yaxes(visible=False)
    figure.update_layout(height=320 + 30 * len(ranks.groups))
    return figure


def _effects(found: Comparison, effects: Factorial) -> Any:
    """Draw main effects with their intervals, and beside them every model on the second axis."""
    from plotly.subplots import make_subplots

    first, second = found.axes
    headings = [f"effect of {first}", f"effect of {second}", "both together"]
    figure = make_subplots(rows=1, cols=3, subplot_titles=headings)
    scale = 100 if found.figure in FRACTIONS else 1
    for column, part in enumerate((effects.rows, effects.columns), start=1):
        figure.add_scatter(
            x=[effect.levels[0] for effect in part], y=[scale * effect.value for effect in part],
            error_y=_bars([(scale * e.value, scale * e.low, scale * e.high) for e in part]),
            mode="markers", marker={"size": 9, "color": _COLOURS[0]}, showlegend=False,
            row=1, col=column,
        )  # fmt: skip
        figure.add_hline(y=0, line={"color": "#aaa"}, row=1, col=column)  # type: ignore[arg-type]
    for place, level in enumerate(sorted({m.variant[first] for m in found.models})):
        of_level = [m for m in found.models if m.variant[first] == level]
        of_level.sort(key=lambda model: model.variant[second])
        figure.add_scatter(
            x=[m.variant[second] for m in of_level], y=[scale * m.mean for m in of_level],
            error_y=_bars([_scaled(model, scale) for model in of_level]), name=level,
            line={"color": _COLOURS[place % len(_COLOURS)]}, row=1, col=3,
        )  # fmt: skip
    figure.update_layout(height=420)
    return figure


def _fronts(found: Comparison) -> Any:
    """Draw quality against every cost; a line joins the models that none beats at their cost."""
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=1, cols=len(COSTS), shared_yaxes=True,
                           subplot_titles=list(COSTS.values()))  # fmt: skip
    scale = 100 if found.figure in FRACTIONS else 1
    for column, cost in enumerate(COSTS, start=1):
        for trace in _points(found, cost, scale, legend=column == 1):
            figure.add_trace(trace, row=1, col=column)
        on_front = sorted(
            (model for model in found.models if cost in model.fronts), key=lambda m: m.costs[cost]
        )
        figure.add_scatter(
            x=[m.costs[cost] for m in on_front], y=[scale * m.mean for m in on_front],
            mode="lines", line={"shape": "hv", "dash": "dot", "color": "#666"},
            name="front", showlegend=column == 1, row=1, col=column,
        )  # fmt: skip
    figure.update_xaxes(type="log")
    unit = ", %" if scale == 100 else ""
    figure.update_yaxes(title_text=f"{metric_title(found.figure)}{unit}", row=1, col=1)
    figure.update_layout(height=460)
    return figure


def _points(found: Comparison, cost: str, scale: float, legend: bool) -> Iterator[dict[str, Any]]:
    axes = [sorted({m.variant[axis] for m in found.models}) for axis in found.axes[:2]]
    for model in found.models:
        places = [
            values.index(model.variant[axis])
            for axis, values in zip(found.axes, axes, strict=False)
        ]
        colour, symbol = (*places, 0)[:2]
        yield {
            "type": "scatter", "mode": "markers", "x": [model.costs[cost]],
            "y": [scale * model.mean], "error_y": _bars([_scaled(model, scale)]),
            "name": model.name, "legendgroup": model.name, "showlegend": legend,
            "marker": {"size": 10, "color": _COLOURS[colour % len(_COLOURS)],
                       "symbol": _SYMBOLS[symbol % len(_SYMBOLS)]},
        }  # fmt: skip


def _scaled(model: Model, scale: float) -> tuple[float, float, float]:
    low, high = model.ends or (model.mean, model.mean)
    return scale * model.mean, scale * low, scale * high


def _bars(ends: list[tuple[float, float, float]]) -> dict[str, Any]:
    return {
        "array": [high - value for value, _, high in ends],
        "arrayminus": [value - low for value, low, _ in ends],
    }
