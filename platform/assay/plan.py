"""What a suite will cost, measured on a few real steps of every cell, before anything runs."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

import torch

from assay import catalog
from assay.cell import Cell
from assay.config import digest16
from assay.errors import ConfigError
from assay.task import Batch, Splits, Stage, Task
from assay.training.draws import fold
from assay.training.ema import WeightAverage
from assay.training.execution import Execution, prepare_process
from assay.training.meter import measure_flops
from assay.training.optimizer import ModelOptimizer, clip_gradients
from assay.training.order import order_of
from assay.training.schedule import require_one_warm_up
from assay.training.subset import that_are_used

LOOKED_AT = 200
"""Steps of an epoch whose workloads are looked at, to choose typical ones."""
PROBES = 8
"""Of these, the steps that are measured."""
CHECKPOINTS_ON_DISK = 3
"""Two that are kept and one that is being written."""
TENSORS_A_PARAMETER = 2
"""Weights and their average, beside what the optimizer keeps."""


@dataclass(frozen=True)
class Probe:
    """What one sample costs, measured on this machine now."""

    parameters: int
    optimizer_bytes: int
    """Of what the optimizer keeps: moments of 32 or 8 bits."""
    flops: float
    """Of training, forward and backward."""
    seconds: float
    """Of training."""
    forward_seconds: float
    """Of the loss without its gradient."""


@dataclass(frozen=True)
class CellPlan:
    """The cost of one cell, extrapolated from a few measured steps."""

    cell: Cell
    parameters: int
    flops_per_sample: float
    """Of training, forward and backward."""
    steps: int
    shared_steps: int
    """Of these, the ones that a cell of a smaller budget takes (`Cell.trunk`)."""
    training_seconds: float
    """Of the others."""
    evaluation_seconds: float
    disk_bytes: int

    @property
    def seconds(self) -> float:
        """Training and evaluation."""
        return self.training_seconds + self.evaluation_seconds


def plan_cells(
    named: Mapping[str, Cell], execution: Execution, watch: Callable[[str], None]
) -> dict[str, CellPlan]:
    """Measure a few steps of every cell and extrapolate to its budget.

    Cells that differ in their budget alone are measured once.

    Args:
        named: As `Suite.named_cells` returns it, the smaller budgets of a ladder first.
        execution: How they are run.
        watch: Hears the name of the cell that is measured.

    Raises:
        ConfigError: the FLOPs of a cell are so few steps that its warm-up reaches into its
            cool-down.
        AssayError: as a cell itself would.
    """
    probes: dict[str, Probe] = {}
    shared: dict[str, int] = {}
    plans = {}
    for name, cell in named.items():
        watch(name)
        task: Task = catalog.family(cell.family)(cell)
        require_one_warm_up(cell, len(task.stages()))
        without_budget = {k: v for k, v in cell.model_dump(mode="json").items() if k != "budget"}
        alike = digest16(without_budget)
        if alike not in probes:
            probes[alike] = _probe(task, cell, execution)
        plans[name] = _plan(cell, task, probes[alike], shared.get(alike, 0))
        _require_warm_up(name, plans[name])
        if cell.trunk is not None:
            shared[alike] = math.floor((1 - cell.training.cooldown_fraction) * plans[name].steps)
    return plans


def _require_warm_up(name: str, plan: CellPlan) -> None:
    """Refuse what a cell cannot, which does not know how many steps its FLOPs are."""
    fault = plan.cell.training.too_long_a_warm_up(plan.steps)
    if plan.cell.budget.unit == "flops" and fault is not None:
        raise ConfigError(
            f"{name}: {fault}, which is {plan.steps} steps; give more FLOPs or a shorter warm-up"
        )


def _plan(cell: Cell, task: Task, probe: Probe, shared_steps: int) -> CellPlan:
    batch = cell.training.batch_size
    steps = _steps(cell, probe) if task.stages() else 0.0
    checkpoints = CHECKPOINTS_ON_DISK + (cell.trunk is not None)  # one more for larger budgets
    return CellPlan(
        cell=cell,
        parameters=probe.parameters,
        flops_per_sample=probe.flops,
        steps=math.ceil(steps),
        shared_steps=shared_steps,
        training_seconds=(math.ceil(steps) - shared_steps) * batch * probe.seconds,
        evaluation_seconds=task.evaluation_passes() * probe.forward_seconds,
        disk_bytes=checkpoints
        * (4 * probe.parameters * TENSORS_A_PARAMETER + probe.optimizer_bytes),
    )


def _steps(cell: Cell, probe: Probe) -> float:
    batch, amount = cell.training.batch_size, cell.budget.amount
    return {
        "steps": amount,
        "samples": amount / batch,
        "flops": amount / (probe.flops * batch),
        "seconds": amount / (probe.seconds * batch),
    }[cell.budget.unit]


def makespan(plans: list[CellPlan], concurrent: int) -> float:
    """Return the seconds that the cells take, each next one on the first free of `concurrent`."""
    busy = [0.0] * concurrent
    for plan in plans:
        first = busy.index(min(busy))
        busy[first] += plan.seconds
    return max(busy)


def _probe(task: Task, cell: Cell, execution: Execution) -> Probe:
    device = prepare_process(execution)
    torch.manual_seed(fold(cell.seed, "model"))
    data = that_are_used(task.data(), cell)
    model = task.model(data).to(device)
    average = WeightAverage(model, cell.training.ema_decay)
    optimizer = ModelOptimizer(model, cell.training)
    flops, seconds, forward, weights = [], [], [], []
    for stage, step, batch in _typical_batches(task, cell, data):
        batch = batch.to(device)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(stage.trainable(name))

        def compute(batch: Batch = batch, step: int = step, stage: Stage = stage) -> None:
            task.loss(model, batch, stage, step).total.backward()

        def train(compute: Callable[[], None] = compute) -> None:
            compute()
            clip_gradients(model, cell.training.gradient_clip)
            optimizer.step(cell.training.learning_rate)
            average.update(model, 1)
            model.zero_grad()

        def look(batch: Batch = batch, step: int = step, stage: Stage = stage) -> None:
            with torch.no_grad():
                task.loss(model, batch, stage, step)

        flops.append(measure_flops(compute)[1] / len(batch))
        seconds.append(_seconds(train, device) / len(batch))
        forward.append(_seconds(look, device) / len(batch))
        weights.append(stage.share)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if not weights:  # nothing is learned
        return Probe(parameters, 0, 0.0, 0.0, 0.0)
    kept = sum(tensor.nbytes for tensor in optimizer.tensors().values())
    means = (fmean(values, weights) for values in (flops, seconds, forward))
    return Probe(parameters, kept, *means)


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
