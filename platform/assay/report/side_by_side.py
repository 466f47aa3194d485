"""Two results beside each other, estimate by estimate: no statistics over seeds."""

from dataclasses import dataclass
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from assay.report.tables import headed
from assay.report.wording import estimate_text
from assay.result import Result
from assay.task import Estimate

Relation = Literal["A", "B", "equal", "intervals overlap", "only one", "other versions"]
"""Which of two is better, the first (A) or the second, or why neither can be said to be."""


@dataclass(frozen=True)
class Line:
    """One metric of both; a result that lacks it has None."""

    metric: str
    first: Estimate | None
    second: Estimate | None
    relation: Relation


def side_by_side(first: Result, second: Result) -> list[Line]:
    """Return every metric of either, in the order of the first."""
    metrics = dict.fromkeys([*first.estimates, *second.estimates])
    found = []
    for metric in metrics:
        a, b = first.estimates.get(metric), second.estimates.get(metric)
        found.append(Line(metric, a, b, _relation(a, b)))
    return found


def table(first: Result, second: Result) -> Table:
    """Return the lines as a table; the names of both results stand below it."""
    made = headed("Side by side", "metric", "A", "B", "better")
    for line in side_by_side(first, second):
        texts = (
            "–" if each is None else estimate_text(line.metric, each)
            for each in (line.first, line.second)
        )
        made.add_row(line.metric, *texts, line.relation)
    made.caption = Text("\n".join(
        [f"A: {_title(first)}", f"B: {_title(second)}",
         "95 % intervals of the evaluation; the interval of a difference takes several seeds"]
    ))  # fmt: skip
    return made


def document(first: Result, second: Result) -> dict[str, Any]:
    """Return the lines as JSON."""
    lines = side_by_side(first, second)
    return {
        "cells": [first.provenance.cell_key, second.provenance.cell_key],
        "estimates": {
            line.metric: {
                "first": line.first.model_dump() if line.first else None,
                "second": line.second.model_dump() if line.second else None,
                "relation": line.relation,
            }
            for line in lines
        },
    }


def _title(result: Result) -> str:
    cell = result.cell
    return (
        f"{result.label}, {cell['data']['name']}, seed {cell['seed']}, {result.provenance.cell_key}"
    )


def _relation(first: Estimate | None, second: Estimate | None) -> Relation:
    if first is None or second is None:
        return "only one"
    if first.version != second.version:
        return "other versions"
    if first == second:
        return "equal"
    if first.low <= second.high and second.low <= first.high:
        return "intervals overlap"
    above = first.value > second.value
    return "A" if above == (first.better == "higher") else "B"
