"""A cell's curves on disk: metrics.jsonl, one row a line, flushed as it is written."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from assay.errors import MachineError
from assay.result import read_metrics, write_bytes

NAME = "metrics.jsonl"


def append(directory: Path, row: Mapping[str, float]) -> None:
    """Add a row; it is on disk when this returns.

    Raises:
        MachineError: the disk is full or not writable.
    """
    path = directory / NAME
    try:
        with path.open("a") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise MachineError(
            f"{path}: cannot be written ({error.strerror or error}); free some space and run the "
            "same command to carry on"
        ) from error


def drop_after(directory: Path, step: int) -> None:
    """Leave out the rows beyond `step`: training carries on from there and writes them again."""
    path = directory / NAME
    rows = read_metrics(path) if path.exists() else []
    kept = [json.dumps(row) + "\n" for row in rows if row["step"] <= step]
    write_bytes(path, "".join(kept).encode())
