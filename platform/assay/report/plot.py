"""A figure for a paper or a page: models of a suite with their intervals, a panel a metric.

It is drawn from published results alone, and the same results give the same bytes.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.errors import ConfigError, DataError
from assay.report.folders import Folder
from assay.report.leaderboard import (
    Row,
    headline,
    leaderboard,
    metric_names,
    of_one_version,
    representatives,
)
from assay.report.wording import FRACTIONS, count_text, metric_title, name_title
from assay.result import write_bytes
from assay.task import Estimate

FORMATS = (".svg", ".pdf", ".png")
MOST_PANELS = 4
_MODEL, _FLOOR, _REFERENCE = "#0f6e7c", "#8a8f98", "#c2410c"
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 8,
    "svg.fonttype": "none", "svg.hashsalt": "assay", "pdf.fonttype": 42,
    "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False,
}  # fmt: skip
_WITHOUT_DATES: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    ".png": {"Software": None},
}


def plot(folder: Folder, metrics: Sequence[str], out: Path) -> str:
    """Draw a suite's models, the best first, floors in grey, real data as a line.

    Args:
        folder: of the suite.
        metrics: a panel each, such as `edm/validity`; the leaderboard's own if there are none.
        out: .svg, .pdf or .png.

    Returns:
        What has to stand below it: n, intervals, protocols, and what is not in it.

    Raises:
        ConfigError: another kind of file, or more panels than a page is wide.
        DataError: no model of the suite has a metric.
        MachineError: the file cannot be written.
    """
    if out.suffix not in FORMATS:
        raise ConfigError(f"{out}: is no figure; give a file that ends in {', '.join(FORMATS)}")
    rows = leaderboard(folder.results, folder.reference, folder.external)
    models = {id(row) for row in representatives(rows)}
    shown = [row for row in rows if id(row) in models or row.kind == "external"]
    chosen = list(metrics) or [name for name in [headline(shown)] if name is not None]
    if not 0 < len(chosen) <= MOST_PANELS:
        raise ConfigError(f"{len(chosen)} metrics: give one to {MOST_PANELS}, a panel each")
    panels = {name: of_one_version(shown, name) for name in chosen}
    for name, of_panel in panels.items():
        if not of_panel:
            known = ", ".join(metric_names(folder.results, None))
            raise DataError(f"{folder.path}: no model has {name!r}; there are {known}")
    shown = [row for row in shown if any(row in of_panel for of_panel in panels.values())]
    reference = next((row for row in rows if row.kind == "reference"), None)
    write_bytes(out, _drawn(shown, panels, reference, out.suffix))
    return _caption(folder, shown, panels, reference)


def _drawn(
    shown: Sequence[Row], panels: dict[str, list[Row]], reference: Row | None, suffix: str
) -> bytes:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        longest = max(len(_label(row)) for row in shown)
        figure = Figure(
            figsize=(0.5 + 0.065 * longest + 1.75 * len(panels), 0.75 + 0.19 * len(shown)),
            layout="constrained",
        )
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axis, (metric, rows) in zip(axes, panels.items(), strict=True):
            _panel(axis, metric, shown, rows, reference)
        axes[0].set_yticks(range(len(shown)), [_label(row) for row in shown])
        for text, row in zip(axes[0].get_yticklabels(), shown, strict=True):
            text.set_color(_FLOOR if row.is_floor else "black")
        axes[0].invert_yaxis()
        made = io.BytesIO()
        figure.savefig(made, format=suffix[1:], dpi=200, metadata=_WITHOUT_DATES[suffix])
    return made.getvalue()


def _panel(
    axis: Any, metric: str, shown: Sequence[Row], rows: Sequence[Row], reference: Row | None
) -> None:
    scale, unit = (100.0, ", %") if metric in FRACTIONS else (1.0, "")
    axis.grid(axis="x", color="#e3e5e8", linewidth=0.6)
    axis.tick_params(axis="y", length=0)
    axis.margins(y=0.6 / len(shown))
    for row in rows:
        found, colour = row.estimates[metric], _FLOOR if row.is_floor else _MODEL
        place = shown.index(row)
        axis.plot([scale * found.low, scale * found.high], [place] * 2, color=colour, linewidth=1.4)
        marker = "D" if row.kind == "external" else "o"
        axis.plot(scale * found.value, place, marker, color=colour, markersize=3.6)
    held_against = _held_against(reference, metric, rows)
    if held_against is not None:
        axis.axvspan(
            scale * held_against.low, scale * held_against.high, color=_REFERENCE, alpha=0.15,
            linewidth=0,
        )  # fmt: skip
        axis.axvline(scale * held_against.value, color=_REFERENCE, linewidth=0.9, linestyle="--")
    better = rows[0].estimates[metric].better
    axis.set_xlabel(f"{metric_title(metric)}{unit} {'→' if better == 'higher' else '←'}")


def _held_against(reference: Row | None, metric: str, rows: Sequence[Row]) -> Estimate | None:
    """Return the reference row's figure, if it is of the version that the panel has."""
    found = None if reference is None else reference.estimates.get(metric)
    same = found is not None and found.version == rows[0].estimates[metric].version
    return found if same else None


def _label(row: Row) -> str:
    return name_title(row.label)


def _caption(
    folder: Folder, shown: Sequence[Row], panels: dict[str, list[Row]], reference: Row | None
) -> str:
    said = [f"{folder.suite.title}."]
    for metric, rows in panels.items():
        found = rows[0].estimates[metric]
        away = [row.label for row in shown if row not in rows]
        words = f"; not of {', '.join(away)}" if away else ""
        said.append(f"{metric_title(metric)}: {metric}, version {found.version}{words}.")
    seeds = {len(row.seeds) for row in shown if row.kind == "mean"}
    if seeds:
        counts = " to ".join(str(each) for each in sorted({min(seeds), max(seeds)}))
        said.append(f"Means over {counts} seeds, with Student's 95 % intervals.")
    if single := [row for row in shown if row.kind == "cell"]:
        n = {row.estimates[name].n for row in single for name in panels if name in row.estimates}
        counts = " to ".join(f"{each:,}" for each in sorted({min(n), max(n)}))
        said.append(f"Of models with one seed: 95 % intervals over n = {counts}.")
    if any(row.is_floor for row in shown):
        said.append("Grey: nothing was trained.")
    if any(row.kind == "external" for row in shown):
        said.append("Diamonds: submitted by others.")
    if any(_held_against(reference, metric, rows) for metric, rows in panels.items()):
        assert reference is not None
        said.append(
            f"Dashed: {reference.reference_name} ({reference.label}), with its 95 % interval."
        )
    commits = sorted({(each.provenance.git_commit or "unknown")[:7] for each in folder.results})
    count = count_text(len(folder.results), "cell")
    said.append(f"{count} of {folder.path.name}, commit {', '.join(commits)}.")
    return " ".join(said)
