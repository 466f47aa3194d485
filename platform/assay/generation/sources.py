"""Two data sets for one network: what is learnt from a source, before the cell's own data or along.

Molecules and crystals share everything but what only crystals have: cells, and features of places
and pairs in them. Their elements are one vocabulary. With equal kinds, cells are seen in the
numbers of the cell's own data set.

Shapes: B systems.
"""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.errors import ConfigError
from assay.generation.data.crystals import CrystalBatch
from assay.generation.data.molecules import MoleculeBatch
from assay.generation.domain import DOMAINS, CrystalDomain, MoleculeDomain
from assay.generation.settings import SourceSettings
from assay.generation.space import JointSpace, Space
from assay.store import sets
from assay.store.shards import is_sharded
from assay.task import Batch, Records

_FIRST_ID = 1 << 40
"""Of the source's records: their draws are independent of those of the cell's own."""


@dataclass(frozen=True)
class SourceBatch:
    """A batch of the source."""

    inner: MoleculeBatch | CrystalBatch

    @property
    def record_ids(self) -> Tensor:
        """(B,) int64, different from all of the cell's own data."""
        return self.inner.record_ids + _FIRST_ID

    def __len__(self) -> int:
        """Return B."""
        return len(self.inner)

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""
        return replace(self, inner=self.inner.to(device))


class SourceRecords:
    """The training split of the source."""

    def __init__(self, records: Records) -> None:
        self._records = records

    @property
    def lengths(self) -> NDArray | None:
        """(len,) atoms of each record."""
        return self._records.lengths

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def batch(self, indices: NDArray) -> SourceBatch:
        """Return the records at `indices` (B,), in that order."""
        found: Any = self._records.batch(indices)
        return SourceBatch(found)


def source_domain(
    source: SourceSettings, target: MoleculeDomain | CrystalDomain, unit_angstrom: float
) -> MoleculeDomain | CrystalDomain:
    """Return the source's domain; it and the target's then share their types and cells.

    Raises:
        ConfigError: the source is the cell's own data set, lies in shards, or holds neither
            molecules nor crystals.
        DataError: it is not what the cell was made for.
    """
    if source.name == target.prepared.name:
        raise ConfigError(f"settings.source: {source.name} is the cell's own data set")
    if is_sharded(source.name):
        raise ConfigError(f"settings.source: {source.name}: name the whole set, without @")
    kind = sets.kind_of(source.name)
    if kind not in DOMAINS:
        raise ConfigError(f"settings.source: {source.name} holds neither molecules nor crystals")
    prepared = sets.prepare(source.name)
    sets.require_digest(prepared, source.digest)
    found = DOMAINS[kind](prepared, unit_angstrom)
    both = tuple(sorted({*target.own, *found.own}))
    for each in (target, found):
        each.widen(both)
    if isinstance(found, CrystalDomain) and isinstance(target, CrystalDomain):
        found.standardise_as(target)
    return found


def joint_space(
    target: MoleculeDomain | CrystalDomain, source: MoleculeDomain | CrystalDomain
) -> Space:
    """Return the space of a network that sees both data sets."""
    crystals = [each for each in (target, source) if isinstance(each, CrystalDomain)]
    return JointSpace(crystals[0].space) if len(crystals) == 1 else target.space


def shape_of(batch: Batch) -> Hashable:
    """Return what decides the FLOPs of a step on a batch: its kind and its padded shape."""
    inner: Any = batch.inner if isinstance(batch, SourceBatch) else batch
    return (type(inner).__name__, *inner.types_BN.shape)
