"""What models are held against, computed on a worker, which has torch and the data at hand."""

import json
import os
from collections.abc import Mapping

import ray
from ray.exceptions import RayError

from assay.cell import Cell, Suite
from assay.config import validate
from assay.errors import MachineError
from assay.reference import compute_reference
from assay.result import Reference


def reference_on_cluster(suite: Suite, cell: Cell, environment: Mapping[str, str]) -> Reference:
    """Compute the row of a suite's data set in a Ray task.

    Raises:
        MachineError: the task died or failed; the finished cells are published all the same.
    """
    task = ray.remote(_compute).options(num_cpus=suite.resources.cpus)
    try:
        text = ray.get(task.remote(cell.model_dump_json(), dict(environment)))
    except RayError as error:
        cause = str(error).strip().splitlines()[-1]
        raise MachineError(
            f"{cell.data.name}: the reference row could not be computed ({cause}); the cells are "
            "finished and published: the same command tries the row again"
        ) from error
    return validate(Reference, json.loads(text), "reference row")


def _compute(cell_json: str, environment: Mapping[str, str]) -> str:
    os.environ.update(environment)
    return compute_reference(validate(Cell, json.loads(cell_json), "cell")).model_dump_json()
