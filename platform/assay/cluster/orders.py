"""What every trial and every evaluation of a suite is told beside its cell."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assay.resources import EvaluationResources, Resources
from assay.tracking import Destination
from assay.training.execution import Execution


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
