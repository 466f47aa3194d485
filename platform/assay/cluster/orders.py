"""What every trial and every evaluation of a suite is told beside its cell."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assay.cluster.session import job_id
from assay.provenance import JOB_VARIABLE
from assay.resources import EvaluationResources, Resources
from assay.tracking import Destination
from assay.training.execution import Execution

FORWARDED = ("ASSAY_DATA", "ASSAY_CACHE", "ASSAY_SHARDS")


@dataclass(frozen=True)
class Orders:
    """Plain data that travels to the workers."""

    storage: Path
    execution: Execution
    resources: Resources
    evaluation: EvaluationResources | None
    """What an evaluation takes as a task of its own; None if the trial evaluates."""
    destination: Destination
    fresh: bool
    environment: Mapping[str, str]
    """Variables of the driver that say where data is; a cluster's workers have their own."""

    @property
    def series(self) -> str:
        """Whose attempts at a cell are counted together: this driver's."""
        return self.destination.owner


def forwarded() -> dict[str, str]:
    """Return the variables of this driver that its workers need: where data is, which job it is.

    No secret is among them: they are written into Ray's logs.
    """
    found = {name: os.environ.get(name) for name in FORWARDED}
    places = {
        name: value if "://" in value else str(Path(value).absolute())
        for name, value in found.items()
        if value
    }
    job = job_id()
    return places | ({JOB_VARIABLE: job} if job else {})
