"""What a generator of captions is: all that the task, the loop and the evaluation ask of it.

A generator is made of its settings, a seed and the captions that it may learn from. It says what
is trained in which stage, makes records into batches, and writes a caption for each molecule. One
that learns nothing has no stages, and a model without parameters.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveInt, model_validator
from torch import nn

from assay.captioning.data.captions import batches_of
from assay.captioning.decoding import Decoding
from assay.config import Settings
from assay.task import Batch, Estimate, Loss, Progress, Records, Stage
from assay.training.draws import fold


class GeneratorSettings(Settings):
    """Of any generator."""

    of_evaluation: ClassVar[frozenset[str]] = frozenset()
    """Fields that training does not depend on."""


class LearningSettings(GeneratorSettings):
    """Of a generator that learns."""

    of_evaluation: ClassVar[frozenset[str]] = frozenset({"graphs"})

    graphs: Literal["given", "shuffled"] = "given"
    """What captions are written of: each molecule's own graph or, as a control, that of another
    one (`others`). What a model scores with the graphs of others it does not owe to them."""
    validation_molecules: PositiveInt = 256
    """The first so many of the validation split, for its loss."""


class TrainedSettings(LearningSettings):
    """Of a generator that learns to write."""

    of_evaluation: ClassVar[frozenset[str]] = frozenset({"graphs", "decoding"})

    decoding: Decoding = Decoding()
    neighbours: NonNegativeInt = 0
    """The captions of so many nearest training molecules are shown beside the molecule."""
    neighbour_tokens: PositiveInt = 96
    """Of each of them; a longer one is cut."""

    @model_validator(mode="after")
    def _tokens_of_neighbours(self) -> Self:
        default = type(self).model_fields["neighbour_tokens"].default
        if not self.neighbours and self.neighbour_tokens != default:
            raise ValueError("neighbour_tokens belong to neighbours, of which there are none")
        return self


@dataclass(frozen=True)
class Corpus:
    """The training records that a cell uses: molecules and their captions, in one order."""

    smiles: list[str]
    captions: list[str]
    ids: Sequence[int] = ()
    """Of the records, by which they are known in their split."""
    numbers: Sequence[int] = ()
    """Of the records in the data set's own numbering."""

    @classmethod
    def of(cls, records: Records) -> Self:
        """Return that of records of `CaptionBatch`es."""
        found = batches_of(records)
        return cls(
            [smiles for batch in found for smiles in batch.smiles],
            [caption for batch in found for caption in batch.captions],
            [each for batch in found for each in batch.record_ids.tolist()],
            [number for batch in found for number in batch.numbers],
        )

    def where(self, chosen: Sequence[bool]) -> Self:
        """Return a part of it, in the same order."""
        return type(self)(
            list(compress(self.smiles, chosen)),
            list(compress(self.captions, chosen)),
            list(compress(self.ids, chosen)),
            list(compress(self.numbers, chosen)),
        )

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.captions)


class Generator(Protocol):
    """A way of describing molecules. A generator derives from this class."""

    Settings: ClassVar[type[GeneratorSettings]]
    protocol: ClassVar[str] = ""
    """Name and version of what `estimates` returns, if anything."""

    def __init__(self, settings: Any, seed: int, corpus: Corpus) -> None:
        """Set up a generator; what it draws is a function of the cell's seed.

        Args:
            settings: An instance of `Settings`.
            seed: Of the cell.
            corpus: What may be learned from, a tokenizer included.
        """
        ...

    def records(self, records: Records) -> Records:
        """Return a split, whose batches are `CaptionBatch`es, with batches as the model takes them.

        Texts are tokenised once, and `lengths` are those that decide the cost of a record.
        """
        ...

    def model(self) -> nn.Module:
        """Return a freshly initialised model; the loop has seeded torch's generator."""
        ...

    def stages(self, train: Records) -> Sequence[Stage]:
        """Return the stages, whose shares sum to 1; none where nothing is learned.

        Args:
            train: What is trained on, as `records` has made it; `model` has been called, or will
                be before its first batch is read.
        """
        ...

    def workload(self, batch: Batch, step: int) -> Hashable:
        """Return what decides a step's FLOPs, coarsely enough to come again."""
        ...

    def loss(self, model: nn.Module, batch: Batch, stage: Stage, step: int) -> Loss:
        """Return the mean over the batch of a loss of each record, by a call of `model`.

        A mean over tokens would depend on how a step is cut into micro-batches.
        """
        ...

    def validate(self, model: nn.Module, records: Records, stage: Stage) -> dict[str, float]:
        """Return `loss`, the stage's, and its parts on some records of the validation split."""
        ...

    def captions(
        self,
        model: nn.Module,
        records: Records,
        indices: NDArray[np.integer],
        progress: Progress,
    ) -> list[str]:
        """Return a caption for each record at `indices`; an empty one where there is none.

        Draws are functions of the seed and the record, never of its neighbours in a batch. Where
        `settings.graphs` is shuffled, the graph at place i is that of `indices[others(...)[i]]`.
        """
        ...

    def ceilings(
        self,
        model: nn.Module,
        records: Records,
        indices: NDArray[np.integer],
        progress: Progress,
    ) -> Mapping[str, list[str]]:
        """Return, by name, what parts of the model write of the same records given more.

        They are scored under `<name>/<protocol>/<metric>`, beside the captions. None by default.
        """
        return {}

    def estimates(
        self,
        model: nn.Module,
        records: Records,
        indices: NDArray[np.integer],
        progress: Progress,
    ) -> Mapping[str, Estimate]:
        """Return what is measured of the model beside its captions, under `protocol/metric`.

        None by default.
        """
        return {}

    def passes(self) -> float:
        """Return what a caption and its ceilings cost, in losses of one record without gradient."""
        return 0.0

    def note(self, records: Records) -> str:
        """Return what a person should know of training records that were made, or nothing."""
        return ""


def mean_losses(
    loss: Callable[[Any], Loss],
    records: Records,
    parts: Sequence[NDArray[np.integer]],
    device: torch.device,
) -> dict[str, float]:
    """Return `loss` and its parts, means over the records that are read `parts` at a time."""
    count, totals = sum(map(len, parts)), dict[str, float]()
    for part in parts:
        with torch.no_grad():
            found = loss(records.batch(part).to(device))
        for name, value in {"loss": found.total, **found.parts}.items():
            totals[name] = totals.get(name, 0.0) + float(value) * len(part) / count
    return totals


def others(count: int) -> NDArray[np.int64]:
    """Return (count,) places, none its own: one cycle through all, in a fixed random order.

    One alone has no other, and stays.
    """
    random = np.random.Generator(np.random.Philox(key=fold(0, "graphs of others")))
    order = random.permutation(count)
    found = np.empty(count, np.int64)
    found[order] = np.roll(order, 1)
    return found
