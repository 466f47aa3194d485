"""Properties of what was generated, beside those of real data: histograms of a suite's models.

They are made of the files that `assay.generation.distributions` describes. Of each model its first
seed is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.generation.distributions import FILE, Counts, Distributions, Histogram
from assay.report.charts import places
from assay.report.folders import Folder
from assay.report.leaderboard import Row
from assay.report.plain_tables import PlainTable
from assay.result import read_settings

MOST_SHOWN = 40
"""Models; the page says how many are left out."""


@dataclass(frozen=True)
class DistributionFigures:
    """What the page shows of a suite."""

    reference: str
    tables: Sequence[PlainTable]
    """A table a property."""
    left_out: int
    """Models that are not shown."""
    charts: Mapping[str, Any]
    """`distributions`, for `assets/figures.js`."""


def distribution_figures(
    folder: Folder, rows: Sequence[Row], named: Mapping[str, str]
) -> DistributionFigures | None:
    """Return the histograms of a suite, in the leaderboard's order; None if no cell has any.

    Args:
        folder: The suite.
        rows: Of its leaderboard.
        named: Names of cells, by key.

    Raises:
        DataError: a file breaks its schema; names the file and the key.
    """
    first: dict[str, Row] = {}
    for row in rows:
        if row.cell_key is not None:
            first.setdefault(row.group, row)
    paths = [(row, folder.path / f"{row.cell_key}.{FILE}") for row in first.values()]
    there = [(row, path) for row, path in paths if path.exists()]
    found = [(row, read_settings(Distributions, path)) for row, path in there[:MOST_SHOWN]]
    panels: dict[str, list[tuple[Row, Histogram]]] = {}
    for row, of_cell in found:
        for histogram in of_cell.histograms:
            panels.setdefault(histogram.name, []).append((row, histogram))
    if not panels:
        return None
    return DistributionFigures(
        reference=found[0][1].reference,
        tables=[_table(panel, named) for panel in panels.values()],
        left_out=len(there) - len(found),
        charts={"distributions": [_chart(panel, folder, named) for panel in panels.values()]},
    )


def _title(histogram: Histogram) -> str:
    return histogram.title + (f", {histogram.unit}" if histogram.unit else "")


def _table(panel: Sequence[tuple[Row, Histogram]], named: Mapping[str, str]) -> PlainTable:
    sides = [("real data", panel[0][1].reference)]
    sides += [(named[str(row.cell_key)], histogram.samples) for row, histogram in panel]
    edges = panel[0][1].edges
    return PlainTable(
        _title(panel[0][1]),
        ("Of", "Known", "Unknown", "25 %", "Median", "75 %",
         f"Below {edges[0]:.4g}", f"Above {edges[-1]:.4g}"),
        [(name, *_line(counts)) for name, counts in sides],
    )  # fmt: skip


def _line(counts: Counts) -> list[str]:
    quartiles = ["–"] * 3
    if counts.quartiles is not None:
        quartiles = [f"{value:.4g}" for value in counts.quartiles]
    known, unknown = f"{counts.known:,}", f"{counts.unknown:,}"
    return [known, unknown, *quartiles, f"{counts.below:,}", f"{counts.above:,}"]


def _chart(
    panel: Sequence[tuple[Row, Histogram]], folder: Folder, named: Mapping[str, str]
) -> dict[str, Any]:
    """Return counts as they are: the page draws shares of the values that are known."""
    first = panel[0][1]
    return {
        "title": _title(first),
        "reference": {"edges": first.edges, **_drawn(first.reference)},
        "lines": [
            {
                "name": named[str(row.cell_key)],
                "style": places(row.variant, folder.suite.grid),
                "edges": histogram.edges,
                **_drawn(histogram.samples),
            }
            for row, histogram in panel
        ],
    }


def _drawn(counts: Counts) -> dict[str, Any]:
    return {"within": counts.within, "known": counts.known}
