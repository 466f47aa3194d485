"""The page's first view: of every data set the best model, what it cost, and what it is held to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from assay.report.leaderboard import (
    Row,
    best_and_rivals,
    contenders,
    headline,
    of_one_version,
)
from assay.task import Estimate


@dataclass(frozen=True)
class Entry:
    """A model of a suite: its mean over seeds, its only cell, or what others submitted."""

    suite: Mapping[str, Any]
    """Variables of the suite's template (`assay.report.suite`)."""
    row: Row

    @property
    def anchor(self) -> str:
        """Where the page says where it comes from."""
        return f"{self.suite['id']}-{self.row.cell_key or self.row.group}"

    def held_against(self, metric: str) -> Estimate | None:
        """Return the value of the row that its suite is held against: real data, or a heuristic."""
        return self.suite["reference_estimates"].get(metric)


@dataclass(frozen=True)
class Contest:
    """All models that were run on one data set, in one order."""

    family: str
    data: str
    digests: tuple[str, ...]
    """Of the data; one, unless a suite mixes several."""
    metric: str | None
    """What orders the models; None if nothing was measured."""
    version: str
    entries: tuple[Entry, ...]
    """The best first; those whose metric is of another version, or was not measured, last."""
    best: Entry | None
    """The best that was trained here (`leaderboard.contenders`); None where all are equal."""
    rivals: int
    """How many other intervals of such models overlap that of the best."""
    others: int
    """How many such models there are beside it."""
    elsewhere: int
    """Models whose metric is of another version: they are not ranked."""


def contests(suites: Sequence[Mapping[str, Any]]) -> list[Contest]:
    """Return one contest for every family and data set, by name.

    Suites that are cross-validated are in none: a fold is judged by planets of its own.

    Args:
        suites: variables of the suites' templates.
    """
    ordered = sorted((each for each in suites if each["folds"] is None), key=_data_of)
    return [_contest(*key, list(group)) for key, group in groupby(ordered, key=_data_of)]


def _data_of(suite: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    return suite["file"].family, suite["file"].data, tuple(suite["digests"])


def _contest(
    family: str, data: str, digests: tuple[str, ...], suites: Sequence[Mapping[str, Any]]
) -> Contest:
    entries = [Entry(suite, row) for suite in suites for row in _shown(suite)]
    ours = [entry.row for entry in entries if entry.row.kind != "external"]
    metric = headline(contenders(ours))
    if metric is None:
        return Contest(family, data, digests, None, "", tuple(entries), None, 0, 0, 0)
    found = {id(e): e.row.estimates[metric] for e in entries if metric in e.row.estimates}
    alike = {id(row) for row in of_one_version([entry.row for entry in entries], metric)}
    ranked = [entry for entry in entries if id(entry.row) in alike]
    version = found[id(ranked[0])].version
    sign = -1 if found[id(ranked[0])].better == "higher" else 1
    ranked.sort(key=lambda e: (sign * found[id(e)].value, e.row.label))
    compared = contenders([entry.row for entry in ranked])
    best, rivals = best_and_rivals(compared, metric)
    places = {id(entry) for entry in ranked}
    return Contest(
        family, data, digests, metric, version,
        (*ranked, *(entry for entry in entries if id(entry) not in places)),
        next((entry for entry in ranked if entry.row is best), None),
        len(rivals), len(compared) - 1, len(found) - len(ranked),
    )  # fmt: skip


def _shown(suite: Mapping[str, Any]) -> list[Row]:
    """Return one row a model: seeds of a mean are left out."""
    rows = [row for row, _ in suite["rows"]]
    averaged = {row.group for row in rows if row.kind == "mean"}
    return [row for row in rows if row.kind != "cell" or row.group not in averaged]
