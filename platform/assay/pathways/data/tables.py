"""Gzipped tables and lines of JSON, with the checksums that the published files must have."""

import contextlib
import csv
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.errors import DataError


def check_pinned(folder: Path, pinned: Mapping[str, str]) -> None:
    """Refuse files that are not the published ones.

    Args:
        folder: That holds them.
        pinned: MD5 by file name.

    Raises:
        DataError: one is missing, or its MD5 is another.
    """
    for name, expected in pinned.items():
        path = folder / name
        try:
            found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        except OSError as error:
            raise DataError(
                f"{path}: cannot be read ({error.strerror}); give a folder that holds it"
            ) from error
        if found != expected:
            raise DataError(f"{path}: MD5 is {found}, expected {expected}; get it anew")


def rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a gzipped CSV table, of these columns; "" where a cell is empty.

    Raises:
        DataError: the file is missing, damaged or no table, or lacks a column.
    """
    with _opened(path) as lines:
        reader = csv.DictReader(lines, strict=True)
        for name in columns:
            if name not in (reader.fieldnames or ()):
                raise DataError(f"{path}: has no column {name!r}; get it anew")
        return [{name: row[name] or "" for name in columns} for row in reader]


def json_lines(path: Path, fields: Mapping[str, type]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where it stands ("file, line 3") and the object of each line of gzipped JSON.

    Args:
        path: The file.
        fields: What every object must have, and of which type.

    Raises:
        DataError: the file is missing or damaged, a line is no JSON object, or lacks a field.
    """
    with _opened(path) as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{path}, line {number}"
            try:
                found = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise DataError(f"{where}: is no JSON ({error}); get the file anew") from error
            for name, kind in fields.items():
                if not isinstance(found, dict) or not isinstance(found.get(name), kind):
                    raise DataError(f"{where}: has no {kind.__name__} {name!r}; get the file anew")
            yield where, found


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Iterator[str]]:
    """Open a gzipped text; every way in which it can be damaged is said in one sentence."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            yield iter(file)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise DataError(f"{path}: cannot be read as gzipped text ({error}); get it anew") from error
