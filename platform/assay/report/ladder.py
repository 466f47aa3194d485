"""From the results of a ladder to scaling laws: one for every variant and figure."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.report.wording import FRACTIONS
from assay.result import Result, write_bytes
from assay.statistics.scaling.runs import Runs

_COST = ("params", "samples", "unique", "flops")


def rows(results: Sequence[Result], figures: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row a result: its label and seed, its cost, and its figures.

    A share that is the better the higher it is, such as `edm/validity`, becomes what is missing
    from 1: an error rate, which a law can be fitted to.

    Raises:
        DataError: a result lacks a figure, or the number of its training records.
    """
    found = []
    for result in results:
        cost, key = result.cost, result.provenance.cell_key
        if cost.records is None:
            raise DataError(
                f"cell {key}: its result does not say how many training records there were; "
                "evaluate it again with --fresh"
            )
        missing = [name for name in figures if name not in result.estimates]
        if missing:
            listed = ", ".join(sorted(result.estimates))
            raise DataError(f"cell {key}: has no estimate {missing[0]}, only {listed}")
        found.append(
            {
                "label": result.label,
                "seed": result.cell["seed"],
                "params": cost.parameters,
                "samples": cost.samples,
                "unique": min(cost.records, cost.samples),
                "flops": cost.flops,
                **{column(name): _value(result, name) for name in figures},
            }
        )
    return found


def column(figure: str) -> str:
    """Return the name of a figure's column, such as `1 - edm/validity`."""
    return f"1 - {figure}" if figure in FRACTIONS else figure


def runs_of(found: Sequence[dict[str, Any]], label: str, column_of: str) -> Runs:
    """Return the runs of one variant with one column as their loss.

    Raises:
        DataError: as `Runs.of`; a loss of 0 has no logarithm.
    """
    mine = [row for row in found if row["label"] == label]
    columns = {name: np.array([row[name] for row in mine], np.float64) for name in _COST}
    columns["loss"] = np.array([row[column_of] for row in mine], np.float64)
    # Each is a cell of its own, though two may have seen equally many records, each once.
    columns["seed"] = np.arange(len(mine), dtype=np.float64)
    return Runs.of(columns)


def write_csv(found: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the rows as a table; of one label, with one figure named loss, `fit` reads it."""
    content = io.StringIO()
    writer = csv.DictWriter(content, list(found[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    write_bytes(path, content.getvalue().encode())


def _value(result: Result, figure: str) -> float:
    value = result.estimates[figure].value
    return 1 - value if figure in FRACTIONS else value
