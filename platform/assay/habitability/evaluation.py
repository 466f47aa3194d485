"""Lets a model tell everything of a split, and judges it beside the training mean.

Shapes: N records, M modalities, X experts, K thresholds.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.data.modalities import Modality
from assay.habitability.data.target import HABITABLE
from assay.habitability.encoded import Encoded
from assay.habitability.heads import Told
from assay.habitability.losses import physics, reconstruction
from assay.habitability.metrics import habitability, modalities, told
from assay.habitability.metrics.units import Units
from assay.habitability.model import HabitabilityModel, Predictor
from assay.habitability.targets import aims, in_batches
from assay.habitability.thresholds import expected
from assay.pathways.corpus import Corpus
from assay.task import Estimate, Progress, Records


@dataclass(frozen=True)
class Answers:
    """What a model says of N records, and how wrong it is."""

    label_N: NDArray[np.float64]
    chance_NK: NDArray[np.float64]
    presence_NM: NDArray[np.bool_]
    imbalance_N: NDArray[np.float64]
    """W/m²."""
    errors: Mapping[str, NDArray[np.float64]]
    """(N,) under `auxiliary/…` and `reconstruction/…`; NaN of records that lack a thing."""
    encoded: Encoded

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return those of several sets of records; each has errors of the same things."""
        return cls(
            np.concatenate([part.label_N for part in parts]),
            np.concatenate([part.chance_NK for part in parts]),
            np.concatenate([part.presence_NM for part in parts]),
            np.concatenate([part.imbalance_N for part in parts]),
            {
                name: np.concatenate([part.errors[name] for part in parts])
                for name in parts[0].errors
            },
            Encoded.joined([part.encoded for part in parts]),
        )

    @property
    def expected_N(self) -> NDArray[np.float64]:
        """What habitability is expected to be."""
        return self.chance_NK.mean(1)

    @property
    def habitable_N(self) -> NDArray[np.float64]:
        """The chance of a half or more."""
        return self.chance_NK[:, HABITABLE]


@torch.no_grad()
def answers(
    model: Predictor,
    device: torch.device,
    records: Records,
    corpus: Corpus,
    spread_C: Tensor,
    watch: Callable[[float], None] = lambda fraction: None,
) -> Answers:
    """Ask a model for everything about the records.

    Args:
        model: Of planets, or a floor.
        device: Where it is.
        records: In whose order answers are.
        corpus: Of the networks.
        spread_C: By which a network's sketch is divided.
        watch: Told the fraction that is done.
    """
    columns: dict[str, list[Tensor]] = defaultdict(list)
    parts: list[Encoded] = []
    for batch in in_batches(records, watch=watch):
        batch = batch.to(device)
        parts.append(model.encode(batch))
        said = model.tell(parts[-1])
        columns["label"].append(batch.habitability_label)
        columns["chance"].append(said.habitability.chance_BK)
        columns["imbalance"].append(physics.imbalance_W_m2(said.modalities["climate_cubes"]))
        columns["presence"].append(batch.presence)
        for name, error_B in _errors(said, batch, corpus, spread_C.to(device)).items():
            columns[name].append(error_B)
    found = {name: torch.cat(each).cpu().double().numpy() for name, each in columns.items()}
    return Answers(
        label_N=found.pop("label"),
        chance_NK=found.pop("chance"),
        presence_NM=found.pop("presence").astype(bool),
        imbalance_N=found.pop("imbalance"),
        errors=found,
        encoded=Encoded.joined(parts),
    )


@torch.no_grad()
def told_by_experts(model: HabitabilityModel, records: Records) -> dict[str, float]:
    """Return `mae`, `r2` and `ece` of experts: each one's below `experts/<modality>`, and all's.

    Together they say the mean of the chances that those give whose modality a planet has, as an
    ensemble of the fusion `late` does; of a planet that has none of them all speak.
    """
    columns: dict[str, list[Tensor]] = defaultdict(list)
    for batch in in_batches(records):
        batch = batch.to(model.device)
        told = model.alone(batch)
        each = [said.habitability.chance_BK for said in told.values()]
        columns["expected"].append(torch.stack([expected(chance_BK) for chance_BK in each], 1))
        columns["chance"].append(torch.stack([chance_BK[:, HABITABLE] for chance_BK in each], 1))
        columns["there"].append(torch.stack([batch.has(name) for name in told], 1))
        columns["label"].append(batch.habitability_label)
    found = {name: torch.cat(values).cpu().double().numpy() for name, values in columns.items()}
    expected_NX, chance_NX, there_NX = (found[name] for name in ("expected", "chance", "there"))
    there_NX[~there_NX.any(1)] = 1
    share_NX = there_NX / there_NX.sum(1, keepdims=True)
    together = [(each_NX * share_NX).sum(1) for each_NX in (expected_NX, chance_NX)]
    figures = habitability.scores(found["label"], *together)
    for modality, *said in zip(model.experts, expected_NX.T, chance_NX.T, strict=True):
        own = habitability.scores(found["label"], *said)
        figures |= {f"experts/{modality}/{name}": value for name, value in own.items()}
    return figures


def judged(
    given: Answers,
    floor: Answers,
    units: Units,
    bistable_N: NDArray[np.bool_],
    seed: int,
) -> dict[str, Estimate]:
    """Return the estimates of what was told.

    Args:
        given: The model's answers.
        floor: Those of the training mean.
        units: Planets, in all their guises and with all their guests.
        bistable_N: Which records are of planets that are known to have two climates: judged apart,
            too.
        seed: Of resampling.
    """
    found = habitability.evaluate(given.label_N, given.expected_N, given.habitable_N, units, seed)
    found |= told.errors_beside(given.errors, floor.errors, units, seed)
    found |= told.imbalance(given.imbalance_N, units, seed)
    if bistable_N.any():
        label_n, expected_n, chance_n = (
            each[bistable_N] for each in (given.label_N, given.expected_N, given.habitable_N)
        )
        apart = habitability.evaluate(
            label_n, expected_n, chance_n, units.select(bistable_N), seed, "bistable"
        )
        found |= {name: apart[name] for name in ("bistable/mae", "bistable/ece")}
    return found


@torch.no_grad()
def controlled(
    model: Predictor,
    given: Answers,
    reads: tuple[Modality, ...],
    units: Units,
    seed: int,
    progress: Progress,
) -> modalities.Control:
    """Return how the model does without modalities, and with those of others."""
    encoded = given.encoded

    def expectation(seen: Encoded) -> NDArray[np.float64]:
        return expected(model.foretell(seen).chance_BK).cpu().double().numpy()

    def foretell(kept_M: NDArray[np.bool_]) -> NDArray[np.float64]:
        kept = torch.from_numpy(kept_M).to(encoded.presence_BM.device)
        return expectation(encoded.keeping(kept))

    def swapped(modality: int, lender_N: NDArray[np.int64]) -> NDArray[np.float64]:
        order = torch.from_numpy(lender_N).to(encoded.presence_BM.device)
        return expectation(encoded.swapped(modality, order))

    return modalities.control(
        foretell, swapped, reads, given.label_N, given.presence_NM, units, seed,
        lambda fraction: progress("modalities", fraction),
    )  # fmt: skip


def _errors(
    said: Told, batch: MultiModalBatch, corpus: Corpus, spread_C: Tensor
) -> dict[str, Tensor]:
    """Return (B,) errors, NaN where there is nothing to err about."""
    known_B4 = batch.environment_known
    off_B = (torch.square(said.environment_B4 - batch.environment) * known_B4).sum(1)
    found = {
        "auxiliary/liquid_water": torch.square(said.liquid_water_B - batch.liquid_water_label),
        "auxiliary/environment": off_B / known_B4.sum(1),  # 0 / 0 is NaN
    }
    rebuilt = reconstruction.errors(said.modalities, aims(batch, corpus), spread_C)
    for name, error_B in rebuilt.items():
        found[f"reconstruction/{name}"] = torch.where(batch.has(name), error_B, torch.nan)
    return found
