"""The figures of a suite of pathways: what was generated, where latents lie, how sure edges are.

They are made of the files that `assay.pathways.figures` describes. Of each model its first seed is
drawn; the reliability diagram pools all its seeds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from markupsafe import Markup

from assay.config import Settings
from assay.pathways.environment import ENTRIES
from assay.pathways.figures import (
    LatentMap,
    NeighbourFile,
    Neighbours,
    ReliabilityFile,
)
from assay.pathways.metrics.calibration import BINS
from assay.report.folders import Folder
from assay.report.leaderboard import Row, cells_by_model
from assay.report.pathway_drawing import edge_rows, svg
from assay.report.plain_tables import PlainTable
from assay.report.reliability import Bin, reliability_lines, reliability_table
from assay.result import read_settings

FAMILY = "pathways"
PAIRS = 2
"""Generated pathways of a model that are drawn: its first ones."""
MOST_DRAWN, MOST_MAPS = 100, 40
"""Models; the page says how many are left out."""
_UNKNOWN = "unknown"
_TAKES_UP = {True: "takes up O2", False: "does not", None: _UNKNOWN}

F = TypeVar("F", bound=Settings)


@dataclass(frozen=True)
class Beside:
    """A generated pathway and the training pathway most like it, drawn."""

    generated: Markup
    nearest: Markup
    title: str
    """Of the training pathway."""
    said: str
    tables: Sequence[PlainTable]


@dataclass(frozen=True)
class PathwayFigures:
    """What the page shows of a suite; what a cell lacks is left out."""

    similarity: str
    """By what the nearest is the nearest; "" if nothing is drawn."""
    neighbours: Mapping[str, Sequence[Beside]]
    """By cell key."""
    left_out: int
    """Models that are not drawn."""
    maps: Sequence[PlainTable]
    """A table for every map of latents."""
    maps_left_out: int
    """Models whose latents are not drawn."""
    colours: Sequence[tuple[str, str]]
    """By what maps can be coloured: key and title."""
    reliability: PlainTable | None
    charts: Mapping[str, Any]
    """`latents` and `reliability`, for `assets/charts.js`."""


def pathway_figures(
    identity: str, folder: Folder, rows: Sequence[Row], named: Mapping[str, str]
) -> PathwayFigures | None:
    """Return the figures of a suite; None of another family.

    Args:
        identity: Prefix of the suite's anchors in the page.
        folder: The suite.
        rows: Of its leaderboard.
        named: Names of cells, by key.

    Raises:
        DataError: a file breaks its schema; names the file and the key.
    """
    if folder.suite.family != FAMILY:
        return None
    models = cells_by_model(rows)
    first = [str(of_model[0].cell_key) for of_model in models.values()]
    pairs = dict(_files(folder, first, "neighbours", NeighbourFile))
    drawn = list(pairs)[:MOST_DRAWN]
    maps = dict(_files(folder, first, "latents", LatentMap))
    shown = {named[key]: maps[key] for key in list(maps)[:MOST_MAPS]}

    def bins(key: str) -> list[Bin]:
        files = dict(_files(folder, [key], "reliability", ReliabilityFile))
        return [(b.pairs, b.probability, b.share) for file in files.values() for b in file.bins]

    lines = list(reliability_lines(folder, models.values(), named, bins, BINS))
    colours = _colours(list(shown.values()))
    return PathwayFigures(
        similarity=pairs[drawn[0]].similarity if drawn else "",
        neighbours={
            key: [
                _beside(f"{identity}-{key}-{k}", pair)
                for k, pair in enumerate(pairs[key].pairs[:PAIRS])
            ]
            for key in drawn
        },
        left_out=len(pairs) - len(drawn),
        maps=[_map_table(name, found) for name, found in shown.items()],
        maps_left_out=len(maps) - len(shown),
        colours=[(colour["key"], colour["title"]) for colour in colours],
        reliability=reliability_table(lines, "edges among these", "pairs"),
        charts={"latents": _map_chart(shown, colours), "reliability": lines},
    )


def _files(
    folder: Folder, keys: Sequence[str], name: str, kind: type[F]
) -> Iterator[tuple[str, F]]:
    """Yield the files of such a name that there are, by cell key."""
    for key in keys:
        path = folder.path / f"{key}.{name}.json"
        if path.exists():
            yield key, read_settings(kind, path)


def _beside(identity: str, pair: Neighbours) -> Beside:
    generated, nearest = pair.generated, pair.nearest
    shared = {c for c in generated.compounds if c is not None} & set(nearest.compounds)
    heads = ("from", "to", "reversible")
    return Beside(
        generated=svg(generated, f"{identity}-g", shared),
        nearest=svg(nearest, f"{identity}-n", shared),
        title=nearest.title,
        said=f"{pair.compounds:.0%} of the compounds of either and {pair.edges:.0%} of the edges "
        "are in both",
        tables=[
            PlainTable(title, heads, edge_rows(one))
            for title, one in (("Generated", generated), (nearest.title, nearest))
        ],
    )


def _colours(maps: Sequence[LatentMap]) -> list[dict[str, Any]]:
    """Return by what points can be coloured, if any of them tells."""
    found = [
        {"key": "classes", "title": "class of the pathway", "numbers": False},
        {"key": "reactions", "title": "class of most of its reactions", "numbers": False},
        {"key": "oxygen_taken_up", "title": "uptake of O2", "numbers": False},
        *(
            {"key": name, "title": f"{name} {entry.unit}".strip(), "numbers": True}
            for name, entry in ENTRIES.items()
        ),
    ]
    return [
        colour
        for colour in found
        if any(
            value not in (None, _UNKNOWN) for one in maps for value in _values(one, colour["key"])
        )
    ]


def _values(one: LatentMap, key: str) -> Sequence[Any]:
    """Return what points are coloured by: texts, or numbers and None."""
    if key in ENTRIES:
        return one.environment[key]
    if key == "oxygen_taken_up":
        return [_TAKES_UP[each] for each in one.oxygen_taken_up]
    return [each or _UNKNOWN for each in getattr(one, key)]


def _map_chart(
    shown: Mapping[str, LatentMap], colours: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return points by map; what they are is given once for all maps that have the same graphs."""
    sets: list[dict[str, Any]] = []
    maps = []
    for name, one in shown.items():
        graphs = {"titles": one.titles}
        graphs |= {colour["key"]: list(_values(one, colour["key"])) for colour in colours}
        if graphs not in sets:
            sets.append(graphs)
        maps.append(
            {"name": name, "x": one.x, "y": one.y, "of": sets.index(graphs),
             "explained": one.explained}
        )  # fmt: skip
    return {"maps": maps, "graphs": sets, "colours": list(colours)}


def _map_table(name: str, one: LatentMap) -> PlainTable:
    """Return where the classes lie on average, and how an environment goes with the axes."""
    xy_2G = np.array([one.x, one.y], np.float64)
    rows = []
    for colour in _colours([one]):
        values = _values(one, colour["key"])
        if colour["numbers"]:
            known = np.array([value is not None for value in values])
            numbers = np.array([value for value in values if value is not None], np.float64)
            along = [_correlation(numbers, axis[known]) for axis in xy_2G]
            rows.append((f"{colour['title']}, correlation", f"{known.sum():,}", *along))
            continue
        for value in sorted(set(values), key=lambda text: (text == _UNKNOWN, text)):
            of_value = np.array([each == value for each in values])
            means = [f"{axis[of_value].mean():+.2f}" for axis in xy_2G]
            rows.append((f"{colour['title']}: {value}", f"{of_value.sum():,}", *means))
    first, second = one.explained
    heads = ("what", "pathways", "first axis, mean", "second axis, mean")
    return PlainTable(f"{name}: {first:.0%} and {second:.0%} of the variance", heads, rows)


def _correlation(one: np.ndarray, other: np.ndarray) -> str:
    if len(one) < 3 or not one.std() or not other.std():
        return "–"
    return f"{np.corrcoef(one, other)[0, 1]:+.2f}"
