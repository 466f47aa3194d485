"""What a packed set of captions holds, and batches of it.

    smiles.npy, captions.npy uint8: UTF-8, one text after another
    smiles_offsets.npy, captions_offsets.npy (M + 1,) int64: where each begins
    ids.npy (M,) int64                          split.npy (M,) uint8
    and the graphs of the molecules, as `assay.captioning.graphs` has them

A record is a molecule with a text that describes it.

Shapes: M records, B records of a batch.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.captioning.graphs import GraphBatch, Graphs, pack_graphs, parse
from assay.errors import ConfigError, DataError
from assay.store.packed import SPLITS, PackedSet, Split
from assay.store.sets import Prepared, Watch
from assay.store.texts import Texts
from assay.task import Records, Splits

_AT_ONCE = 1024
_LISTED = 5
_WATCHED = 256
"""Molecules between two words on how far preparing has come."""


@dataclass(frozen=True)
class Pair:
    """A molecule and its caption as they were read."""

    id: int
    """Its number in the data set's own numbering."""
    smiles: str
    caption: str
    split: Split
    where: str
    """The file and the record, for errors."""


@dataclass(frozen=True)
class CaptionBatch:
    """B molecules with their captions."""

    record_ids: Tensor
    """(B,) int64: index into the packed set."""
    graphs: GraphBatch
    captions: tuple[str, ...]
    """(B,) texts."""
    smiles: tuple[str, ...]
    """(B,) as the source has them."""
    numbers: tuple[int, ...] = ()
    """(B,) in the data set's own numbering, where it has one."""

    def __len__(self) -> int:
        """Return B."""
        return len(self.record_ids)

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""
        return replace(
            self,
            record_ids=self.record_ids.to(device, non_blocking=True),
            graphs=self.graphs.to(device),
        )


class CaptionRecords:
    """A split of a packed set, as `assay.task.Records`."""

    def __init__(self, packed: PackedSet, split: Split) -> None:
        self._records = packed.split_indices(split)
        self._graphs = Graphs(packed.arrays)
        self._smiles, self._captions = texts_of(packed, "smiles"), texts_of(packed, "captions")
        self._numbers = packed.arrays["ids"]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(len,) atoms of each molecule."""
        return self._graphs.n_atoms[self._records]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    @property
    def smiles(self) -> list[str]:
        """(len,) as the source has them."""
        return list(self._smiles.select(self._records))

    @property
    def captions(self) -> list[str]:
        """(len,) their captions."""
        return list(self._captions.select(self._records))

    def batch(self, indices: NDArray[np.integer]) -> CaptionBatch:
        """Return the records at `indices` (B,) of the split, in that order."""
        records = self._records[indices]
        return CaptionBatch(
            torch.from_numpy(records),
            self._graphs.batch(records),
            tuple(self._captions.select(records)),
            tuple(self._smiles.select(records)),
            tuple(self._numbers[records].tolist()),
        )


def captions_of(prepared: Prepared) -> PackedSet:
    """Return a prepared set as one of captions.

    Raises:
        ConfigError: it holds something else.
    """
    if not isinstance(prepared, PackedSet) or "captions" not in prepared.arrays:
        raise ConfigError(
            f"{prepared.name}: holds no captions; the captioning family needs a set of captions, "
            "such as mini_captions"
        )
    return prepared


def texts_of(packed: PackedSet, name: str) -> Texts:
    """Return the texts of a set, smiles or captions, read through its memory maps."""
    return Texts(packed.arrays[name], packed.arrays[f"{name}_offsets"])


def batches_of(records: Records) -> list[CaptionBatch]:
    """Return all records of a split of `CaptionBatch`es, many at a time."""
    starts = range(0, len(records), _AT_ONCE)
    parts = [np.arange(a, min(a + _AT_ONCE, len(records))) for a in starts]
    return [cast(CaptionBatch, records.batch(part)) for part in parts]


def splits(packed: PackedSet) -> Splits:
    """Return the three splits of a packed set."""
    return Splits(
        CaptionRecords(packed, "train"),
        CaptionRecords(packed, "validation"),
        CaptionRecords(packed, "test"),
        packed.description,
    )


def pack(pairs: Sequence[Pair], watch: Watch) -> dict[str, NDArray]:
    """Check pairs and return the arrays of a packed set, records in their order.

    Raises:
        DataError: a caption is empty, an id is given twice, SMILES do not parse, or a molecule of
            the test split is in another split, too; names the file and the record.
    """
    _require_captions(pairs)
    _require_distinct(pairs)
    molecules = []
    for number, pair in enumerate(pairs):
        if number % _WATCHED == 0:
            watch("parse", number / len(pairs))
        molecules.append(parse(pair.smiles))
    _require_parsed(pairs, molecules)
    _require_held_out(pairs, molecules)
    watch("graphs", 0.0)
    smiles = Texts.of(pair.smiles for pair in pairs)
    captions = Texts.of(pair.caption for pair in pairs)
    return {
        "smiles": smiles.buffer,
        "smiles_offsets": smiles.offsets,
        "captions": captions.buffer,
        "captions_offsets": captions.offsets,
        "ids": np.array([pair.id for pair in pairs], np.int64),
        "split": np.array([SPLITS.index(pair.split) for pair in pairs], np.uint8),
        **pack_graphs(molecules),
    }


def counts_in_words(pairs: Sequence[Pair]) -> str:
    """Return `1 / 2 / 3 (train / validation / test)`."""
    of = Counter(pair.split for pair in pairs)
    return " / ".join(f"{of[split]:,}" for split in SPLITS) + f" ({' / '.join(SPLITS)})"


def _require_captions(pairs: Sequence[Pair]) -> None:
    for pair in pairs:
        if not pair.caption.strip():
            raise DataError(f"{pair.where}: the caption is empty; leave the record out")


def _require_distinct(pairs: Sequence[Pair]) -> None:
    first: dict[int, Pair] = {}
    for pair in pairs:
        seen = first.setdefault(pair.id, pair)
        if seen is not pair:
            raise DataError(
                f"{pair.where}: id {pair.id} is that of {seen.where}, too; give each record once"
            )


def _require_parsed(pairs: Sequence[Pair], molecules: Sequence[object]) -> None:
    wrong = [pair for pair, molecule in zip(pairs, molecules, strict=True) if molecule is None]
    if wrong:
        listed = ", ".join(f"{pair.where} ({pair.smiles[:40]!r})" for pair in wrong[:_LISTED])
        more = f" and {len(wrong) - _LISTED:,} more" if len(wrong) > _LISTED else ""
        raise DataError(
            f"{len(wrong):,} of {len(pairs):,} SMILES do not parse: {listed}{more}; correct them "
            "or leave the records out"
        )


def _require_held_out(pairs: Sequence[Pair], molecules: Sequence) -> None:
    """Refuse a test molecule that was seen before, by canonical SMILES with stereo."""
    from rdkit import Chem

    canonical = [Chem.MolToSmiles(molecule) for molecule in molecules]
    seen = {one: pair for pair, one in zip(pairs, canonical, strict=True) if pair.split != "test"}
    for pair, one in zip(pairs, canonical, strict=True):
        if pair.split == "test" and one in seen:
            raise DataError(
                f"{seen[one].where}: is the molecule of {pair.where}, which is held out for the "
                f"test; leave it out of {seen[one].split}"
            )
