"""A suite's published folder: the finished cells of the run store, and the data's own row.

The folder holds what the suite names and nothing else, so that no table mixes two budgets.
Files that have not changed are not written again.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from assay.cell import Suite
from assay.errors import ConfigError
from assay.report.card import card
from assay.result import KEY, read_reference, read_result, write_bytes
from assay.runner import cell_directory, finished

SOURCES = {
    ".json": "result.json",
    ".metrics.jsonl": "metrics.jsonl",
    ".samples.npz": "artifacts/samples.npz",
    ".distributions.json": "artifacts/distributions.json",
    ".scores.npz": "artifacts/scores.npz",
    ".captions.jsonl": "artifacts/captions.jsonl",
    ".samples.jsonl": "artifacts/samples.jsonl",
    ".neighbours.json": "artifacts/neighbours.json",
    ".latents.json": "artifacts/latents.json",
    ".reliability.json": "artifacts/reliability.json",
    ".predictions.jsonl": "artifacts/predictions.jsonl",
    ".modalities.json": "artifacts/modalities.json",
    ".planets.json": "artifacts/planets.json",
}
"""What is published of a cell as it lies in the run store."""
CARD = ".card.md"
"""Its model card, which is made of its result and of the data's own row."""


def default_folder(storage: Path, suite: str) -> Path:
    """Return where a suite's results go unless another folder is given."""
    return storage / "results" / suite


def require_no_strangers(folder: Path, keys: Iterable[str], storage: Path) -> None:
    """See that publishing into `folder` would remove nothing that exists nowhere else.

    Raises:
        ConfigError: it holds results that the suite does not name and the run store lacks.
    """
    lost = [
        key
        for key in _strangers(folder, keys)
        if not (cell_directory(storage, key) / "result.json").exists()
    ]
    if lost:
        raise ConfigError(
            f"{folder}: holds {len(lost)} results that this suite does not name and that the run "
            f"store {storage} lacks (such as {lost[0]}.json): move them, or give another --results"
        )


def publish(suite: Suite, keys: Iterable[str], storage: Path, folder: Path) -> int:
    """Bring `folder` up to date with the run store; return how many results it now holds.

    One result is in memory at a time, however large the suite.

    Args:
        suite: What was run.
        keys: The keys of all its cells, in order; those without a result are left out.
        storage: The run store.
        folder: The published folder.

    Raises:
        DataError: a result does not verify.
    """
    keys = list(keys)
    for key in _strangers(folder, keys):
        _take_out(key, folder)
    count = 0
    for key in keys:
        directory = cell_directory(storage, key)
        if finished(storage, key) is None:
            if _is_kept(directory):
                _take_out(key, folder)
            continue
        count += 1
        for suffix, name in SOURCES.items():
            if (directory / name).exists():
                _write_if_new(folder / f"{key}{suffix}", (directory / name).read_bytes())
    if count:
        text = json.dumps(suite.model_dump(mode="json"), indent=1) + "\n"
        _write_if_new(folder / "suite.json", text.encode())
    return count


def write_cards(keys: Iterable[str], folder: Path) -> None:
    """Write a model card beside every result of `folder`, held against the data's row there.

    Args:
        keys: Of the cells of the suite; those without a result are left out.
        folder: The published folder.

    Raises:
        DataError: a result or the row does not verify.
    """
    reference = read_reference(folder)
    for key in keys:
        path = folder / f"{key}.json"
        if path.exists():
            text = card(read_result(path), reference, None)
            _write_if_new(folder / f"{key}{CARD}", text.encode())


def _take_out(key: str, folder: Path) -> None:
    for suffix in (*SOURCES, CARD):
        (folder / f"{key}{suffix}").unlink(missing_ok=True)


def _is_kept(directory: Path) -> bool:
    """Say whether the run store has a result of the cell, of an earlier protocol or set aside."""
    kept = (directory, *directory.parent.glob(f"{directory.name}.*"))
    return any((each / "result.json").exists() for each in kept)


def _strangers(folder: Path, keys: Iterable[str]) -> list[str]:
    known = set(keys)
    found = (path.stem for path in sorted(folder.glob("*.json")))
    return [key for key in found if KEY.fullmatch(key) and key not in known]


def _write_if_new(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        write_bytes(path, content)
