"""The account of a disturbed run: every file and every MLflow run against the undisturbed one."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from assay.cell import Cell
from assay.cluster.publish import SOURCES, default_folder
from assay.errors import DataError
from assay.result import KEY, read_metrics, read_result
from assay.runner import cell_directory
from assay.tracking.audit import RecordedRun, recorded_runs
from assay.training.checkpoint import newest

TENSORS = ("model", "ema", "optimizer")


@dataclass
class Account:
    """What was found; every broken promise is a sentence."""

    lost: int = 0
    duplicated: int = 0
    recomputed: int = 0
    left_running: int = 0
    deviation: float = 0.0
    bit_equal: bool = True
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Expectation:
    """How a suite should end."""

    cells: tuple[Cell, ...]
    fails: frozenset[str]
    """Keys of the cells that end without a result."""
    tolerance: Mapping[str, float]
    """Greatest relative difference that a cell may have, by key; 0 for the others."""


def audit(
    storage: Path,
    undisturbed: Path,
    expected: Expectation,
    first_results: Mapping[str, tuple[int, int]],
    tracking_uri: str,
) -> Account:
    """Compare a run store with the undisturbed one.

    Args:
        storage: The run store that was disturbed.
        undisturbed: The run store of the same cells that was not.
        expected: How the suite should have ended.
        first_results: Inode and time of every result file when it was first seen.
        tracking_uri: Where MLflow is.
    """
    account = Account()
    finishing = [cell for cell in expected.cells if cell.key not in expected.fails]
    for cell in finishing:
        _check_cell(cell, storage, undisturbed, expected, first_results, account)
    for cell in expected.cells:
        failed = (cell_directory(storage, cell.key) / "failure.json").exists()
        if failed != (cell.key in expected.fails):
            account.broken.append(f"{cell.label}: {'a' if failed else 'no'} failure.json is there")
    _check_folders(storage, expected.cells, finishing, account)
    _check_locks(storage, account)
    _check_tracking(recorded_runs(tracking_uri, "drill"), storage, expected, account)
    return account


def _check_cell(
    cell: Cell,
    storage: Path,
    undisturbed: Path,
    expected: Expectation,
    first_results: Mapping[str, tuple[int, int]],
    account: Account,
) -> None:
    here, there = cell_directory(storage, cell.key), cell_directory(undisturbed, cell.key)
    try:
        result = read_result(here / "result.json")
    except DataError as error:
        account.lost += 1
        account.broken.append(f"{cell.label}: its result is lost ({error})")
        return
    file = (here / "result.json").stat()
    if first_results.get(cell.key, (file.st_ino, file.st_mtime_ns)) != (
        file.st_ino,
        file.st_mtime_ns,
    ):
        account.recomputed += 1
        account.broken.append(f"{cell.label}: it was finished, and its result was written again")
    other = read_result(there / "result.json")
    plain = result.model_dump(mode="json")["estimates"]
    deviation = difference(plain, other.model_dump(mode="json")["estimates"])
    rows, others = (_curves(each / "metrics.jsonl") for each in (here, there))
    deviation = max(deviation, difference(rows, others))
    tolerance = expected.tolerance.get(cell.key, 0.0)
    spent = [(r.cost.steps, r.cost.samples, r.cost.parameters) for r in (result, other)]
    if spent[0] != spent[1]:
        account.broken.append(f"{cell.label}: steps, samples and parameters {spent[0]}, {spent[1]}")
    same = deviation == 0 and result.cost.flops == other.cost.flops and _same_tensors(here, there)
    account.bit_equal &= same
    account.deviation = max(account.deviation, deviation)
    if deviation > tolerance or not (same or tolerance):
        account.broken.append(
            f"{cell.label}: differs from the undisturbed run by {deviation:.2g}, "
            f"FLOPs {result.cost.flops:.9g} and {other.cost.flops:.9g}"
        )


def difference(found: Any, expected: Any) -> float:
    """Return the greatest relative difference of the numbers in two like-shaped structures.

    Infinite where shapes, names or words differ.
    """
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        if found.keys() != expected.keys():
            return math.inf
        return max((difference(found[name], expected[name]) for name in found), default=0.0)
    if isinstance(found, list) and isinstance(expected, list):
        if len(found) != len(expected):
            return math.inf
        return max(map(difference, found, expected), default=0.0)
    if found == expected:
        return 0.0
    if isinstance(found, int | float) and isinstance(expected, int | float):
        return abs(found - expected) / max(1.0, abs(expected))
    return math.inf


def _curves(path: Path) -> list[dict[str, Any]]:
    """Return the rows without what is no property of the computation: its time and its FLOPs."""
    skipped = ("seconds", "flops")
    return [
        {name: value for name, value in row.items() if name not in skipped}
        for row in read_metrics(path)
    ]


def _same_tensors(here: Path, there: Path) -> bool:
    last = [newest(each / "checkpoints") for each in (here, there)]
    if last[0] is None or last[1] is None or last[0].name != last[1].name:
        return False
    names = [f"{group}.safetensors" for group in TENSORS]
    return all(_same_bytes(last[0] / name, last[1] / name) for name in names)


def _same_bytes(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


def _check_folders(
    storage: Path, cells: Collection[Cell], finishing: Collection[Cell], account: Account
) -> None:
    keys = {cell.key for cell in cells}
    extra = [p.name for p in (storage / "cells").iterdir() if p.is_dir() and p.name not in keys]
    folder = default_folder(storage, "drill")
    published = {path.stem for path in folder.glob("*.json") if KEY.fullmatch(path.stem)}
    extra += sorted(published - {cell.key for cell in finishing})
    account.duplicated += len(extra)
    account.broken += [f"{name}: there is one folder or result too many" for name in extra]
    for cell in finishing:
        for suffix, name in SOURCES.items():
            source, copy = cell_directory(storage, cell.key) / name, folder / f"{cell.key}{suffix}"
            if source.exists() and not (copy.exists() and _same_bytes(source, copy)):
                account.broken.append(f"{cell.label}: {copy.name} is not published as it is")
    if not (folder / "reference.json").exists():
        account.broken.append("the data's own row is not published")


def _check_locks(storage: Path, account: Account) -> None:
    for path in storage.rglob("*.lock"):
        try:
            with FileLock(path).acquire(timeout=0):
                pass
        except Timeout:
            account.broken.append(f"{path.name}: the lock is still held")


def _check_tracking(
    runs: list[RecordedRun], storage: Path, expected: Expectation, account: Account
) -> None:
    parents = [run for run in runs if run.key is None]
    wanted = "FAILED" if expected.fails else "FINISHED"
    if [run.status for run in parents] != [wanted]:
        found = ", ".join(run.status for run in parents) or "none"
        account.broken.append(f"MLflow: the suite's runs are {found}; expected one, {wanted}")
    account.duplicated += max(0, len(parents) - 1)
    account.left_running = sum(run.status == "RUNNING" for run in runs)
    for cell in expected.cells:
        children = [run for run in runs if run.key == cell.key]
        account.duplicated += max(0, len(children) - 1)
        wanted = "FAILED" if cell.key in expected.fails else "FINISHED"
        if [run.status for run in children] != [wanted]:
            found = ", ".join(run.status for run in children) or "none"
            account.broken.append(f"MLflow: {cell.label} has {found}; expected one run, {wanted}")
            continue
        _check_run(children[0], cell, storage, expected, account)


def _check_run(
    run: RecordedRun, cell: Cell, storage: Path, expected: Expectation, account: Account
) -> None:
    if run.end_ms is None or run.end_ms < run.start_ms:
        account.broken.append(f"MLflow: {cell.label} ends before it starts")
    rows = read_metrics(cell_directory(storage, cell.key) / "metrics.jsonl")
    for name, steps in run.curves.items():
        if list(steps) != sorted(set(steps)):
            account.broken.append(f"MLflow: {cell.label}: {name} has steps twice or out of order")
    if cell.key in expected.fails:
        return
    names = {name for row in rows for name in row if name.startswith(("train/", "val/"))}
    for name in names:
        wanted = [row["step"] for row in rows if name in row]
        if sorted(set(run.curves.get(name, ()))) != wanted:
            account.broken.append(f"MLflow: {cell.label}: {name} lacks steps")
