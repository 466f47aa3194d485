"""Conditions: what a network is told of a system, how samples insist on it, how they are judged.

In training a share of the examples is left open, so that one network knows both the conditioned
and the open law; samples may then exaggerate what the conditions change (classifier-free guidance,
Ho and Salimans, 2022).

Shapes: B systems of a batch, R records of the data set, M samples, C numbers of all properties.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay import catalog
from assay.chemistry.crystals import Crystals
from assay.chemistry.molecules import Molecules
from assay.errors import ConfigError
from assay.generation.catalog import PROPERTIES
from assay.generation.denoiser import Atoms, Conditions, Denoiser, Prediction
from assay.generation.domain import Domain, whole
from assay.generation.metrics.protocol import LEAST, mean_of
from assay.generation.properties.data_set import SOURCE, DataSetLabel
from assay.generation.properties.property import Property
from assay.generation.settings import ConditionSettings
from assay.store.sets import Prepared, kind_of
from assay.task import Estimate
from assay.training.draws import Draws


@dataclass(frozen=True)
class Asking:
    """A denoiser together with what is asked of it, as processes see it."""

    denoiser: Denoiser
    conditions: Conditions | None
    guidance: float = 1.0

    def __call__(self, atoms: Atoms, time_B: Tensor, previous: Prediction | None) -> Prediction:
        """Return the raw outputs, at the guidance that is asked for."""
        asked = self.denoiser(atoms, time_B, previous, self.conditions)
        if self.conditions is None or self.guidance == 1:
            return asked
        open_ = self.denoiser(atoms, time_B, previous, None)
        outputs = {each.name: getattr(asked, each.name) for each in fields(asked)}
        guided = {
            name: torch.lerp(getattr(open_, name), output, self.guidance)
            for name, output in outputs.items()
            if output is not None
        }
        return replace(asked, **guided)


class Conditioning:
    """The properties of a cell, on its data set."""

    def __init__(self, settings: ConditionSettings, domain: Domain[Any]) -> None:
        """Read what networks are told of every record.

        Raises:
            ConfigError: the data set lies in shards, or does not tell a property.
        """
        self.settings = settings
        packed = whole(domain.prepared)
        self.properties = [_property(name, packed, domain) for name in settings.properties]
        self.held_out = np.unique(np.concatenate([each.held_out for each in self.properties]))
        """Training records that networks must not learn from."""
        columns = [each.asked() for each in self.properties]
        self.widths = [column.shape[1] for column in columns]
        self._asked_RC = np.concatenate(columns, axis=1)
        train_RC = self._asked_RC[np.setdiff1d(packed.split_indices("train"), self.held_out)]
        least_C = np.repeat([each.least_spread for each in self.properties], self.widths)
        if np.isnan(train_RC).all(0).any():
            raise ConfigError(
                f"{packed.name}: {', '.join(settings.properties)}: known of no training record"
            )
        alike_C = np.repeat([each.standardised for each in self.properties], self.widths)
        mean_C = np.where(alike_C, np.nanmean(train_RC, axis=0), 0.0)
        spread_C = np.where(alike_C, np.nanstd(train_RC, axis=0).clip(min=least_C), 1.0)
        self._table = _conditions((self._asked_RC - mean_C) / spread_C)

    @property
    def count(self) -> int:
        """C."""
        return sum(self.widths)

    def of(self, records_B: Tensor) -> Conditions:
        """Return what is known of records (B,), on their device."""
        self._table = self._table.to(records_B.device)
        return self._table.at(records_B)

    def of_source(self, count: int) -> Conditions:
        """Return what is known of that many records of another data set: that they are of it."""
        labels = [isinstance(each, DataSetLabel) for each in self.properties]
        known_C = torch.from_numpy(np.repeat(labels, self.widths))
        return Conditions(SOURCE * known_C.float().repeat(count, 1), known_C.repeat(count, 1))

    def dropped(self, conditions: Conditions, draws: Draws) -> Conditions:
        """Return conditions of which a share is left open."""
        return conditions.dropped(draws.uniform("conditions") >= self.settings.dropout)

    def known(self, records: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return of which records every property is known."""
        return np.isfinite(self._asked_RC[records].sum(axis=1))

    def judge(
        self,
        samples: Molecules | Crystals,
        records_M: NDArray[np.int64],
        seed: int,
        suffix: str = "",
    ) -> dict[str, Estimate]:
        """Return each property's mean absolute error against what was asked for.

        Of several numbers, such as a composition's, the errors are added up. A sample without the
        property is left out: `n` says of how many the mean is.

        Args:
            samples: M.
            records_M: of which sample m was asked to have the properties.
            seed: of the resampling.
            suffix: of the names `conditions/<property>_mae`.
        """
        asked = np.split(self._asked_RC[records_M], np.cumsum(self.widths)[:-1], axis=1)
        found = {}
        for each, asked_MX in zip(self.properties, asked, strict=True):
            errors_M = np.abs(each.of(cast(Any, samples)) - asked_MX).sum(1)
            errors = errors_M[np.isfinite(errors_M)]
            if len(errors) >= LEAST:
                found[f"conditions/{each.name}_mae{suffix}"] = mean_of(
                    errors, each.version, "lower", seed
                )
        return found

    def controls(
        self,
        asked: Molecules | Crystals,
        unconditional: Molecules | Crystals,
        records_M: NDArray[np.int64],
        seed: int,
    ) -> dict[str, Estimate]:
        """Return the errors of samples, and those that tell nothing had been learnt.

        `_unconditional`: of samples of the same sizes of which nothing was asked; `_shuffled`: of
        the conditioned samples against what another of the same number of atoms was asked for.
        """
        paired, others = shuffled_alike(asked.n_atoms, seed)
        return {
            **self.judge(asked, records_M, seed),
            **self.judge(unconditional, records_M, seed, "_unconditional"),
            **self.judge(asked.select(paired), records_M[others], seed, "_shuffled"),
        }


def shuffled_alike(
    sizes_M: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of different places among M that have equal sizes, each place at most once.

    Only the one of its size has no partner.
    """
    random = np.random.default_rng(seed)
    groups = [random.permutation(np.flatnonzero(sizes_M == n)) for n in np.unique(sizes_M)]
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        nobody = np.zeros(0, dtype=np.int64)
        return nobody, nobody
    return np.concatenate(groups), np.concatenate([np.roll(group, 1) for group in groups])


def versions(names: Sequence[str]) -> str:
    """Return names and versions of properties, as a protocol is named."""
    found = [catalog.load(PROPERTIES[name]) for name in names]
    return ", ".join(f"{each.name} {each.version}" for each in found)


def _property(name: str, prepared: Prepared, domain: Domain[Any]) -> Property[Any]:
    kind, chosen = kind_of(prepared.name), catalog.load(PROPERTIES[name])
    if kind not in chosen.kinds:
        raise ConfigError(
            f"settings.conditions: {name} is a property of {' and '.join(chosen.kinds)}; "
            f"{prepared.name} holds {kind}"
        )
    return chosen(domain)


def _conditions(values_RC: NDArray[np.float64]) -> Conditions:
    known_RC = np.isfinite(values_RC)
    values = torch.from_numpy(np.where(known_RC, values_RC, 0.0).astype(np.float32))
    return Conditions(values, torch.from_numpy(known_RC))
