"""From the results of a ladder to tables of runs, one for every variant and figure."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.config import digest16
from assay.errors import DataError
from assay.report.wording import FRACTIONS
from assay.result import Result, require_one_version, write_bytes

FIGURES = ("held_out/x_mse", "edm/atom_stability", "cdvae/validity")
"""What laws are fitted to by default, where results have it."""


def figures_of(results: Sequence[Result], asked: Sequence[str]) -> list[str]:
    """Return the figures that laws are fitted to.

    Args:
        results: Of a ladder.
        asked: By a user; without any, those of `FIGURES` that all results have.

    Raises:
        DataError: a result lacks a figure that is asked for, or all lack those of `FIGURES`.
    """
    for name in asked:
        for result in results:
            if name not in result.estimates:
                raise DataError(
                    f"cell {result.provenance.cell_key}: has no estimate {name}, only "
                    f"{', '.join(sorted(result.estimates))}"
                )
    found = list(asked) or [f for f in FIGURES if all(f in each.estimates for each in results)]
    if not found:
        listed = ", ".join(sorted(results[0].estimates))
        raise DataError(f"none of {', '.join(FIGURES)} was measured: choose one of {listed}")
    return found


def column(figure: str) -> str:
    """Return what a law is fitted to, such as `1 - edm/validity`.

    A share that is the better the higher it is becomes what is missing from 1: an error rate.
    """
    return f"1 - {figure}" if figure in FRACTIONS else figure


def rows(results: Sequence[Result], label: str, figure: str) -> list[dict[str, Any]]:
    """Return a row for every result of a variant, as `assay scaling fit` reads it.

    A figure of n = 0, such as the uniqueness of no valid molecule, is none.

    Raises:
        DataError: a result does not say how many training records there were, or the figure is of
            several versions.
    """
    found, mine = [], [result for result in results if result.label == label]
    require_one_version(mine, figure)
    for result in mine:
        cost, key = result.cost, result.provenance.cell_key
        if cost.records is None:
            raise DataError(
                f"cell {key}: its result does not say how many training records there were; "
                "train it again with --fresh"
            )
        estimate = result.estimates[figure]
        if estimate.n == 0:
            continue
        value = estimate.value
        found.append(
            {
                "params": cost.parameters,
                "samples": cost.samples,
                "unique": min(cost.records, cost.samples),
                "flops": cost.flops,
                "loss": 1 - value if figure in FRACTIONS else value,
                "seed": result.cell["seed"],
                "chain": _chain(result),
                "cell": key,
            }
        )
    return sorted(found, key=lambda row: tuple(row.values()))


def _chain(result: Result) -> str:
    """Return what runs of one beginning have in common; without one, the cell's own key."""
    if result.cell["training"].get("warmup_steps") is None:
        return result.provenance.cell_key
    return digest16({key: value for key, value in result.cell.items() if key != "budget"})


def drop_older(laws: Path, results: Sequence[Result]) -> None:
    """Remove laws of runs that are not those that the results have now.

    Args:
        laws: Folder of what `jobs/scaling_laws.py` wrote; it need not be there.
        results: Of the ladder.
    """
    for path in sorted(laws.glob("*.csv")):
        label, _, figure = path.stem.partition(".")
        figure = figure.replace(".", "/", 1)
        with path.open(newline="", encoding="utf-8") as file:
            fitted = {row["cell"] for row in csv.DictReader(file)}
        if fitted != {
            result.provenance.cell_key
            for result in results
            if result.label == label and figure in result.estimates and result.estimates[figure].n
        }:
            for end in ("csv", "json", "html"):
                path.with_suffix(f".{end}").unlink(missing_ok=True)


def write_csv(found: Sequence[dict[str, Any]], path: Path) -> None:
    """Write rows as `assay scaling fit` reads them.

    Raises:
        MachineError: the file cannot be written.
    """
    content = io.StringIO()
    writer = csv.DictWriter(content, list(found[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    write_bytes(path, content.getvalue().encode())
