"""The training loop: stages, budget, average of weights, validation, checkpoints, one log row each.

`Training` runs a Task to the end of its budget. It carries on from the newest checkpoint that
verifies: N steps, a kill and N steps end bit for bit where 2N steps do (same machine, threads).
"""

import contextlib
import json
import logging
import math
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from assay.cell import Cell
from assay.config import Settings
from assay.errors import CheckpointError, MachineError, TrainingError
from assay.result import read_metrics, write_bytes
from assay.task import Batch, Splits, Stage, Task
from assay.training import checkpoint as checkpoints
from assay.training.draws import fold
from assay.training.ema import WeightAverage
from assay.training.meter import FlopTable, Meter
from assay.training.optimizer import (
    adamw,
    clip_gradients,
    optimizer_tensors,
    restore_optimizer,
)
from assay.training.order import BatchOrder
from assay.training.schedule import rate_factor

TICKS = 100
"""Rows of the log, evenly spread over the budget; checkpoints are taken at these points only."""
log = logging.getLogger(__name__)


class Execution(Settings):
    """How a cell is computed, not what: outside its key, recorded in its result."""

    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    accumulation: int = 1
    """Micro-batches a step; the draws and the mean loss do not depend on it."""
    compile: bool = False
    checkpoint_seconds: float = 60.0
    """Least time between checkpoints; the last step always has one."""


@dataclass(frozen=True)
class Row:
    """A row of the log: where training stands, and what was measured since the last row."""

    meter: Meter
    fraction: float
    metrics: Mapping[str, float]


class Training:
    """A Task being trained for one cell in one directory."""

    def __init__(
        self,
        task: Task,
        cell: Cell,
        data: Splits,
        execution: Execution,
        directory: Path,
        watch: Callable[[Row], None],
    ) -> None:
        self.task, self.cell, self.data, self.execution = task, cell, data, execution
        self.directory, self.watch = directory, watch
        self.device = require_device(execution.device)
        torch.set_num_threads(execution.threads)
        torch.manual_seed(fold(cell.seed, "model"))
        self.model = task.model(data).to(self.device)
        self.compiled = cast(nn.Module, torch.compile(self.model)) if execution.compile else None
        self.average = WeightAverage(self.model, cell.training.ema_decay)
        self.stages = tuple(task.stages())
        self.meter, self.flops, self.stage, self.resumed = Meter(), FlopTable(), 0, 0
        self.order = BatchOrder(
            len(data.train), cell.training.batch_size, cell.seed, data.train.lengths
        )
        self._parts: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=self.device))
        self._steps_in_row = 0
        self._begin_stage(0)
        self._resume()

    @property
    def parameters(self) -> int:
        """Number of parameters of the model."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def fraction(self) -> float:
        """Fraction of the budget that is spent."""
        return self.meter.spent(self.cell.budget)

    def run(self) -> nn.Module:
        """Train to the end of the budget; return the averaged model, ready to be evaluated.

        Raises:
            TrainingError: the loss, its gradient or a figure is not finite; names it and the step.
            MachineError: a checkpoint could not be written.
        """
        saved, saved_at = self.meter.step, time.monotonic()
        tick = self._tick()
        while self.fraction < 1:
            self._enter_stage_of(self.fraction)
            self._step()
            if self._tick() == tick and self.fraction < 1:
                continue
            self._write_row(validate=self._validation_is_due(tick))
            tick = self._tick()
            late = time.monotonic() - saved_at >= self.execution.checkpoint_seconds
            if late or self.fraction >= 1:
                self._save()
                saved, saved_at = self.meter.step, time.monotonic()
        if saved != self.meter.step:
            self._save()
        return self.average.model

    def _step(self) -> None:
        started = time.monotonic()
        step, stage = self.meter.step, self.stages[self.stage]
        indices = self.order.indices(step)
        torch.manual_seed(fold(self.cell.seed, "step", step))
        begin = sum(s.share for s in self.stages[: self.stage])
        spent = (self.fraction - begin) / stage.share
        for group in self.optimizer.param_groups:
            group["lr"] = self.cell.training.learning_rate * rate_factor(self.cell.training, spent)
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        for part in torch.as_tensor(indices).tensor_split(self.execution.accumulation):
            if len(part):
                batch = self.data.train.batch(part.numpy()).to(self.device)
                total += self._backward(batch, stage, step, share=len(part) / len(indices))
        norm = clip_gradients(self.model, self.cell.training.gradient_clip)
        self._require_finite(total, norm)
        self.optimizer.step()
        self.meter.step += 1
        self.average.update(self.model, self.meter.step)
        self._parts["gradient_norm"] += norm.detach()
        self._steps_in_row += 1
        self.meter.samples += len(indices)
        self.meter.seconds += time.monotonic() - started

    def _backward(self, batch: Batch, stage: Stage, step: int, share: float) -> Tensor:
        workload = self.task.workload(batch, step)
        measured = repr(workload) in self.flops.flops
        model = self.compiled if self.compiled is not None and measured else self.model

        def compute() -> Tensor:
            with self._precision():
                loss = self.task.loss(model, batch, stage, step)
            (loss.total * share).backward()
            self._parts["loss"] += loss.total.detach() * share
            for name, value in loss.parts.items():
                self._parts[name] += value.detach() * share
            return loss.total.detach() * share

        total, flops = self.flops.run(workload, compute)
        self.meter.flops += flops
        return total

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self.cell.training.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def _require_finite(self, total: Tensor, norm: Tensor) -> None:
        if math.isfinite(float(total)) and math.isfinite(float(norm)):
            return
        raise TrainingError(
            f"cell {self.cell.key} ({self.cell.label}): loss {float(total)}, gradient norm "
            f"{float(norm)} at step {self.meter.step}: not finite; lower training.learning_rate "
            "or use training.precision=fp32"
        )

    def _begin_stage(self, index: int) -> None:
        self.stage = index
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(self.stages[index].trainable(name))
        self.optimizer = adamw(self.model.named_parameters(), self.cell.training)

    def _enter_stage_of(self, fraction: float) -> None:
        end = sum(stage.share for stage in self.stages[: self.stage + 1])
        if fraction >= end - 1e-9 and self.stage + 1 < len(self.stages):
            self._begin_stage(self.stage + 1)

    def _tick(self) -> int:
        return math.floor(self.fraction * TICKS + 1e-9)

    def _validation_is_due(self, last_tick: int) -> bool:
        count = self.cell.training.validations
        return self._tick() * count // TICKS > last_tick * count // TICKS

    def _write_row(self, validate: bool) -> None:
        row = {f"train/{name}": float(v) / self._steps_in_row for name, v in self._parts.items()}
        self._parts.clear()
        self._steps_in_row = 0
        if validate:
            stage = self.stages[self.stage]
            with torch.no_grad(), self._precision():
                figures = self.task.validate(self.average.model, self.data, stage)
            row |= {f"val/{name}": value for name, value in figures.items()}
        wild = [name for name, value in row.items() if not math.isfinite(value)]
        if wild:
            raise TrainingError(
                f"cell {self.cell.key} ({self.cell.label}): {wild[0]} is {row[wild[0]]} at step "
                f"{self.meter.step}: not finite; lower training.learning_rate"
            )
        line = json.dumps({**asdict(self.meter), **row}, allow_nan=False)
        with (self.directory / "metrics.jsonl").open("a") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.watch(Row(replace(self.meter), min(self.fraction, 1.0), row))

    def _save(self) -> None:
        tensors = {
            "model": self.model.state_dict(),
            "ema": self.average.model.state_dict(),
            "optimizer": optimizer_tensors(self.optimizer, self.model),
        }
        state = {
            "cell_key": self.cell.key,
            "cell": self.cell.model_dump(mode="json"),
            "stage": self.stages[self.stage].name,
            "meter": asdict(self.meter),
            "flops_by_workload": self.flops.flops,
            "resumed": self.resumed,
            "rng": {"kind": "counter-based", "seed": self.cell.seed, "next_step": self.meter.step},
        }
        root = self.directory / "checkpoints"
        checkpoints.save(root, self.meter.step, checkpoints.Checkpoint(tensors, state))

    def _resume(self) -> None:
        found = checkpoints.load_newest(self.directory / "checkpoints", self.cell.key)
        self._drop_rows_after(found.state["meter"]["step"] if found else 0)
        if found is None:
            return
        self.meter = Meter(**found.state["meter"])
        names = [stage.name for stage in self.stages]
        try:
            self._begin_stage(names.index(found.state["stage"]))
            self.model.load_state_dict(found.tensors["model"])
            self.average.model.load_state_dict(found.tensors["ema"])
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"{self.directory / 'checkpoints'}: made by code with another model or other "
                "stages than the present one; --fresh computes the cell again"
            ) from error
        restore_optimizer(self.optimizer, self.model, found.tensors["optimizer"])
        self.flops = FlopTable(found.state["flops_by_workload"])
        self.resumed = found.state["resumed"] + (self.fraction < 1)
        log.info("cell %s resumes at step %d", self.cell.key, self.meter.step)

    def _drop_rows_after(self, step: int) -> None:
        path = self.directory / "metrics.jsonl"
        rows = read_metrics(path) if path.exists() else []
        kept = [json.dumps(row) + "\n" for row in rows if row["step"] <= step]
        write_bytes(path, "".join(kept).encode())


def require_device(name: Literal["cpu", "cuda"]) -> torch.device:
    """Return the device.

    Raises:
        MachineError: CUDA is asked for and not there; there is no fall-back to the CPU.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise MachineError("device cuda: no CUDA device is available here; use device cpu")
    return torch.device(name)
