"""Cross-validation: what the models of all folds foretell, judged as one.

Every planet is foretold once, by the model that was trained without its fold. Of several seeds a
figure is the mean of each seed's own, which no ensemble of them would have; resampled are groups of
planets, the same for all seeds, so that an interval covers which planets there are.

Shapes: N records, S seeds, R resamples.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.habitability.metrics.habitability import explained
from assay.habitability.metrics.units import Statistic, Units, mean_of
from assay.task import Estimate

VERSION = "1"
_NUMBERS = ("habitability", "foretold")
_KEYS = ("record", "group", *_NUMBERS)


@dataclass(frozen=True)
class Pooled:
    """What is foretold of N planets by S seeds."""

    record_N: NDArray[np.int64]
    """Index into the data set, ascending."""
    groups_N: tuple[str, ...]
    label_N: NDArray[np.float64]
    expected_SN: NDArray[np.float64]

    @classmethod
    def read(cls, seeds: Sequence[Sequence[Path]]) -> Self:
        """Read the `predictions.jsonl` of every fold, seed by seed.

        Raises:
            DataError: a file holds something else, two folds foretell the same planet, or seeds
                foretell different ones.
        """
        tables = [_table(paths) for paths in seeds]
        first = tables[0]
        for paths, table in zip(seeds, tables, strict=True):
            if table.keys() != first.keys():
                raise DataError(
                    f"{paths[0]}: with the other folds of its seed it foretells other planets than "
                    f"{seeds[0][0]} and its own; let all seeds have the same folds"
                )
        records = sorted(first)
        return cls(
            np.array(records, np.int64),
            tuple(str(first[record]["group"]) for record in records),
            np.array([first[record]["habitability"] for record in records], np.float64),
            np.array([[table[record]["foretold"] for record in records] for table in tables],
                     np.float64),
        )  # fmt: skip

    @property
    def error_N(self) -> NDArray[np.float64]:
        """The absolute error, a mean over seeds."""
        return np.abs(self.label_N - self.expected_SN).mean(0)

    def estimates(self, floor: Self | None = None, seed: int = 0) -> dict[str, Estimate]:
        """Return `folds/r2` and `folds/mae`; n counts the groups.

        R² is about the mean of all planets. Given a floor, also `folds/mae_beside`: how much the
        mean absolute error is above that of the floor, of the same planets in the same resamples.

        Raises:
            DataError: the floor is of other planets.
        """
        units, told = Units.of(self.groups_N), f"{VERSION}: {len(self.record_N)} records"
        each = [explained(self.label_N, expected_N) for expected_N in self.expected_SN]
        found = {
            "folds/r2": units.estimate(_mean_over(each), told, "higher", seed),
            "folds/mae": units.estimate(mean_of(self.error_N), told, "lower", seed),
        }
        if floor is not None:
            if not np.array_equal(self.record_N, floor.record_N):
                raise DataError("the floor foretells other planets; let it have the same folds")
            beside = mean_of(self.error_N - floor.error_N)
            found["folds/mae_beside"] = units.estimate(beside, told, "lower", seed)
        return found


def _mean_over(statistics: Sequence[Statistic]) -> Statistic:
    """Return the statistic that is the mean of several, a seed each."""
    return lambda weights_RN: np.mean([each(weights_RN) for each in statistics], axis=0)


def _table(paths: Sequence[Path]) -> dict[int, Mapping[str, Any]]:
    """Return what the folds of one seed foretell, by record."""
    found: dict[int, Mapping[str, Any]] = {}
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            told = _line(line, f"{path}: line {number}")
            record = told["record"]
            if record in found:
                raise DataError(
                    f"{path}: line {number} foretells record {record}, as another fold does; each "
                    "planet is the test of one fold"
                )
            found[record] = told
    return found


def _line(line: str, where: str) -> Mapping[str, Any]:
    try:
        told = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where} is not JSON") from error
    missing = [key for key in _KEYS if not isinstance(told, dict) or key not in told]
    if missing:
        raise DataError(f"{where} has no {missing[0]}; evaluate the cell again")
    try:
        return {**told, "record": int(told["record"]), **{k: float(told[k]) for k in _NUMBERS}}
    except (TypeError, ValueError) as error:
        fault = f"{where} has a value that is no number; evaluate the cell again"
        raise DataError(fault) from error
