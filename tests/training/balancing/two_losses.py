"""A family of two losses that pull a shared layer apart, for tests of balancing within the loop."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assay import catalog
from assay.cell import Cell
from assay.config import Settings, validate
from assay.task import Loss
from assay.training.balancing.catalog import Balancing, balance_of
from assay.training.execution import Execution
from assay.training.loop import Training
from assay.training.parallel import ALONE, DistributedWorkers, Sharding, Workers
from tests.training.toy import ToyTask

SETTINGS: dict[str, dict[str, Any]] = {
    "fixed": {},
    "equal": {},
    "single": {"loss": "far"},
    "random": {},
    "curriculum": {"ramps": {"far": {"begin": 2, "end": 12}}},
    "initial_scale": {},
    "uncertainty": {},
    "dwa": {"window": 3},
    "plateau": {"smoothing": 0.5, "patience": 2, "threshold": 0.2},
    "famo": {"rate": 0.3},
    "pcgrad": {},
}
"""Of every method, so that its weights move within a few steps."""


class TwoSettings(Settings):
    balancing: Balancing
    weights: dict[str, float] = {"near": 1.0, "far": 0.1}


class TwoLosses(nn.Module):
    def __init__(self, settings: TwoSettings, seed: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(2, 8), nn.Tanh())
        self.heads = nn.ModuleDict({name: nn.Linear(8, 1) for name in settings.weights})
        self.balance = balance_of(settings.balancing, settings.weights, seed)

    def forward(self, x: Tensor, y: Tensor, step: int | None):
        inner = self.trunk(x)
        losses = {
            "near": (self.heads["near"](inner) - y).square().mean(),
            "far": 30 * (self.heads["far"](inner) + y.square()).square().mean(),
        }
        total, weights = self.balance(losses, list(self.trunk.parameters()), step, len(x))
        return total, losses, weights


class TwoTask(ToyTask):
    @classmethod
    def settings(cls, variant, given):
        return validate(TwoSettings, dict(given), "settings")

    def model(self, data):
        return TwoLosses(self.cell.settings, self.cell.seed)

    def loss(self, model, batch, stage, step):
        total, losses, weights = model(batch.x, batch.y, step)
        return Loss(total, losses | {f"weight_{name}": w for name, w in weights.items()})

    def validate(self, model, data, stage):
        batch = data.validation.batch(torch.arange(64).numpy())
        return {"loss": model(batch.x, batch.y, None)[0].item()}


def train(
    directory: Path,
    method: str,
    execution: Execution | None = None,
    workers: Workers = ALONE,
    until: float = 1.0,
) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
    """Train for 20 steps; return the model's state and every row of the log."""
    catalog.FAMILIES["two"] = "tests.training.balancing.two_losses:TwoTask"  # type: ignore[index]
    cell = Cell.model_validate(
        {
            "family": "two", "variant": {"model": "plain"}, "seed": 0, "budget": {"steps": 20},
            "data": {"name": "line", "digest": "0" * 16},
            "training": {"batch_size": 16, "learning_rate": 0.02},
            "settings": {"balancing": {"method": method, **SETTINGS[method]}},
        }
    )  # fmt: skip
    directory.mkdir(parents=True, exist_ok=True)
    task, rows = TwoTask(cell), []
    execution = execution or Execution(checkpoint_seconds=1e9)
    training = Training(
        task, cell, task.data(), execution, directory, lambda row: rows.append(dict(row.metrics)),
        workers,
    )  # fmt: skip
    training.run(until)
    return training.model.state_dict(), rows


def train_together(
    directory: str, methods: list[str], until: float = 1.0, sharding: Sharding = "ddp"
) -> list[list[dict[str, float]]]:
    """What each of several workers does."""
    workers, found = DistributedWorkers(sharding, "cpu"), []
    for method in methods:
        execution = Execution(checkpoint_seconds=1e9, workers=workers.count, sharding=sharding)
        found.append(train(Path(directory) / method, method, execution, workers, until)[1])
    return found
