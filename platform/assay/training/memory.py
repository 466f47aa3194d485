"""Memory that did not suffice for a step: remembered beside the cell, and met by smaller parts.

The mean loss does not depend on the number of micro-batches a step, up to rounding.
"""

import json
from pathlib import Path

from assay.cell import Cell
from assay.errors import DataError, MemoryShortageError
from assay.result import write_json
from assay.training.execution import Execution

NAME = "memory.json"


def within(cell: Cell, execution: Execution, directory: Path, workers: int) -> Execution:
    """Return `execution` with as many micro-batches as the cell was found to need.

    Args:
        cell: Whose batches are cut.
        execution: As it was asked for.
        directory: The cell's folder.
        workers: How many share each micro-batch.

    Raises:
        DataError: the note about it is not readable.
    """
    path = directory / NAME
    try:
        fitting = int(json.loads(path.read_text())["records_of_a_worker"])
    except FileNotFoundError:
        return execution
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not readable ({error}); remove it") from error
    batch = cell.training.batch_size
    needed = min(-(-batch // (fitting * workers)), _most(cell, workers))
    return execution.model_copy(update={"accumulation": max(needed, execution.accumulation)})


def halve(cell: Cell, execution: Execution, directory: Path, workers: int, reason: str) -> None:
    """Remember that the micro-batches of a cell must be half as large.

    Raises:
        MemoryShortageError: they are of one record a worker already.
    """
    records = -(-cell.training.batch_size // (execution.accumulation * workers))
    if records < 2 or execution.accumulation >= _most(cell, workers):
        raise MemoryShortageError(
            f"{reason}; its micro-batches cannot be halved again: use a machine with more memory, "
            "a smaller settings.network.size, or a smaller training.batch_size"
        )
    write_json(directory / NAME, {"records_of_a_worker": records // 2, "reason": reason})


def _most(cell: Cell, workers: int) -> int:
    """Return into how many micro-batches a batch can be cut: each worker needs a record of each."""
    return max(1, cell.training.batch_size // workers)
