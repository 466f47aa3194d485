"""The data's own row under a suite's protocol, computed once for a published folder."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray

from assay import catalog
from assay.cell import Cell, Suite
from assay.config import validate
from assay.result import Reference, read_reference, write_json
from assay.store import sets


def cached_reference(folder: Path, cell: Cell) -> Reference | None:
    """Return the row in `folder` if it is of this data under the present protocol."""
    found = read_reference(folder)
    return found if found is not None and found.provenance == _identity(cell) else None


def compute_reference(
    suite: Suite, cell: Cell, folder: Path, environment: Mapping[str, str]
) -> Reference:
    """Compute the row on the cluster and write it to `folder`."""
    task = ray.remote(reference_row).options(num_cpus=suite.resources.cpus)
    text = ray.get(task.remote(cell.model_dump_json(), dict(environment)))
    reference = validate(Reference, json.loads(text), "reference row")
    write_json(folder / "reference.json", reference)
    return reference


def reference_row(cell_json: str, environment: Mapping[str, str]) -> str:
    """Return the row as JSON; runs on a worker, which has torch and the data at hand."""
    os.environ.update(environment)
    cell = validate(Cell, json.loads(cell_json), "reference row")
    sets.require_digest(sets.prepare(cell.data.name), cell.data.digest)
    task = catalog.family(cell.family)(cell)
    data = task.data()
    row = Reference(
        label=f"{cell.data.name}, test split",
        estimates=task.reference(data),
        provenance=_identity(cell),
    )
    return row.model_dump_json()


def _identity(cell: Cell) -> dict[str, Any]:
    protocol = catalog.family(cell.family).protocol
    return {"data": cell.data.name, "data_digest": cell.data.digest, "protocol": protocol}
