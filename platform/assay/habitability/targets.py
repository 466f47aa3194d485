"""What a state is asked for, and what the training planets are like on average.

Shapes: B planets, V variables, J latitudes, L longitudes, M months, W bins, K thresholds, P
parameters, H buckets of a description's sketch, C columns of a network's.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from assay.habitability import sketches
from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.data.modalities import MODALITIES, Modality
from assay.habitability.networks import networks_of
from assay.habitability.thresholds import reached
from assay.pathways.corpus import Corpus
from assay.task import Records

AT_ONCE = 256
"""Planets of one batch."""


def aims(batch: MultiModalBatch, corpus: Corpus) -> dict[Modality, Tensor]:
    """Return what stands for each modality where it is rebuilt: (B, …) float32.

    Itself; of a description and a network, which have no fixed size, a sketch.
    """
    return {
        "bio_graphs": sketches.composition(networks_of(batch, corpus)),
        "climate_cubes": batch.climate_cubes,
        "spectra": batch.spectra,
        "text_descriptions": sketches.grams(batch.input_ids, batch.attention_mask).float(),
        "planet_params": batch.planet_params,
    }


@dataclass(frozen=True)
class Averages:
    """Means over the training planets that have a thing; 0 where none has it."""

    reached_K: Tensor
    """Share that reaches each threshold, of one planet more than there are, by half."""
    liquid_water: Tensor
    """()."""
    environment_4: Tensor
    modalities: Mapping[Modality, Tensor]
    """Of `aims`."""
    spread_C: Tensor
    """Standard deviation of a network's sketch; 1 where it never varies."""

    @classmethod
    def of(cls, records: Records, corpus: Corpus) -> Self:
        """Return those of the records."""
        total = _Sums()
        for batch in in_batches(records):
            total.add("reached", reached(batch.habitability_label).float())
            total.add("liquid", batch.liquid_water_label)
            total.add("environment", batch.environment, batch.environment_known)
            for name, aim in aims(batch, corpus).items():
                total.add(name, aim, batch.has(name))
                if name == "bio_graphs":
                    total.add("squares", aim**2, batch.has(name))
        mean = total.mean
        spread_C = (mean("squares") - mean("bio_graphs") ** 2).clamp(min=0).sqrt()
        n = len(records)
        return cls(
            reached_K=(mean("reached") * n + 0.5) / (n + 1),
            liquid_water=mean("liquid"),
            environment_4=mean("environment"),
            modalities={name: mean(name) for name in MODALITIES},
            spread_C=torch.where(spread_C > 1e-4, spread_C, 1.0),
        )


class _Sums:
    """Sums and counts by name, in double precision."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, Tensor] = {}

    def add(self, name: str, values: Tensor, there: Tensor | None = None) -> None:
        """Add values (B, …) where they are there: bool, of the first axes of the values."""
        there = torch.ones(len(values), dtype=torch.bool) if there is None else there
        there = there.reshape(*there.shape, *[1] * (values.ndim - there.ndim))
        found = torch.where(there, values, 0).double().sum(0)
        self.sums[name] = self.sums.get(name, torch.zeros(())) + found
        self.counts[name] = self.counts.get(name, torch.zeros(())) + there.sum(0)

    def mean(self, name: str) -> Tensor:
        """Return the mean in single precision."""
        return (self.sums[name] / self.counts[name].clamp(min=1)).float()


def in_batches(
    records: Records, size: int = AT_ONCE, watch: Callable[[float], None] = lambda fraction: None
) -> Iterator[MultiModalBatch]:
    """Yield all records in their order."""
    for begin in range(0, len(records), size):
        watch(begin / len(records))
        batch = records.batch(np.arange(begin, min(begin + size, len(records))))
        assert isinstance(batch, MultiModalBatch)
        yield batch
