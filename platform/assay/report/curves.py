"""Quality against what it costs: seconds of training, and evaluations of the network a sample."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from assay.errors import ConfigError
from assay.generation.task import GenerationTask
from assay.provenance import provenance
from assay.report.wording import FRACTIONS, metric_title
from assay.result import Result, read_plain, read_result, write_json
from assay.trained import open_trained
from assay.training.execution import require_device

Watch = Callable[[str, float], None]

_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2", "#7f7f7f")


def of_budget(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return a row for every finished cell: what it cost to train, and its estimates."""
    return [
        {
            "label": result.label,
            "seed": result.cell["seed"],
            "cell_key": result.provenance.cell_key,
            "training_seconds": result.cost.training_seconds,
            "samples": result.cost.samples,
            "flops": result.cost.flops,
            "estimates": {name: each.model_dump() for name, each in result.estimates.items()},
        }
        for result in results
    ]


def of_steps(
    directory: Path, kept: Path, steps: Sequence[int], watch: Watch
) -> list[dict[str, Any]]:
    """Evaluate a trained cell once for every number of the sampler's steps, where it was trained.

    Args:
        directory: of the cell in the run store.
        kept: JSON of the rows; those that are there of these weights under the present protocol
            are not computed again, and each is written as soon as it is known.
        steps: intervals of the sampler's grid.
        watch: is told which steps are at work, and how far.

    Raises:
        DataError: the folder holds no cell, or `kept` is damaged.
        CheckpointError: as `open_trained`.
        ConfigError: the process cannot take so many steps.
        MachineError: it was trained on a GPU, and there is none here.
    """
    published = read_result(directory / "result.json")
    made_then = published.provenance
    protocol, device = made_then.protocol, made_then.device
    rows = read_plain(kept) if kept.exists() else []
    rows = [
        row
        for row in rows
        if row["provenance"]["protocol"] == protocol
        and row["provenance"]["created_utc"] >= made_then.created_utc
    ]
    for count in sorted(set(steps) - {row["steps"] for row in rows}):
        place = require_device("cpu" if device == "cpu" else "cuda")
        trained = open_trained(directory, [f"settings.process.steps={count}"], place)
        cell, task = trained.cell, trained.task
        if not isinstance(task, GenerationTask):
            raise ConfigError(f"{directory}: the family {cell.family} draws no samples")
        started = time.monotonic()
        found = task.evaluate(
            trained.model, trained.data, lambda phase, done, n=count: watch(f"{n} steps", done)
        )
        made = provenance(
            cell_key=trained.trained_as.key, protocol=protocol, device=device,
            threads=torch.get_num_threads(), accumulation=1, compiled=False, workers=1,
            sharding=None, data_description=trained.data.description, resumed=0, quarantined=0,
        )  # fmt: skip
        rows.append(
            {
                "label": cell.label,
                "seed": cell.seed,
                "steps": count,
                "evaluations": task.evaluations,
                "evaluations_are_least": task.evaluations_are_least,
                "seconds": time.monotonic() - started,
                "estimates": {name: each.model_dump() for name, each in found.items()},
                "provenance": made.model_dump(mode="json"),
            }
        )
        write_json(kept, sorted(rows, key=lambda row: row["steps"]))
    return [row for row in sorted(rows, key=lambda row: row["steps"]) if row["steps"] in steps]


def draw(document: Mapping[str, Any], metrics: Sequence[str], out: Path) -> None:
    """Write a page with both curves of each metric, intervals included; it needs no network.

    Args:
        document: `budgets` of `of_budget` and `steps` of `of_steps`.
        metrics: those of which some row has an estimate are drawn.
        out: the HTML file.
    """
    from plotly.subplots import make_subplots

    rows = [*document["budgets"], *document["steps"]]
    shown = [metric for metric in metrics if any(metric in row["estimates"] for row in rows)]
    figure = make_subplots(
        rows=max(1, len(shown)), cols=2, shared_yaxes=True, vertical_spacing=0.06,
        column_titles=["seconds of training", "evaluations of the network a sample"],
    )  # fmt: skip
    for place, metric in enumerate(shown, start=1):
        for column, (part, axis) in enumerate(
            (("budgets", "training_seconds"), ("steps", "evaluations")), start=1
        ):
            for trace in _traces(document[part], axis, metric, legend=place == column == 1):
                figure.add_trace(trace, row=place, col=column)
        unit = ", %" if metric in FRACTIONS else ""
        figure.update_yaxes(title_text=f"{metric_title(metric)}{unit}", row=place, col=1)
    figure.update_xaxes(type="log")
    figure.update_layout(title=document["title"], height=120 + 320 * max(1, len(shown)))
    figure.write_html(out, include_plotlyjs=True)


def _traces(
    rows: Sequence[Mapping[str, Any]], axis: str, metric: str, legend: bool
) -> list[dict[str, Any]]:
    scale = 100 if metric in FRACTIONS else 1
    models = sorted({(row["label"], row["seed"]) for row in rows})
    labels = sorted({label for label, _ in models})
    traces = []
    for label, seed in models:
        mine = [row for row in rows if (row["label"], row["seed"]) == (label, seed)]
        mine = sorted((row for row in mine if metric in row["estimates"]), key=lambda r: r[axis])
        found = [row["estimates"][metric] for row in mine]
        traces.append(
            {
                "type": "scatter",
                "name": f"{label}, seed {seed}",
                "legendgroup": label,
                "showlegend": legend,
                "line": {"color": _COLOURS[labels.index(label) % len(_COLOURS)]},
                "x": [row[axis] for row in mine],
                "y": [scale * each["value"] for each in found],
                "error_y": {
                    "array": [scale * (each["high"] - each["value"]) for each in found],
                    "arrayminus": [scale * (each["value"] - each["low"]) for each in found],
                },
            }
        )
    return traces
