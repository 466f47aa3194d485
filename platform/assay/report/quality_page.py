"""Quality against seconds of training and steps of sampling, on the page: curves and tables."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict

from assay.config import Settings
from assay.errors import DataError
from assay.headline import headline
from assay.report.plain_tables import PlainTable
from assay.report.wording import (
    FRACTIONS,
    duration_text,
    estimate_text,
    metric_title,
    si_text,
)
from assay.result import read_settings
from assay.task import Estimate

FILE = "curves.json"


class _Row(Settings):
    """What one model scored; files outlive new keys."""

    model_config = ConfigDict(extra="ignore")

    label: str
    seed: int
    estimates: dict[str, Estimate]


class OfBudget(_Row):
    """A cell that was trained for a part of the budget, or for all of it."""

    training_seconds: float
    samples: int
    flops: float


class OfSteps(_Row):
    """A cell of the whole budget, sampled in some number of steps."""

    steps: int
    evaluations: float
    evaluations_are_least: bool = False
    """The solver takes as many more as its tolerance asks for."""


class Document(Settings):
    """What `jobs/quality_curves.py` writes."""

    model_config = ConfigDict(extra="ignore")

    title: str
    budgets: list[OfBudget]
    steps: list[OfSteps]


R = TypeVar("R", bound=_Row)

AXES: Mapping[str, str] = {
    "training_seconds": "seconds of training",
    "flops": "FLOPs of training",
    "samples": "training samples",
}
"""What the length of training is measured by."""


def study_context(identity: str, folder: Path) -> dict[str, Any]:
    """Return the variables of `assets/quality.html`.

    Args:
        identity: prefix of the study's anchors in the page.
        folder: where `jobs/quality_curves.py` left its curves.

    Raises:
        DataError: the file is unreadable, breaks its schema, or holds no row.
    """
    found = read_settings(Document, folder / FILE)
    rows: list[_Row] = [*found.budgets, *found.steps]
    metrics = list(dict.fromkeys(name for row in rows for name in _measured(row)))
    if not metrics:
        raise DataError(f"{folder / FILE}: holds no estimate: no cell is finished")
    values = [{name: each.value for name, each in _measured(row).items()} for row in rows]
    return {
        "id": identity,
        "name": folder.name,
        "template": "quality.html",
        "title": found.title,
        "axes": AXES,
        "metrics": {metric: metric_title(metric) for metric in metrics},
        "headline": headline(values) or metrics[0],
        "tables": [_of_budgets(found.budgets, metrics), _of_steps(found.steps, metrics)],
        "charts": {
            "quality": {
                "axes": AXES,
                "metrics": {
                    name: {"title": metric_title(name), "fraction": name in FRACTIONS}
                    for name in metrics
                },
                "budgets": _lines(found.budgets, tuple(AXES), metrics),
                "steps": _lines(found.steps, ("evaluations",), metrics),
            }
        },
    }


def _measured(row: _Row) -> dict[str, Estimate]:
    return {name: estimate for name, estimate in row.estimates.items() if estimate.n > 0}


def _lines(rows: Sequence[R], axes: Sequence[str], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Return a line for every model and seed: columns along each axis, None where not measured."""
    labels = list(dict.fromkeys(row.label for row in rows))
    seeds = sorted({row.seed for row in rows})
    lines = []
    for label, seed in dict.fromkeys((row.label, row.seed) for row in rows):
        mine = [row for row in rows if (row.label, row.seed) == (label, seed)]
        mine.sort(key=lambda row: getattr(row, axes[0]))
        lines.append(
            {
                "name": f"{label}, seed {seed}",
                "style": [labels.index(label), seeds.index(seed)],
                "x": {axis: [getattr(row, axis) for row in mine] for axis in axes},
                "values": {
                    metric: [_ends(_measured(row).get(metric)) for row in mine]
                    for metric in metrics
                },
            }
        )
    return lines


def _ends(estimate: Estimate | None) -> list[float] | None:
    return None if estimate is None else [estimate.value, estimate.low, estimate.high]


def _of_budgets(rows: Sequence[OfBudget], metrics: Sequence[str]) -> PlainTable:
    return _table(
        "Trained for longer", ("Samples", "FLOPs", "Time"), rows, metrics,
        lambda row: (si_text(row.samples), si_text(row.flops),
                     duration_text(row.training_seconds)),
    )  # fmt: skip


def _of_steps(rows: Sequence[OfSteps], metrics: Sequence[str]) -> PlainTable:
    return _table(
        "Sampled in more steps", ("Steps", "Evaluations a sample"), rows, metrics,
        lambda row: (f"{row.steps:,}",
                     f"{'≥ ' if row.evaluations_are_least else ''}{row.evaluations:,.6g}"),
    )  # fmt: skip


def _table(
    title: str,
    axes: Sequence[str],
    rows: Sequence[R],
    metrics: Sequence[str],
    along: Callable[[R], Sequence[str]],
) -> PlainTable:
    found = []
    for row in rows:
        estimates = _measured(row)
        texts = [estimate_text(m, estimates[m]) if m in estimates else "–" for m in metrics]
        found.append((row.label, str(row.seed), *along(row), *texts))
    headings = ("Model", "Seed", *axes, *map(metric_title, metrics))
    return PlainTable(title, headings, found, "" if rows else "no cell is finished")
