"""The runs that a scaling law is fitted to: how large, how much data, what loss."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError

Values = NDArray[np.float64]

REQUIRED = ("params", "samples", "loss")
OPTIONAL = ("flops", "unique", "seed")
NAMES = ("cell", "chain")
"""Columns of text, which only tell runs apart."""
_COUNTS = ("params", "samples", "unique")
_SAME_BUDGET = 0.1


@dataclass(frozen=True)
class Runs:
    """R runs that ended."""

    params_R: Values
    """Parameters N that learn."""
    samples_R: Values
    """Samples D that were seen, repetitions included."""
    loss_R: Values
    """On held-out data."""
    flops_R: Values | None = None
    """Measured, of the whole training."""
    unique_R: Values | None = None
    """Distinct samples U of the training set."""
    chain_R: NDArray[np.int64] | None = None
    """Equal numbers of runs that share a beginning: they vary together, and are resampled so."""

    def __len__(self) -> int:
        """Return R."""
        return len(self.loss_R)

    def at(self, chosen_R: NDArray[np.bool_] | NDArray[np.integer]) -> Self:
        """Return the runs at a mask, or at indices."""
        found = {"flops_R": self.flops_R, "unique_R": self.unique_R, "chain_R": self.chain_R}
        given = {key: None if x is None else x[chosen_R] for key, x in found.items()}
        return replace(
            self,
            params_R=self.params_R[chosen_R],
            samples_R=self.samples_R[chosen_R],
            loss_R=self.loss_R[chosen_R],
            **given,
        )

    @property
    def chains(self) -> int:
        """Runs that share no beginning: all of them, where no chains are known."""
        return len(self) if self.chain_R is None else len(np.unique(self.chain_R))

    @property
    def budget_R(self) -> Values:
        """(R,) measured FLOPs; without them params · samples, which is in proportion at best."""
        return self.params_R * self.samples_R if self.flops_R is None else self.flops_R

    @property
    def of_largest_budget_R(self) -> NDArray[np.bool_]:
        """(R,) bool: within a tenth of the largest budget."""
        return self.budget_R >= (1 - _SAME_BUDGET) * self.budget_R.max()

    @classmethod
    def of(cls, columns: Mapping[str, Values]) -> Self:
        """Return runs of columns named as in a file of runs; cells and chains are numbers.

        Raises:
            DataError: as `read_runs`, naming runs by their place from 1.
        """
        table = {name: np.asarray(columns[name], np.float64) for name in columns}
        _require(table, "runs", [f"run {place}" for place in range(1, len(table["loss"]) + 1)])
        return cls._made(table)

    @classmethod
    def _made(cls, table: Mapping[str, Values]) -> Self:
        required = (table["params"], table["samples"], table["loss"])
        chain = table.get("chain")
        numbers = None if chain is None else chain.astype(np.int64)
        return cls(*required, table.get("flops"), table.get("unique"), numbers)


def read_runs(path: Path) -> Runs:
    """Read a CSV file with columns params, samples, loss and, if known, flops, unique, seed.

    `seed` or `cell` tell repetitions of a run apart; runs of one `chain` share a beginning. Other
    columns are left alone.

    Raises:
        DataError: a column is missing or in another unit; a value is no number, not positive or
            not finite; a count is not whole; a run occurs twice; there is no run.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            header = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = header
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is no readable CSV file ({error})") from None
    _require_columns(header, path)
    if not rows:
        raise DataError(f"{path}: holds no run, only a header")
    longer = [line for line, row in rows if None in row]
    if longer:
        raise DataError(
            f"{path}, line {longer[0]}: has more values than the header has names; write numbers "
            "without separators of thousands"
        )
    names = [name for name in (*REQUIRED, *OPTIONAL) if name in header]
    table = {
        name: np.array([_number(row[name], name, line, path) for line, row in rows])
        for name in names
    }
    for name in NAMES:
        if name in header:
            words = [(row[name] or "").strip() for _, row in rows]
            if "" in words:
                line = rows[words.index("")][0]
                raise DataError(f"{path}, line {line}: {name} is empty; give every run one")
            table[name] = np.unique(words, return_inverse=True)[1].astype(np.float64)
    _require(table, str(path), [f"line {line}" for line, _ in rows])
    return Runs._made(table)


def _require_columns(header: list[str], path: Path) -> None:
    for name in REQUIRED:
        if name not in header:
            near = [each for each in header if each.lower().startswith(name)]
            if near:
                raise DataError(
                    f"{path}: column {near[0]} is in another unit or name; give {name}, "
                    "as plain numbers"
                )
            raise DataError(
                f"{path}: has no column {name}; needed are {', '.join(REQUIRED)}, and flops, "
                "unique and seed if they are known"
            )
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise DataError(f"{path}: names the column {min(twice)} twice")


def _number(text: str | None, name: str, line: int, path: Path) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise DataError(f"{path}, line {line}: {name} {text!r} is no number") from None


def _require(table: Mapping[str, Values], where: str, places: list[str]) -> None:
    for name, values in table.items():
        if name in ("seed", *NAMES):
            continue
        wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(wrong):
            place, value = places[wrong[0]], values[wrong[0]]
            raise DataError(f"{where}, {place}: {name} is {value:g}; a positive number is needed")
        parts = np.flatnonzero(values % 1 > 0)
        if name in _COUNTS and len(parts):
            raise DataError(
                f"{where}, {places[parts[0]]}: {name} is {values[parts[0]]:g}, which is no count; "
                "give plain numbers, not thousands or millions"
            )
    if "unique" in table:
        over = np.flatnonzero(table["unique"] > table["samples"])
        if len(over):
            raise DataError(
                f"{where}, {places[over[0]]}: unique exceeds samples; unique counts the distinct "
                "samples among those that were seen"
            )
    first: dict[tuple[float, ...], str] = {}
    told_apart = [values for name, values in table.items() if name != "loss"]
    for place, run in zip(places, zip(*told_apart, strict=True), strict=True):
        if run in first:
            raise DataError(
                f"{where}: {first[run]} and {place} are the same run; tell repetitions apart in a "
                "column seed or cell"
            )
        first[run] = place
