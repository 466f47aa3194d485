"""Gain curves: what another data set is worth, against how much there is of the target's own."""

from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from assay.report.transfer import ARMS, SCRATCH, Row, records_title, title_of
from assay.result import write_bytes

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
"""Okabe and Ito's, told apart by the colour-blind too; in the order of `ARMS`."""


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write a page: for every target and metric, its mean in each arm over the target's records.

    Bars are 95 % intervals over seeds; with one seed there are none.

    Args:
        rows: Of one model or several, as `assay.report.transfer.compare` returns them.
        path: Of the page, which needs no network.
    """
    panels = list(dict.fromkeys((row.target, row.source, row.metric) for row in rows))
    models = list(dict.fromkeys(row.model for row in rows))
    figure = make_subplots(
        rows=len(panels),
        cols=1,
        subplot_titles=[
            f"{target}, from {source}: {title_of(metric)}" for target, source, metric in panels
        ],
        vertical_spacing=0.3 / len(panels),
    )
    for number, panel in enumerate(panels, start=1):
        for model in models:
            for arm, colour in zip(ARMS, COLOURS, strict=True):
                chosen = [
                    row
                    for row in rows
                    if (row.target, row.source, row.metric) == panel
                    and (row.model, row.arm) == (model, arm)
                ]
                if chosen:
                    named = ARMS[arm] if len(models) == 1 else f"{model}: {ARMS[arm]}"
                    trace = _curve(chosen, named, colour)
                    trace.update(legendgroup=named, showlegend=number == 1)
                    figure.add_trace(trace, row=number, col=1)
        figure.update_xaxes(
            title_text=f"training records of {panel[0]}", type="category", row=number, col=1
        )
        figure.update_yaxes(title_text="%", row=number, col=1)
    figure.update_layout(template="plotly_white", height=110 + 330 * len(panels))
    write_bytes(path, figure.to_html(include_plotlyjs=True).encode())


def _curve(rows: Sequence[Row], name: str, colour: str) -> go.Scatter:
    known = [(r.low, r.high) if r.low is not None and r.high is not None else None for r in rows]
    return go.Scatter(
        x=[records_title(row.records) for row in rows],
        y=[100 * row.mean for row in rows],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [100 * (k[1] - r.mean) if k else 0 for k, r in zip(known, rows, strict=True)],
            "arrayminus": [
                100 * (r.mean - k[0]) if k else 0 for k, r in zip(known, rows, strict=True)
            ],
        },
        mode="lines+markers",
        name=name,
        line={"color": colour, "dash": "solid" if rows[0].arm == SCRATCH else "dot"},
    )
