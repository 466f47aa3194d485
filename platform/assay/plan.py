"""What a suite will cost, measured on a few real steps of every cell, before anything runs."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import fmean

import torch

from assay import catalog
from assay.cell import Cell
from assay.task import Batch, Splits, Stage, Task
from assay.training.draws import fold
from assay.training.ema import WeightAverage
from assay.training.execution import Execution, require_device
from assay.training.meter import measure_flops
from assay.training.optimizer import adamw, clip_gradients
from assay.training.order import order_of
from assay.training.subset import that_are_used

LOOKED_AT = 200
"""Steps of an epoch whose workloads are looked at, to choose typical ones."""
PROBES = 8
"""Of these, the steps that are measured."""
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
    task: Task = catalog.family(cell.family)(cell)
    parameters, flops, seconds, forward_seconds = _probe(task, cell, execution)
    batch = cell.training.batch_size
    steps = {
        "steps": cell.budget.amount,
        "samples": cell.budget.amount / batch,
        "flops": cell.budget.amount / (flops * batch),
        "seconds": cell.budget.amount / (seconds * batch),
    }[cell.budget.unit]
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


def _probe(task: Task, cell: Cell, execution: Execution) -> tuple[int, float, float, float]:
    """Parameters; FLOPs and seconds of training a sample, seconds of its loss without gradient."""
    device = require_device(execution.device)
    torch.set_num_threads(execution.threads)
    torch.manual_seed(fold(cell.seed, "model"))
    data = that_are_used(task.data(), cell)
    model = task.model(data).to(device)
    average = WeightAverage(model, cell.training.ema_decay)
    optimizer = adamw(model.named_parameters(), cell.training)
    flops, seconds, forward, weights = [], [], [], []
    for stage, step, batch in _typical_batches(task, cell, data):
        batch = batch.to(device)

        def compute(batch: Batch = batch, step: int = step, stage: Stage = stage) -> None:
            task.loss(model, batch, stage, step).total.backward()

        def train(compute: Callable[[], None] = compute) -> None:
            compute()
            clip_gradients(model, cell.training.gradient_clip)
            optimizer.step()
            average.update(model, 1)
            optimizer.zero_grad()

        def look(batch: Batch = batch, step: int = step, stage: Stage = stage) -> None:
            with torch.no_grad():
                task.loss(model, batch, stage, step)

        flops.append(measure_flops(compute)[1] / len(batch))
        seconds.append(_seconds(train, device) / len(batch))
        forward.append(_seconds(look, device) / len(batch))
        weights.append(stage.share)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    mean_flops, mean_seconds, mean_forward = (
        fmean(values, weights) for values in (flops, seconds, forward)
    )
    return parameters, mean_flops, mean_seconds, mean_forward


def _typical_batches(task: Task, cell: Cell, data: Splits) -> Iterator[tuple[Stage, int, Batch]]:
    """Yield steps that stand for a stage: every so many, in the order of their workloads."""
    for stage in task.stages():
        records = data.train if stage.records is None else stage.records
        order = order_of(records, cell.training.batch_size, cell.seed)
        looked_at = min(order.batches_per_epoch, LOOKED_AT)
        steps = [k * order.batches_per_epoch // looked_at for k in range(looked_at)]
        batches = {step: records.batch(order.indices(step)) for step in steps}
        steps.sort(key=lambda step: repr(task.workload(batches[step], step)))
        probes = min(PROBES, looked_at)
        for probe in range(probes):
            step = steps[(2 * probe + 1) * looked_at // (2 * probes)]
            yield stage, step, batches[step]


def _seconds(compute: Callable[[], None], device: torch.device) -> float:
    started = time.perf_counter()
    compute()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
