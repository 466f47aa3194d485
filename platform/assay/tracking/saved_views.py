"""Saved views of a suite in MLflow: which model is best, and at what cost, without set-up.

MLflow (from 3.15 on) keeps a view of an experiment's page of runs as a tag of the experiment: a
JSON envelope with a name, times, and the page's state as text. They are in the menu *Views*, and a
link opens one.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from assay.tracking import view

PREFIX = "mlflow.sharedViewState."
CELLS, MODELS = "assay-cells", "assay-models"
COSTS = ("parameters", "flops", "training_seconds", "peak_memory_bytes")
TRIAL = ("assay.study", "assay.trial")
"""Tags of the cells of a search: a trial is what differs in nothing but the seed."""
SHOWN_MODELS = 100
"""Rows of which charts are drawn."""


@dataclass(frozen=True)
class Contents:
    """What the finished cells of a suite have to show."""

    groups: tuple[tuple[Literal["param", "tag"], str], ...]
    """What tells models apart, as params or tags of a run."""
    metrics: tuple[str, ...]
    """`<protocol>/<metric>`, without their intervals."""
    headline: str
    better: Literal["higher", "lower"]


def groups_of(
    runs: Sequence[tuple[Mapping[str, str], Mapping[str, str]]],
) -> tuple[tuple[Literal["param", "tag"], str], ...]:
    """Return what tells models apart: params that differ, or of a search the trial.

    Args:
        runs: Params and tags of each run.
    """
    if any(TRIAL[1] in tags for _, tags in runs):
        return tuple(("tag", name) for name in TRIAL)
    params = [each for each, _ in runs]
    names = dict.fromkeys(name for each in params for name in each if name != "seed")
    differ = [name for name in names if len({each.get(name) for each in params}) > 1]
    # `network` spells out what `size` says, and is as long as a line.
    return tuple(("param", name) for name in differ if name != "network" or "size" not in differ)


def estimates_of(metrics: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    """Return of a run's metrics the final estimates, in the order of `names`."""
    return {name: metrics[view.FINAL + name] for name in names if view.FINAL + name in metrics}


def saved_views(contents: Contents, at_ms: int) -> dict[str, str]:
    """Return tags of an experiment by name: a view of its cells, and one of its models.

    Args:
        contents: What there is to show.
        at_ms: When the experiment was made; a view has the same text whenever it is written.
    """
    made = {
        CELLS: ("Cells, best first", _cells(contents)),
        MODELS: ("Models, means over seeds, with charts of quality and cost", _models(contents)),
    }
    return {
        PREFIX + key: json.dumps(
            {"name": name, "createdAt": at_ms, "updatedAt": at_ms, "state": json.dumps(state)}
        )
        for key, (name, state) in made.items()
    }


def link(experiment: str, key: str) -> str:
    """Return where a view is, below the address of the server."""
    charts = "&compareRunsMode=CHART" if key == MODELS else ""
    # Without the workflow MLflow opens its pages for language models first.
    page = f"#/experiments/{experiment}/runs?workflowType=machine_learning"
    return f"{page}&viewStateShareKey={key}{charts}"


def note(title: str, experiment: str) -> str:
    """Return the description of an experiment, in Markdown; MLflow shows its first line alone."""
    return (
        f"{title}: [cells, best first]({link(experiment, CELLS)}) · "
        f"[models, means over seeds, with charts]({link(experiment, MODELS)})\n\n"
        "A run is a cell and seed, below that of the suite; `final/…_low` and `final/…_high` are "
        "the ends of 95 % intervals."
    )


def _cells(contents: Contents) -> dict[str, Any]:
    """Return the page's state: a line a cell, in the order of the headline."""
    first = view.FINAL + contents.headline
    return _page(contents, ("seed",), (first, first + view.LOW, first + view.HIGH))


def _models(contents: Contents) -> dict[str, Any]:
    """Return the page's state: a line a model, with charts of the headline against each cost.

    Means of the ends of intervals are no interval, and are not shown.
    """
    keys = [{"mode": mode, "groupByData": name} for mode, name in contents.groups]
    first = view.FINAL + contents.headline
    quality = [_chart("headline", "quality", "BAR", metricKey=first)]
    costs = [
        _chart(cost, "cost", "SCATTER", xaxis=_axis(f"cost/{cost}"), yaxis=_axis(first))
        for cost in COSTS
    ]
    learning = [
        _chart(name, "learning", "LINE", metricKey=name, selectedMetricKeys=[name], xAxisKey="step")
        for name in ("val/loss", "train/loss")
    ]
    return _page(contents, (), (first,)) | {
        "groupBy": {"aggregateFunction": "average", "groupByKeys": keys} if keys else None,
        "groupsExpanded": {},
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "compareRunCharts": [*quality, *costs, *learning],
        "compareRunSections": [
            _section("quality", f"{contents.headline}, {contents.better} is better"),
            _section("cost", f"{contents.headline} against cost"),
            _section("learning", "Curves"),
        ],
        "isAccordionReordered": True,
    }


def _page(contents: Contents, more: Sequence[str], first: Sequence[str]) -> dict[str, Any]:
    """Return the state of a page of cells, with columns of params, then of metrics."""
    others = [view.FINAL + name for name in contents.metrics if name != contents.headline]
    costs = [f"cost/{name}" for name in COSTS]
    columns = [
        *(f"{mode}s.`{name}`" for mode, name in contents.groups),
        *(f"params.`{name}`" for name in more),
        *(f"metrics.`{name}`" for name in (*first, *costs, *others)),
    ]
    return {
        "searchFilter": f"tags.`{view.LEVEL}` = 'cell' and attributes.status = 'FINISHED'",
        "orderByKey": f"metrics.`{first[0]}`",
        "orderByAsc": contents.better == "lower",
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "selectedColumns": columns,
        "columnOrder": columns,
        "runsHiddenMode": "SHOW_ALL",
        "groupBy": None,
    }


def _axis(metric: str) -> dict[str, str]:
    return {"key": metric, "type": "METRIC"}


def _chart(key: str, section: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "uuid": f"assay-{section}-{key}",
        "type": kind,
        "runsCountToCompare": SHOWN_MODELS,
        "metricSectionId": f"assay-{section}",
        "deleted": False,
        "isGenerated": False,
        **more,
    }


def _section(key: str, title: str) -> dict[str, Any]:
    return {
        "uuid": f"assay-{key}",
        "name": title,
        "display": True,
        "isReordered": True,
        "deleted": False,
        "isGenerated": False,
    }
