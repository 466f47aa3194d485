"""A family small enough to train in milliseconds, for the tests of the loop."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from assay.cell import Budget, Cell, TrainingSettings
from assay.config import Settings, validate
from assay.task import Batch, Estimate, Loss, Progress, Splits, Stage
from assay.training.draws import Draws


@dataclass(frozen=True)
class Points:
    record_ids: Tensor
    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.record_ids)

    def to(self, device: torch.device) -> Self:
        return self


@dataclass(frozen=True)
class Line:
    n: int
    lengths: np.ndarray | None = None

    def __len__(self) -> int:
        return self.n

    def batch(self, indices: np.ndarray) -> Points:
        ids = torch.as_tensor(indices, dtype=torch.int64)
        x = torch.stack([ids / self.n, (ids % 7) / 7], dim=1).float()
        return Points(ids, x, (2 * x[:, :1] - x[:, 1:] + 0.5))


class ToySettings(Settings):
    width: int = 8
    poison_at: int | None = None
    memory: int | None = None
    """Records of a micro-batch that fit."""


class ToyTask:
    """A regression with noisy inputs whose noise is counter-based."""

    protocol: ClassVar[str] = "toy 1"
    chosen_by: ClassVar[tuple[str, str]] = ("loss", "lower")

    @classmethod
    def protocol_of(cls, cell):
        return cls.protocol

    def __init__(self, cell: Cell) -> None:
        self.cell = cell

    @classmethod
    def settings(cls, variant: Mapping[str, str], given: Mapping[str, Any]) -> ToySettings:
        return validate(ToySettings, dict(given), "settings")

    def stages(self) -> Sequence[Stage]:
        if self.cell.variant["model"] == "freezing":
            head = Stage("head", 0.5, lambda name: name.startswith("2."))
            return (Stage("all", 0.5), head)
        if self.cell.variant["model"] == "staged":
            head = Stage("head", 0.5, lambda name: name.startswith("2."))
            return (head, Stage("all", 0.5))
        return (Stage("train"),)

    def data(self) -> Splits:
        return Splits(Line(256), Line(64), Line(64), "a line")

    def model(self, data: Splits) -> nn.Module:
        width = self.cell.settings.width
        if self.cell.variant["model"] == "deep":
            inner = [nn.Linear(width, width), nn.Tanh()]
            return nn.Sequential(nn.Linear(2, width), nn.Tanh(), *inner, nn.Linear(width, 1))
        return nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, 1))

    def workload(self, batch: Batch, step: int) -> Hashable:
        return len(batch)

    def loss(self, model: nn.Module, batch: Points, stage: Stage, step: int) -> Loss:
        noise = Draws(self.cell.seed, step, batch.record_ids).normal("x", 2)
        error = (model(batch.x + 0.01 * noise) - batch.y).square().mean()
        if self.cell.settings.poison_at == step:
            error = error * float("nan")
        if self.cell.settings.memory is not None and len(batch) > self.cell.settings.memory:
            raise torch.OutOfMemoryError("Tried to allocate 2.00 GiB")
        return Loss(error, {"squared": error})

    def validate(self, model: nn.Module, data: Splits, stage: Stage) -> dict[str, float]:
        batch = data.validation.batch(np.arange(64))
        return {"loss": float((model(batch.x) - batch.y).square().mean())}

    def evaluate(self, model: nn.Module, data: Splits, progress: Progress) -> dict[str, Estimate]:
        progress("test", 1.0)
        value = self.validate(model, data, Stage("train"))["loss"]
        estimate = Estimate(value=value, low=value, high=value, n=64, version="1", better="lower")
        return {"toy/mse": estimate}

    def evaluation_passes(self) -> int:
        return 64

    def reference(self, data: Splits) -> dict[str, Estimate]:
        return {}

    def artifacts(self, model: nn.Module, data: Splits, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "note.txt").write_text("toy")


def toy_cell(
    variant: str = "plain",
    seed: int = 0,
    budget: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Cell:
    """A cell of the toy family; the test that uses it registers the family (fixture `toy`)."""
    amount = Budget(**(budget or {"steps": 40}))
    return Cell.model_validate(
        {
            "family": "toy",
            "variant": {"model": variant},
            "data": {"name": "line", "digest": "0" * 16},
            "seed": seed,
            "budget": amount.model_dump(exclude_none=True),
            "hardware": {"device": "cpu", "threads": 1} if amount.unit == "seconds" else None,
            "training": TrainingSettings(**{"batch_size": 16, **(training or {})}).model_dump(),
            "settings": dict(settings or {}),
        }
    )
