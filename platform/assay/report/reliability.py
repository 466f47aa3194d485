"""Reliability diagrams: how often what was given a chance is so, all seeds of a model together."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from assay.report.charts import places
from assay.report.folders import Folder
from assay.report.leaderboard import Row
from assay.report.plain_tables import PlainTable

Bin = tuple[int, float, float]
"""How many there are, the mean chance that they were given, and the share of them that is so."""


def reliability_lines(
    folder: Folder,
    models: Iterable[Sequence[Row]],
    named: Mapping[str, str],
    read: Callable[[str], Sequence[Bin]],
    width: int,
) -> Iterator[dict[str, Any]]:
    """Yield a line a model for `assets/charts.js`: name, style, and its bins, ascending.

    Args:
        folder: The suite.
        models: The cells of each model, its seeds.
        named: Names of cells, by key.
        read: The bins of a cell, by its key; none where it left no diagram.
        width: Number of bins between 0 and 1.
    """
    for of_model in models:
        keys = [str(row.cell_key) for row in of_model]
        bins = [each for key in keys for each in read(key)]
        if bins:
            yield {
                "name": named[keys[0]],
                "style": places(of_model[0].variant, folder.suite.grid),
                "points": pooled(bins, width),
            }


def pooled(bins: Sequence[Bin], width: int) -> list[tuple[float, float, int]]:
    """Return the diagram of all seeds together: (chance, share, count), ascending.

    Args:
        bins: Of every seed.
        width: Number of bins between 0 and 1.
    """
    told = np.array(bins, np.float64)
    place = np.minimum((told[:, 1] * width).astype(np.int64), width - 1)
    sums = [np.bincount(place, told[:, 0] * values) for values in (1.0, told[:, 1], told[:, 2])]
    return [
        (round(p / n, 5), round(y / n, 5), int(n))
        for n, p, y in zip(*(each.tolist() for each in sums), strict=True)
        if n
    ]


def reliability_table(
    lines: Sequence[Mapping[str, Any]], share: str, counted: str
) -> PlainTable | None:
    """Return the same numbers as a table; None where there is no diagram.

    Args:
        lines: Of `reliability_lines`.
        share: Heading of the share that is so.
        counted: Heading of how many there are.
    """
    if not lines:
        return None
    rows = [
        (line["name"], f"{said:.1%}", f"{held:.1%}", f"{count:,}")
        for line in lines
        for said, held, count in line["points"]
    ]
    heads = ("model", "said on average", share, counted)
    return PlainTable("Reliability, a row for every model and bin", heads, rows)
