"""How a cell is computed: device, threads, micro-batches, workers; and what must hold for it."""

import re
from dataclasses import dataclass
from typing import Literal, Self

import torch
from pydantic import NonNegativeFloat, model_validator

from assay.cell import Cell
from assay.config import Settings, validate
from assay.errors import ConfigError, MachineError
from assay.training.allocation import keep_freed_memory
from assay.training.parallel import Sharding, Workers


class Execution(Settings):
    """How a cell is computed, not what: outside its key, recorded in its result."""

    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    accumulation: int = 1
    """Micro-batches a step; the draws and the mean loss do not depend on it."""
    compile: bool = False
    checkpoint_seconds: NonNegativeFloat = 60.0
    """Least time between checkpoints; the last step always has one."""
    workers: int = 1
    """How many are asked for; how many there are is the `Workers`' own knowledge."""
    sharding: Sharding = "ddp"

    @model_validator(mode="after")
    def _compiles_alone(self) -> Self:
        if self.compile and self.workers > 1:
            raise ValueError("compile works with one worker only")
        return self


@dataclass(frozen=True)
class Maker:
    """What made the last step of a training, for its provenance."""

    device: str
    threads: int
    accumulation: int
    compiled: bool
    workers: int
    sharding: str | None
    """Of several workers only."""

    @classmethod
    def of(cls, execution: Execution, workers: Workers) -> Self:
        """Return what an execution is on this machine."""
        on_gpu = execution.device == "cuda"
        return cls(
            device=torch.cuda.get_device_name() if on_gpu else "cpu",
            threads=execution.threads,
            accumulation=execution.accumulation,
            compiled=execution.compile,
            workers=workers.count,
            sharding=execution.sharding if workers.count > 1 else None,
        )


_SHORTAGE = re.compile(
    "can't allocate memory|not enough memory|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED"
    "|could not create a primitive(?! descriptor)"  # oneDNN's
)
"""What libraries say instead of raising torch.OutOfMemoryError."""


def is_out_of_memory(error: Exception) -> bool:
    """Say whether an error means that memory did not suffice, on a GPU or on a CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return _SHORTAGE.search(str(error)) is not None


def require_enough_records(cell: Cell, execution: Execution, workers: Workers) -> None:
    """See that every worker has a record in every micro-batch.

    Raises:
        ConfigError: a batch has fewer records than there are parts.
    """
    parts = execution.accumulation * workers.count
    if cell.training.batch_size < parts:
        raise ConfigError(
            f"cell {cell.key} ({cell.label}): a batch of {cell.training.batch_size} cannot be cut "
            f"into {execution.accumulation} micro-batches for {workers.count} workers; raise "
            "training.batch_size or lower resources.workers"
        )


def chosen_execution(
    device: str, threads: int, accumulation: int = 1, compiled: bool = False
) -> Execution:
    """Return how a cell is computed, as a person asks for it.

    Args:
        device: cpu, cuda, or auto: cuda where there is one.
        threads: CPU threads.
        accumulation: Micro-batches a step.
        compiled: By torch.compile.

    Raises:
        ConfigError: a value is wrong.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    given = {
        "device": device,
        "threads": threads,
        "accumulation": accumulation,
        "compile": compiled,
    }
    return validate(Execution, given, "how to run")


def require_device(name: Literal["cpu", "cuda"]) -> torch.device:
    """Return the device.

    Raises:
        MachineError: CUDA is asked for and not there; there is no fall-back to the CPU.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise MachineError("device cuda: no CUDA device is available here; use device cpu")
    return torch.device(name)


def prepare_process(execution: Execution) -> torch.device:
    """Make this process ready to compute, and return the device.

    Raises:
        MachineError: as `require_device`.
    """
    device = require_device(execution.device)
    torch.set_num_threads(execution.threads)
    if device.type == "cpu":
        keep_freed_memory()
    return device
