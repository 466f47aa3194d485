"""How a batch is cut where memory is short."""

import pytest

from assay.errors import MemoryShortageError
from assay.training import memory
from assay.training.execution import Execution
from tests.training.toy import toy_cell


def halved(cell, workers, directory):
    """Halve again and again; return the numbers of micro-batches until it cannot be."""
    found = []
    while True:
        parts = memory.within(cell, Execution(), directory, workers)
        found.append(parts.accumulation)
        try:
            memory.halve(cell, parts, directory, workers, "memory is short")
        except MemoryShortageError:
            return found


@pytest.mark.parametrize(
    ("batch", "workers", "parts"),
    [(16, 1, [1, 2, 4, 8, 16]), (16, 2, [1, 2, 4, 8]), (8, 3, [1, 2]), (3, 2, [1])],
)
def test_every_worker_keeps_a_record_of_each_part(batch, workers, parts, tmp_path):
    cell = toy_cell(training={"batch_size": batch})

    assert halved(cell, workers, tmp_path) == parts
    assert parts[-1] * workers <= batch
