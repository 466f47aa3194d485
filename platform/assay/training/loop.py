"""The training loop: stages, budget, average of weights, validation, checkpoints, one log row each.

`Training` runs a Task to the end of its budget. It carries on from the newest checkpoint that
verifies: N steps, a kill and N steps end bit for bit where 2N steps do (same machine, threads).
"""

import contextlib
import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np
import torch
from torch import Tensor, nn

from assay.cell import Cell
from assay.errors import CheckpointError, MemoryShortageError, TrainingError
from assay.task import Batch, Splits, Stage, Task
from assay.training import checkpoint as checkpoints
from assay.training import journal
from assay.training.balancing.balance import StepMeans
from assay.training.balancing.execution import require_balanced_alike
from assay.training.draws import fold
from assay.training.ema import WeightAverage
from assay.training.execution import (
    Execution,
    Maker,
    is_out_of_memory,
    prepare_process,
    require_enough_records,
)
from assay.training.fixed import PartlyFixed
from assay.training.meter import FlopTable, Meter, peak_memory_bytes
from assay.training.optimizer import ModelOptimizer, clip_gradients
from assay.training.order import order_of, read_ahead
from assay.training.parallel import ALONE, Workers
from assay.training.schedule import (
    rate_factor,
    require_one_warm_up,
    require_steps_of_all_stages,
)
from assay.training.selection import BestWeights
from assay.training.trunk import Trunk, as_a_beginning

TICKS = 100
"""Rows of the log, evenly spread over the budget."""
TOLD_SECONDS = 5.0
"""Of training, after which whoever watches hears of it, though no row of the log is due."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """A row of the log: where training stands, and what was measured since the last row."""

    meter: Meter
    fraction: float
    metrics: Mapping[str, float]


class Training:
    """A Task being trained for one cell in one directory, by one worker or its part of several."""

    def __init__(
        self,
        task: Task,
        cell: Cell,
        data: Splits,
        execution: Execution,
        directory: Path,
        watch: Callable[[Row], None],
        workers: Workers = ALONE,
        warned: Callable[[], bool] = lambda: False,
        trunks: Path | None = None,
    ) -> None:
        self.task, self.cell, self.data, self.execution = task, cell, data, execution
        self.directory, self.watch, self.workers, self.warned = directory, watch, workers, warned
        self.device = prepare_process(execution)
        require_enough_records(cell, execution, workers)
        torch.manual_seed(fold(cell.seed, "model"))
        self.model = task.model(data)
        require_balanced_alike(self.model, cell, execution, workers)
        self.parameters = sum(parameter.numel() for parameter in self.model.parameters())
        self.average = WeightAverage(self.model, cell.training.ema_decay)
        self.best = None
        if cell.training.weights == "best":
            figure, better = task.chosen_by
            self.best = BestWeights(self.model, f"val/{figure}", better)
        copies = [] if self.best is None else [self.best.model]
        for model in (self.model, self.average.model, *copies):
            workers.shard(model)
            if isinstance(model, PartlyFixed):
                model.share_fixed(self.model)
            model.to(self.device)
        self.compiled = cast(nn.Module, torch.compile(self.model)) if execution.compile else None
        self.stages = tuple(task.stages())
        require_one_warm_up(cell, len(self.stages))
        require_steps_of_all_stages(cell, self.stages)
        self.meter, self.flops, self.stage, self.resumed = Meter(), FlopTable(), 0, 0
        self.shared_steps = 0
        self._parts: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=self.device))
        self._step_parts: dict[str, Tensor] = {}
        self._steps_in_row = 0
        self.maker, self.peak_memory = Maker.of(execution, workers), 0
        self.trunk = Trunk.of(cell, trunks, self.maker) if trunks is not None else None
        if self.stages:
            self._begin_stage(0)
        self._resume()
        self._saved, self._saved_at = self.meter.step, time.monotonic()
        self._is_late = self._is_warned = self._was_warned = False
        self._tail = 0.0  # seconds of the last step that came after the workers had agreed

    @property
    def result(self) -> nn.Module:
        """The model that is evaluated: averaged, at the end or at the best validation."""
        return self.average.model if self.best is None else self.best.model

    @property
    def fraction(self) -> float:
        """Fraction of the budget that is spent; all of it where nothing is learned."""
        return self.meter.spent(self.cell.budget) if self.stages else 1.0

    def run(self, until: float = 1.0) -> None:
        """Train until that fraction of the budget is spent, and save; `result` has the weights.

        Raises:
            TrainingError: the loss, its gradient or a figure is not finite; names it and the step.
            MemoryShortageError: a step does not fit; one worker has saved the state before it.
            MachineError: a checkpoint could not be written.
        """
        if not self.stages:
            return
        if self.meter.step == 0:
            self.stages[0].opens(self.model)
        tick, told = self._tick(), self.meter.seconds
        read_ahead(self.records, self.order, self.meter.step)
        while self.fraction < min(until, 1.0):
            before = self.fraction
            self._enter_stage_of(before)
            self._step()
            self._keep_for_larger_budgets(before)
            if self._tick() != tick or self.fraction >= 1:
                self._write_row(validate=self._validation_is_due(tick))
                tick, told = self._tick(), self.meter.seconds
            elif self.meter.seconds >= told + TOLD_SECONDS:  # the same for all workers
                self.watch(self.here({}))
                told = self.meter.seconds
            if self.fraction >= 1 or self._is_late or self._must_hurry():
                self._save()
        if self._saved != self.meter.step:
            self._save()

    def here(self, metrics: Mapping[str, float]) -> Row:
        """Return where training stands, with `metrics`."""
        return Row(replace(self.meter), min(self.fraction, 1.0), metrics)

    def look(self) -> dict[str, float]:
        """Return the validation figures of the averaged model as it is now."""
        if not self.stages:
            return {}
        stage = self.stages[self.stage]
        with torch.no_grad(), self._precision():
            figures = self.task.validate(self.average.model, self.data, stage)
        return {f"val/{name}": value for name, value in figures.items()}

    def _step(self) -> None:
        started = time.monotonic()
        step, stage = self.meter.step, self.stages[self.stage]
        indices = self.order.indices(step)
        torch.manual_seed(fold(self.cell.seed, "step", step))
        begin = sum(s.share for s in self.stages[: self.stage])
        spent = (self.fraction - begin) / stage.share
        rate = self.cell.training.learning_rate * rate_factor(self.cell.training, spent, step)
        self.model.zero_grad(set_to_none=True)
        computed = self._gradients_or_shortage(indices, stage, step)
        if isinstance(computed, str):  # outside the handler, whose traceback holds the tensors
            self._give_up_the_step(computed)
        loss, flops = computed
        norm = clip_gradients(self.model, self.cell.training.gradient_clip)
        loss, flops, seconds = self._agree(loss, flops, time.monotonic() - started + self._tail)
        agreed = time.monotonic()
        self._require_finite(loss, norm)
        self.optimizer.step(rate)
        self.meter.step += 1
        self.average.update(self.model, self.meter.step)
        self._tail = time.monotonic() - agreed
        for name, value in self._step_parts.items():
            self._parts[name] += value
        self._parts["gradient_norm"] += norm.detach() / self.workers.count
        self._steps_in_row += 1
        self.meter.samples += len(indices)
        self.meter.flops += flops
        self.meter.seconds += seconds

    def _gradients_or_shortage(
        self, indices: np.ndarray, stage: Stage, step: int
    ) -> tuple[float, float] | str:
        try:
            return self._gradients(indices, stage, step)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return " ".join(str(error).split())[:200]

    def _gradients(self, indices: np.ndarray, stage: Stage, step: int) -> tuple[float, float]:
        """Compute this worker's gradients; return its share of the mean loss, and its FLOPs."""
        micro = torch.as_tensor(indices).tensor_split(self.execution.accumulation)
        parts = [each.tensor_split(self.workers.count)[self.workers.rank] for each in micro]
        self._step_parts.clear()
        loss, flops = torch.zeros((), device=self.device), 0.0
        for number, part in enumerate(parts, start=1):
            batch = self.records.batch(part.numpy()).to(self.device)
            with self.workers.accumulating(self.network, last=number == len(parts)):
                value, spent = self._backward(batch, stage, step, len(part) / len(indices))
            loss += value
            flops += spent
        return float(loss), flops

    def _agree(self, loss: float, flops: float, seconds: float) -> tuple[float, float, float]:
        """Add up what each worker has; the first one's clock is everybody's."""
        first = self.workers.rank == 0
        late = time.monotonic() - self._saved_at >= self.execution.checkpoint_seconds
        mine = [loss, flops, seconds * first, late * first, self.warned()]
        loss, flops, seconds, late, warnings = self.workers.sum(mine)
        self._is_late, self._is_warned = late > 0, warnings > 0
        return loss, flops, seconds

    def _must_hurry(self) -> bool:
        """Say, once a warning, that this machine is about to go."""
        new, self._was_warned = self._is_warned and not self._was_warned, self._is_warned
        if new:
            log.warning("cell %s: is about to be stopped; saving", self.cell.key)
        return new

    def _give_up_the_step(self, shortage: str) -> NoReturn:
        self.model.zero_grad(set_to_none=True)
        # What a balance has summed up of the step is no longer that of the state before it.
        is_whole = not any(isinstance(each, StepMeans) for each in self.model.modules())
        if self.workers.count == 1 and self._saved != self.meter.step and is_whole:
            self._save()
        raise MemoryShortageError(
            f"cell {self.cell.key} ({self.cell.label}): step {self.meter.step} does not fit into "
            f"memory in {self.execution.accumulation} micro-batches a worker ({shortage})"
        )

    def _backward(
        self, batch: Batch, stage: Stage, step: int, share: float
    ) -> tuple[Tensor, float]:
        workload = stage.name, self.task.workload(batch, step)
        measured = repr(workload) in self.flops.flops
        network = self.compiled if self.compiled is not None and measured else self.network

        def compute() -> Tensor:
            with self._precision():
                loss = self.task.loss(network, batch, stage, step)
            # Gradients are averaged over the workers, and the step's is their sum.
            (loss.total * (share * self.workers.count)).backward()
            for name, value in {"loss": loss.total, **loss.parts}.items():
                before = self._step_parts.get(name, torch.zeros((), device=self.device))
                self._step_parts[name] = before + value.detach() * share
            return loss.total.detach() * share

        return self.flops.run(workload, compute)

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self.cell.training.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def _require_finite(self, loss: float, norm: Tensor) -> None:
        if math.isfinite(loss) and math.isfinite(float(norm)):
            return
        raise TrainingError(
            f"cell {self.cell.key} ({self.cell.label}): loss {loss}, gradient norm "
            f"{float(norm)} at step {self.meter.step}: not finite; lower training.learning_rate "
            "or use training.precision=fp32"
        )

    def _begin_stage(self, index: int) -> None:
        self.stage, records = index, self.stages[index].records
        self.records = self.data.train if records is None else records
        self.order = order_of(self.records, self.cell.training.batch_size, self.cell.seed)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(self.stages[index].trainable(name))
        self.model.zero_grad(set_to_none=True)
        self.network = self.workers.wrap(self.model)
        self.optimizer = ModelOptimizer(self.model, self.cell.training)

    def _enter_stage_of(self, fraction: float) -> None:
        end = sum(stage.share for stage in self.stages[: self.stage + 1])
        if fraction >= end - 1e-9 and self.stage + 1 < len(self.stages):
            self._begin_stage(self.stage + 1)
            self.stages[self.stage].opens(self.model)
            read_ahead(self.records, self.order, self.meter.step)

    def _tick(self) -> int:
        return math.floor(self.fraction * TICKS + 1e-9)

    def _validation_is_due(self, last_tick: int) -> bool:
        count = self.cell.training.validations
        return self._tick() * count // TICKS > last_tick * count // TICKS

    def _write_row(self, validate: bool) -> None:
        names = sorted(self._parts)
        sums = self.workers.sum([float(self._parts[name]) for name in names])
        means = zip(names, sums, strict=True)
        row = {f"train/{name}": value / self._steps_in_row for name, value in means}
        self._parts.clear()
        self._steps_in_row = 0
        if validate:
            looked = self.look()
            row |= self.workers.on_first(lambda: looked)  # so that all choose alike
            if self.best is not None and self.stage == len(self.stages) - 1:
                self.best.consider(self.average.model, row, self.meter.step)
        wild = [name for name, value in row.items() if not math.isfinite(value)]
        if wild:
            raise TrainingError(
                f"cell {self.cell.key} ({self.cell.label}): {wild[0]} is {row[wild[0]]} at step "
                f"{self.meter.step}: not finite; lower training.learning_rate"
            )
        line = {**asdict(self.meter), **row}
        self.workers.on_first(lambda: journal.append(self.directory, line))
        self.watch(self.here(row))

    def _save(self) -> None:
        root, content = self.directory / "checkpoints", self._content()
        self.workers.on_first(lambda: checkpoints.save(root, self.meter.step, content) and None)
        self._saved, self._saved_at = self.meter.step, time.monotonic()

    def _keep_for_larger_budgets(self, before: float) -> None:
        trunk = self.trunk
        if trunk is not None and trunk.is_passed(before, self.fraction):
            content = self._content()
            self.workers.on_first(lambda: trunk.keep(self.meter.step, content))

    def _content(self) -> checkpoints.Checkpoint:
        tensors = {
            "model": self.workers.whole(self.model.state_dict()),
            "ema": self.workers.whole(self.average.model.state_dict()),
            "optimizer": self.workers.whole(self.optimizer.tensors()),
        }
        if self.best is not None:
            tensors["best"] = self.workers.whole(self.best.model.state_dict())
        state = {
            "best": None if self.best is None else self.best.state(),
            "cell_key": self.cell.key,
            "cell": self.cell.model_dump(mode="json"),
            "stage": self.stages[self.stage].name,
            "meter": asdict(self.meter),
            "flops_by_workload": self.workers.gather(self.flops.flops),
            "row": {
                "steps": self._steps_in_row,
                "parts": self.workers.gather({k: float(v) for k, v in self._parts.items()}),
            },
            "resumed": self.resumed,
            "kin": self.trunk.kin if self.trunk is not None else None,
            "shared_steps": self.shared_steps,
            "maker": asdict(self.maker),
            "peak_memory_bytes": max(self.peak_memory, peak_memory_bytes(self.device)),
            "rng": {"kind": "counter-based", "seed": self.cell.seed, "next_step": self.meter.step},
        }
        return checkpoints.Checkpoint(tensors, state)

    def _resume(self) -> None:
        root, found, begins = self.directory / "checkpoints", None, False

        def find() -> int | None:
            nonlocal found, begins
            found = checkpoints.load_newest(root, self.cell.key)
            journal.drop_after(self.directory, found.state["meter"]["step"] if found else 0)
            shared = self.trunk.newest() if found is None and self.trunk is not None else None
            if shared is not None:
                found, begins = as_a_beginning(shared, self.cell), True
                checkpoints.save(root, found.state["meter"]["step"], found)  # for all workers
            return found.state["meter"]["step"] if found else None

        step = self.workers.on_first(find)
        if step is None:
            return
        if found is None:  # this is not the first worker
            found = checkpoints.load(root, step)
        self._take_up(found)
        self.resumed += self.fraction < 1 and not begins

    def _take_up(self, found: checkpoints.Checkpoint) -> None:
        self.meter = Meter(**found.state["meter"])
        names = [stage.name for stage in self.stages]
        model, ema = self.model.state_dict(), self.average.model.state_dict()
        try:
            self._begin_stage(names.index(found.state["stage"]))
            self.model.load_state_dict(self.workers.place(found.tensors["model"], model))
            self.average.model.load_state_dict(self.workers.place(found.tensors["ema"], ema))
            if self.best is not None:
                best = self.workers.place(found.tensors["best"], self.best.model.state_dict())
                self.best.model.load_state_dict(best)
                self.best.restore(found.state["best"])
        except (RuntimeError, ValueError, CheckpointError) as error:
            raise CheckpointError(
                f"{self.directory / 'checkpoints'}: made by code with another model or other "
                "stages than the present one; --fresh computes the cell again"
            ) from error
        tensors = self.workers.place(found.tensors["optimizer"], self.optimizer.shapes())
        self.optimizer.restore(tensors)
        self._take_up_what_each_worker_had(found.state)
        self.shared_steps = found.state.get("shared_steps", 0)
        if self.trunk is not None and not self.trunk.is_kin(found.state):
            self.trunk = None  # what it would keep was begun by others
        self.resumed = found.state["resumed"]
        self.peak_memory = found.state["peak_memory_bytes"]
        if self.fraction >= 1:
            self.maker = Maker(**found.state["maker"])
        log.info("cell %s resumes at step %d", self.cell.key, self.meter.step)

    def _take_up_what_each_worker_had(self, state: Mapping[str, Any]) -> None:
        tables, parts = state["flops_by_workload"], state["row"]["parts"]
        if len(tables) != self.workers.count:
            # Of another number of workers only the sums are known: the first one holds them.
            union = {workload: flops for table in tables for workload, flops in table.items()}
            sums = {name: sum(part[name] for part in parts) for name in parts[0]}
            tables = [union] * self.workers.count
            parts = [sums] + [dict.fromkeys(sums, 0.0)] * (self.workers.count - 1)
        self.flops = FlopTable(dict(tables[self.workers.rank]))
        self._steps_in_row = state["row"]["steps"]
        for name, value in parts[self.workers.rank].items():
            self._parts[name] += value
