"""The contract of a family: what the loop, the cluster and the report ask of it, and no more.

A family is one class that implements `Task`; `assay.catalog` names it. Randomness of training
is a function of (seed, step, record id), see `assay.training.draws`, so that one worker, two
workers, a resumed run and a halved micro-batch see the same draws.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

from pydantic import Field

from assay.config import Settings

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn

    from assay.cell import Cell


class Estimate(Settings):
    """A measured number with what makes it trustworthy; a metric is never a bare float.

    The interval is 95 %. `n` counts the units that were sampled (molecules, pairs, seeds).
    """

    value: float
    low: float
    high: float
    n: int = Field(ge=0)
    version: str
    better: Literal["higher", "lower"]


class Batch(Protocol):
    """What a data set hands to the model: tensors that move together."""

    @property
    def record_ids(self) -> "torch.Tensor":
        """(B,) int64: stable identity of each record, the counter of its random draws."""
        ...

    def __len__(self) -> int:
        """Return the number of records."""
        ...

    def to(self, device: "torch.device") -> Self:
        """Return the batch on `device`."""
        ...


class Records(Protocol):
    """A split: records that are read by index, many at a time."""

    @property
    def lengths(self) -> "np.ndarray | None":
        """(len,) size of each record, to form batches of like sizes; None if all are alike."""
        ...

    def __len__(self) -> int:
        """Return the number of records."""
        ...

    def batch(self, indices: "np.ndarray") -> Batch:
        """Return the records at `indices` (B,) as one batch, in that order."""
        ...


@dataclass(frozen=True)
class Splits:
    """The three splits of a data set; `description` says what they hold, in one line."""

    train: Records
    validation: Records
    test: Records
    description: str


@dataclass(frozen=True)
class Stage:
    """A part of training: which parameters learn, and for what share of the budget."""

    name: str
    share: float = 1.0
    trainable: Callable[[str], bool] = field(default=lambda name: True)
    """Of a parameter's name: does it learn in this stage?"""
    records: Records | None = None
    """What is trained on; None is the training split."""
    opens: Callable[["nn.Module"], None] = field(default=lambda model: None)
    """Called with the model that is trained when training has come to the stage, before its first
    step; it may refuse to go on. A plan, which tries steps of each stage, does not call it."""


@dataclass(frozen=True)
class Loss:
    """The scalar that is minimised (mean over the batch) and its named parts, for the log."""

    total: "torch.Tensor"
    parts: Mapping[str, "torch.Tensor"]


Progress = Callable[[str, float], None]
"""`progress(phase, fraction)`: how far evaluation has come, for whoever watches."""


class Task(Protocol):
    """One family, set up for one cell."""

    reference_name: ClassVar[str] = "real data"
    """What `reference` scores, as reports call it."""
    chosen_by: ClassVar[tuple[str, Literal["higher", "lower"]]] = ("loss", "lower")
    """The figure of `validate` that chooses weights where training.weights is best."""

    def __init__(self, cell: "Cell") -> None: ...

    @classmethod
    def reference_split(cls, cell: Mapping[str, Any]) -> str:
        """Return the split that `reference` scores; a cell is given as plain JSON."""
        return "test"

    @classmethod
    def reference_records(cls, cell: Mapping[str, Any]) -> int | None:
        """Return how many records `reference` scores at most; None is all of the split.

        A protocol that compares with the test split scores another, of which as many records as a
        cell has samples.
        """
        return None

    @classmethod
    def reference_settings(cls, cell: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the settings by name that `reference` follows from, beside data and protocol."""
        return {}

    @classmethod
    def protocol_of(cls, cell: Mapping[str, Any]) -> str:
        """Return name and version of the protocol that evaluates a cell, given as plain JSON.

        A change makes results be evaluated again.
        """
        ...

    @classmethod
    def settings(cls, variant: Mapping[str, str], given: Mapping[str, Any]) -> Settings:
        """Validate the family's own part of a cell, with every default filled in."""
        ...

    @classmethod
    def of_evaluation(cls, variant: Mapping[str, str]) -> frozenset[str]:
        """Return the dotted keys of a cell that its training does not depend on."""
        return frozenset()

    def stages(self) -> Sequence[Stage]:
        """Return the stages of training, in order; their shares sum to 1.

        A heuristic, which learns nothing, has none, and spends nothing of its budget.
        """
        ...

    def data(self) -> Splits:
        """Return the splits; deterministic given (digest, seed)."""
        ...

    def model(self, data: Splits) -> "nn.Module":
        """Return a freshly initialised model; deterministic given the seed."""
        ...

    def workload(self, batch: Batch, step: int) -> Hashable:
        """Return what decides a step's FLOPs in a stage; there the loop measures each once."""
        ...

    def loss(self, model: "nn.Module", batch: Batch, stage: Stage, step: int) -> Loss:
        """Return the training loss of a batch."""
        ...

    def validate(self, model: "nn.Module", data: Splits, stage: Stage) -> dict[str, float]:
        """Return cheap figures on the validation split, during training."""
        ...

    def evaluate(self, model: "nn.Module", data: Splits, progress: Progress) -> dict[str, Estimate]:
        """Return the protocol's estimates under `protocol/metric`, after training."""
        ...

    def evaluation_passes(self) -> float:
        """Return the cost of `evaluate` in losses of one record without gradient, to plan it."""
        ...

    def reference(self, data: Splits) -> dict[str, Estimate]:
        """Return what models are held against, scored by the same code.

        The data's own row, a ceiling: real held-out data. Where data cannot be scored, a floor:
        a heuristic that learns nothing.
        """
        ...

    def artifacts(self, model: "nn.Module", data: Splits, directory: Path) -> None:
        """Write what a person looks at (samples, figures) into `directory`; after `evaluate`."""
        ...
