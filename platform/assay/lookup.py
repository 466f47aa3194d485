"""Cells that are stored: those of a run store, and those of suites' published folders."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from assay.errors import ConfigError, DataError
from assay.result import (
    KEY,
    Failure,
    Reference,
    Result,
    read_metrics,
    read_named,
    read_plain,
    read_reference,
    read_result,
    read_settings,
)

State = Literal["finished", "running", "interrupted", "failed"]
_BEGINNING = re.compile(r"[0-9a-f]{4,16}")
_LISTED = 4
_PARTS = {"family", "variant", "data", "seed", "budget"}
"""What every cell has, of whatever version."""


@dataclass(frozen=True)
class Stored:
    """A cell as it is found on disk."""

    key: str
    path: Path
    """Its folder in the run store, or its published result file."""
    cell: dict[str, Any]
    state: State
    result: Result | None
    reason: str = ""
    """Why it failed."""
    spent: float = 0.0
    """Of an unfinished cell: the fraction of its budget at the newest row of its log."""
    saved_step: int = 0
    """Of an unfinished cell: the step that it would carry on from."""
    last_row: dict[str, Any] | None = None


def stored_paths(storage: Path, published: Path) -> dict[str, list[Path]]:
    """Return where each cell is found, by key: the run store's folder before published files.

    Args:
        storage: A run store.
        published: The folder of suites' published folders.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted((storage / "cells").glob("*/cell.json")):
        if KEY.fullmatch(path.parent.name):
            found.setdefault(path.parent.name, []).append(path.parent)
    for root in (published, storage / "results"):
        for path in sorted(root.glob("**/*.json")):  # arms of a study are folders in its folder
            if KEY.fullmatch(path.stem):
                found.setdefault(path.stem, []).append(path)
    return found


def find(word: str, storage: Path, published: Path) -> Stored:
    """Return the cell of a key, of the only key that begins so, of a folder or a result file.

    A finished one goes before what is unfinished, the run store before what is published.

    Raises:
        ConfigError: there is none, or several begin so.
        DataError: its files are unreadable or edited.
    """
    if Path(word).exists():
        return _read(Path(word))
    places = stored_paths(storage, published)
    if not _BEGINNING.fullmatch(word):
        raise ConfigError(
            f"{word}: there is no such file or folder, and it is no key of a cell: 16 hex digits, "
            "of which the first 4 or more will do where they are unique"
        )
    keys = [key for key in places if key.startswith(word)]
    if not keys:
        raise ConfigError(
            f"{word}: no such cell in {storage / 'cells'} or {published}; give another --storage "
            "or --published"
        )
    if len(keys) > 1:
        more = f" and {len(keys) - _LISTED} more" if len(keys) > _LISTED else ""
        raise ConfigError(f"{word}: begins {len(keys)} keys: {', '.join(keys[:_LISTED])}{more}")
    candidates = [_read(path) for path in places[keys[0]]]
    return next((each for each in candidates if each.result is not None), candidates[0])


def results_of(words: Sequence[str], storage: Path, published: Path) -> list[Result]:
    """Return the results of suites' folders, of result files and of keys, each cell once.

    Raises:
        ConfigError: as `find`; a cell is not finished, or a folder holds no result.
        DataError: as `find`.
    """
    found: dict[str, Result] = {}
    for word in words:
        path = Path(word)
        if path.is_dir() and not (path / "cell.json").exists():
            results = read_named([path])
        else:
            results = [result_of(find(word, storage, published))]
        found |= {result.provenance.cell_key: result for result in results}
    return list(found.values())


def result_of(stored: Stored) -> Result:
    """Return a cell's result.

    Raises:
        ConfigError: it is not finished.
    """
    if stored.result is None:
        raise ConfigError(f"cell {stored.key}: has no result; it is {stored.state}")
    return stored.result


def weights_folder(stored: Stored, storage: Path) -> Path:
    """Return the folder of a run store that has a cell's checkpoints: published files have none.

    Raises:
        ConfigError: there is no such folder.
    """
    beside = stored.path if stored.path.is_dir() else stored.path.parent
    kept = storage / "cells" / stored.key
    for folder in (beside, kept):
        if (folder / "checkpoints").is_dir():
            return folder
    raise ConfigError(
        f"{stored.path}: comes without weights, and {kept} has none; train the cell here, or give "
        "another --storage"
    )


def reference_of(stored: Stored, storage: Path) -> Reference | None:
    """Return what a cell is held against, from its suite's folder or the run store, if it is there.

    Raises:
        DataError: the file is unreadable.
        ConfigError: the cell is none of this version's.
    """
    if stored.path.is_file():
        return read_reference(stored.path.parent)
    from assay.cell import Cell
    from assay.config import validate
    from assay.reference import cached_reference

    cell = validate(Cell, stored.cell, str(stored.path / "cell.json"))
    return cached_reference(storage / "references" / cell.data.digest[:16], cell)


def _read(path: Path) -> Stored:
    if path.is_file():
        result = read_result(path)
        return Stored(result.provenance.cell_key, path, result.cell, "finished", result)
    cell = read_plain(path / "cell.json")
    if not isinstance(cell, dict) or not cell.keys() >= _PARTS:
        raise DataError(
            f"{path / 'cell.json'}: is no cell; it lacks one of {', '.join(sorted(_PARTS))}"
        )
    if (path / "result.json").exists():
        result = read_result(path / "result.json")
        return Stored(path.name, path, cell, "finished", result)
    return _unfinished(path, cell)


def _unfinished(path: Path, cell: dict[str, Any]) -> Stored:
    from assay.training.checkpoint import newest_step

    log = path / "metrics.jsonl"
    rows = read_metrics(log) if log.exists() else []
    state: State = "interrupted"
    reason = ""
    if _is_locked(path.with_suffix(".lock")):
        state = "running"
    elif (path / "failure.json").exists():
        state, reason = "failed", read_settings(Failure, path / "failure.json").reason
    last = rows[-1] if rows else None
    return Stored(
        key=path.name,
        path=path,
        cell=cell,
        state=state,
        result=None,
        reason=reason,
        spent=_spent(cell, last) if last else 0.0,
        saved_step=newest_step(path / "checkpoints"),
        last_row=last,
    )


def _spent(cell: dict[str, Any], row: dict[str, Any]) -> float:
    unit, amount = next((u, a) for u, a in cell["budget"].items() if a is not None)
    return min(1.0, float(row["step" if unit == "steps" else unit]) / float(amount))


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
