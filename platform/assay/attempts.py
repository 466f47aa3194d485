"""The starts of a cell, one line each: who took it up, when, and from where.

A cell whose process dies is taken up again for as long as its checkpoint advances, so that any
number of preemptions is survived; a cell that kills its process at the same step each time is not.
"""

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay.errors import DataError, NoProgressError
from assay.result import write_bytes

NAME = "attempts.jsonl"
TRIES = 3
"""Starts from the same state, in one series, after which a cell is given up."""


def begin(directory: Path, series: str, step: int, accumulation: int, workers: int = 1) -> None:
    """Note that this process takes up the cell of `directory` at `step`.

    Args:
        directory: The cell's folder.
        series: Whose attempts are counted together: a command given anew begins anew.
        step: Of the newest checkpoint.
        accumulation: Micro-batches a step; more of them are progress after a memory shortage.
        workers: Of the group; a group that grew or shrank was not killed by the cell.

    Raises:
        NoProgressError: the last `TRIES` starts of the series were from this very state.
        DataError: the log of the starts is not readable.
    """
    state = {"series": series, "step": step, "accumulation": accumulation, "workers": workers}
    ours = [line for line in read(directory) if line.get("series") == series]
    last = [{name: line.get(name) for name in state} for line in ours[-TRIES:]]
    if last == [state] * TRIES:
        raise NoProgressError(
            f"{directory}: its process died {TRIES} times at step {step} without a new checkpoint "
            "(killed, or out of memory: the dashboard has its logs); give it more memory or a "
            "smaller --checkpoint-seconds; the same command tries again"
        )
    _append(directory, state)


def end(directory: Path, series: str) -> None:
    """Note that a start of the series came to its end: whoever takes it up again, nothing died.

    Raises:
        DataError: the log of the starts is not readable.
    """
    _append(directory, {"series": series, "ended": True})


def read(directory: Path) -> list[dict[str, Any]]:
    """Return the starts so far, and which came to their end, oldest first.

    Raises:
        DataError: a line is not JSON.
    """
    path = directory / NAME
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable ({error}); remove it: only a log is lost") from error


def _append(directory: Path, line: dict[str, Any]) -> None:
    who = {"host": socket.gethostname(), "pid": os.getpid()}
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    lines = [*read(directory), {"utc": now, **who, **line}]
    write_bytes(directory / NAME, "".join(json.dumps(each) + "\n" for each in lines).encode())
