"""What cells and their evaluations take of a cluster; it decides how, not what, is computed."""

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from assay.config import Settings


class EvaluationResources(Settings):
    """What an evaluation takes when it is a task of its own."""

    cpus: PositiveInt = 1
    gpus: int = Field(default=0, ge=0)


class Resources(Settings):
    """What a cell takes to be trained."""

    cpus: PositiveInt = 1
    """Of each worker."""
    gpus: int = Field(default=0, ge=0)
    """Of each worker."""
    workers: PositiveInt | tuple[PositiveInt, PositiveInt] = 1
    """Processes that train a cell together; [min, max] takes what there is between the two."""
    sharding: Literal["ddp", "fsdp2"] = "ddp"
    """Whether each of several workers holds the whole model or a shard of it."""

    @property
    def least_workers(self) -> int:
        """The number of workers without which a cell does not start."""
        return self.workers if isinstance(self.workers, int) else self.workers[0]

    @property
    def is_elastic(self) -> bool:
        """Whether a cell may shrink and grow."""
        return not isinstance(self.workers, int)

    @property
    def most_workers(self) -> int:
        """The number of workers beyond which a cell does not grow."""
        return self.workers if isinstance(self.workers, int) else self.workers[1]

    def at_once(self, cpus: float, gpus: float) -> int:
        """Return how many cells fit into so many CPUs and GPUs; at least one."""
        count = self.least_workers
        asked = ((cpus, self.cpus * count), (gpus, self.gpus * count))
        return max(1, min(int(there // wanted) for there, wanted in asked if wanted))

    @model_validator(mode="after")
    def _workers_make_sense(self) -> Self:
        if self.least_workers > self.most_workers:
            raise ValueError(
                f"workers: the least ({self.least_workers}) exceeds the most ({self.most_workers})"
            )
        if self.sharding == "fsdp2" and self.most_workers == 1:
            raise ValueError("sharding fsdp2 needs more than one worker")
        return self
