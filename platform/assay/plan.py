"""What a suite will cost, measured on a few real steps of every cell, before anything runs."""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from assay import catalog
from assay.cell import Cell
from assay.task import Batch, Splits, Stage, Task
from assay.training.draws import fold
from assay.training.loop import Execution, require_device
from assay.training.meter import measure_flops
from assay.training.order import BatchOrder

PROBES = 3
"""Training steps, spread over an epoch, that are measured a cell."""
CHECKPOINTS_ON_DISK = 3
"""Two that are kept and one that is being written."""
TENSORS_A_PARAMETER = 4
"""Weights, their average, and two moments of the optimizer."""


@dataclass(frozen=True)
class CellPlan:
    """The cost of one cell, as measured on this machine now."""

    cell: Cell
    parameters: int
    flops_per_sample: float
    """Of training, forward and backward."""
    steps: int
    training_seconds: float
    evaluation_seconds: float
    disk_bytes: int

    @property
    def seconds(self) -> float:
        """Training and evaluation."""
        return self.training_seconds + self.evaluation_seconds


def plan_cell(cell: Cell, execution: Execution) -> CellPlan:
    """Measure a few steps of a cell and extrapolate to its budget.

    Raises:
        AssayError: as the cell itself would.
    """
    device = require_device(execution.device)
    torch.set_num_threads(execution.threads)
    task: Task = catalog.family(cell.family)(cell)
    data = task.data()
    torch.manual_seed(fold(cell.seed, "model"))
    model = task.model(data).to(device)
    stage = task.stages()[0]
    flops, seconds, forward_seconds = _probe(task, cell, data, model, stage, device)
    batch = cell.training.batch_size
    steps = {
        "steps": cell.budget.amount,
        "samples": cell.budget.amount / batch,
        "flops": cell.budget.amount / (flops * batch),
        "seconds": cell.budget.amount / (seconds * batch),
    }[cell.budget.unit]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return CellPlan(
        cell=cell,
        parameters=parameters,
        flops_per_sample=flops,
        steps=math.ceil(steps),
        training_seconds=math.ceil(steps) * batch * seconds,
        evaluation_seconds=task.evaluation_passes() * forward_seconds,
        disk_bytes=4 * parameters * TENSORS_A_PARAMETER * CHECKPOINTS_ON_DISK,
    )


def makespan(plans: list[CellPlan], concurrent: int) -> float:
    """Return the seconds that the cells take, each next one on the first free of `concurrent`."""
    busy = [0.0] * concurrent
    for plan in plans:
        first = busy.index(min(busy))
        busy[first] += plan.seconds
    return max(busy)


def concurrent_cells(cpus_a_cell: int) -> int:
    """Return how many cells this machine runs at once."""
    return max(1, (os.cpu_count() or 1) // cpus_a_cell)


def _probe(
    task: Task,
    cell: Cell,
    data: Splits,
    model: torch.nn.Module,
    stage: Stage,
    device: torch.device,
) -> tuple[float, float, float]:
    """FLOPs and seconds of training a sample, and seconds of a forward pass a sample."""
    order = BatchOrder(len(data.train), cell.training.batch_size, cell.seed, data.train.lengths)
    flops, seconds, forward = [], [], []
    for probe in range(PROBES):
        step = probe * order.batches_per_epoch // PROBES
        batch: Batch = data.train.batch(order.indices(step)).to(device)

        def train(batch: Batch = batch, step: int = step) -> None:
            model.zero_grad()
            task.loss(model, batch, stage, step).total.backward()

        def look(batch: Batch = batch, step: int = step) -> None:
            with torch.no_grad():
                task.loss(model, batch, stage, step)

        flops.append(measure_flops(train)[1] / len(batch))
        seconds.append(_seconds(train, device) / len(batch))
        forward.append(_seconds(look, device) / len(batch))
    return sum(flops) / PROBES, sum(seconds) / PROBES, sum(forward) / PROBES


def _seconds(compute: Callable[[], None], device: torch.device) -> float:
    started = time.perf_counter()
    compute()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
