"""A data set whose training split lies in shards, at a place that may be far away.

    <place>/qm9@4096/index.json                  what there is; written last
    <place>/qm9@4096/train-00000.safetensors …   4,096 training molecules each
    <place>/qm9@4096/kept-<hash>.safetensors     what every machine keeps

A machine keeps the validation and test splits and what a family must know of the whole training
split; the training shards are read when they are needed and never cached. The order of training
depends on the size of the shards, so it is part of the name and of the digest; the place is not.
"""

import hashlib
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import safetensors.numpy
from filelock import FileLock
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from safetensors import SafetensorError

from assay.chemistry.molecules import Molecules
from assay.config import Settings
from assay.errors import DataError
from assay.store.locations import cache_root, writing
from assay.store.packed import PackedSet, Split
from assay.store.shards_place import VARIABLE, MissingFileError, Place, chosen_place

INDEX = "index.json"
FORMAT = "assay-shards-1"

_AGAIN = "make the set again with `assay data shard`"


class ShardFile(Settings):
    """What the index says of one file."""

    name: str = Field(pattern=r"^[a-z0-9-]+\.safetensors$")
    records: int = Field(ge=0)
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Index(Settings):
    """What a sharded data set is."""

    format: Literal["assay-shards-1"]
    name: str
    """Such as `qm9@4096`."""
    description: str
    source_digest: str
    """Of the packed set that was cut into shards."""
    counts: tuple[int, int, int]
    """Train, validation and test records."""
    digest: str
    train: list[ShardFile] = Field(min_length=1)
    kept: ShardFile


def content_digest(source_digest: str, train: Sequence[ShardFile]) -> str:
    """Return 32 hex digits over the source's content and that of every shard, in order."""
    lines = [FORMAT, source_digest, *(f"{file.records} {file.sha256}" for file in train)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Shard:
    """Molecules of the training split, in the order of the shard."""

    molecules: Molecules
    records: NDArray[np.int64]
    """(M,) index of each in the packed set that was cut: its identity in training."""


@dataclass(frozen=True)
class ShardedSet:
    """A data set whose training split is read shard by shard."""

    place: Place
    """The folder of `index`."""
    index: Index
    kept: PackedSet
    """Validation and test, and `train_…` arrays about the whole training split."""

    @property
    def name(self) -> str:
        """Such as `qm9@4096`."""
        return self.index.name

    @property
    def digest(self) -> str:
        """32 hex digits that name the content and the size of the shards."""
        return self.index.digest

    @property
    def source(self) -> str:
        """Where it is read from."""
        return self.place.root

    @property
    def description(self) -> str:
        """What the set holds, in one line."""
        return self.index.description

    @property
    def counts(self) -> tuple[int, int, int]:
        """Numbers of train, validation and test records."""
        return self.index.counts

    @cached_property
    def blocks(self) -> NDArray[np.int64]:
        """(S,) records of each shard."""
        return np.array([file.records for file in self.index.train], dtype=np.int64)

    @property
    def train_lengths(self) -> NDArray[np.integer]:
        """(train records,) atoms of each molecule, in the order of the shards; memory-mapped."""
        return self.kept.arrays["train_lengths"]

    @property
    def train_number_counts(self) -> NDArray[np.int64]:
        """(256,) atoms of each atomic number in the training split."""
        return self.kept.arrays["train_number_counts"]

    def molecules_of(self, split: Split) -> Molecules:
        """Return the molecules of the validation or the test split."""
        return self.kept.molecules_of(split)

    def shard(self, number: int, content: bytes | None = None) -> Shard:
        """Return a shard of the training split, from `content` if it has been read already.

        Raises:
            DataError: it is missing, cut off, or not the one that the index lists.
        """
        file = self.index.train[number]
        arrays = _arrays(self.place, file, content)
        molecules = Molecules(arrays["positions"], arrays["numbers"], arrays["n_atoms"])
        return Shard(molecules, arrays["records"])

    def verify(self, watch: Callable[[str, float], None]) -> None:
        """Read and hash every shard, and what is kept here; `watch` is told ("verify", fraction).

        Raises:
            DataError: something is missing or not what was written.
        """
        self.kept.verify()
        for number in range(len(self.index.train)):
            watch("verify", number / len(self.index.train))
            self.shard(number)


def prepare_sharded(name: str) -> ShardedSet:
    """Return the sharded set `name` of ASSAY_SHARDS; what every machine keeps is fetched once.

    Raises:
        DataError: ASSAY_SHARDS is unset, or the set is not there or damaged.
        MachineError: the cache cannot be written.
    """
    place = chosen_place() / name
    index = read_index(place)
    kept = _find_kept(index) or _fetch_kept(place, index)
    return ShardedSet(place, index, kept)


def find_sharded(name: str) -> ShardedSet | None:
    """Open the sharded set `name` of ASSAY_SHARDS, if what every machine keeps is here already.

    Raises:
        DataError: as `prepare_sharded`.
    """
    place = chosen_place() / name
    index = read_index(place)
    kept = _find_kept(index)
    return ShardedSet(place, index, kept) if kept else None


def read_index(place: Place) -> Index:
    """Read what a sharded set holds.

    Raises:
        MissingFileError: there is none.
        DataError: it is of another format, damaged, or cannot be read.
    """
    path = f"{place.root}/{INDEX}"
    try:
        index = Index.model_validate_json(place.read(INDEX))
    except MissingFileError as error:
        raise MissingFileError(
            f"{path}: is missing; `assay data list` shows what lies at {VARIABLE}, "
            "`assay data shard` makes it"
        ) from error
    except ValidationError as error:
        raise DataError(f"{path}: is not an index of format {FORMAT}; {_AGAIN}") from error
    fits = content_digest(index.source_digest, index.train) == index.digest
    if not fits or not place.root.endswith(f"/{index.name}"):
        raise DataError(f"{path}: its digest or name does not fit what it lists; {_AGAIN}")
    return index


def sharded_names(place: Place) -> list[str]:
    """Return the names of the sharded sets at a place, whole or not."""
    return [name for name in place.folders() if is_sharded(name)]


def is_sharded(name: str) -> bool:
    """Tell the name of a sharded set, such as `qm9@4096`, from that of another."""
    return re.fullmatch(r"[a-z0-9_]+@[1-9][0-9]*", name) is not None


def is_kept(index: Index) -> bool:
    """Tell whether what every machine keeps of a set is on this one."""
    return _find_kept(index) is not None


def _shelf(index: Index) -> Path:
    return cache_root() / index.name / index.kept.sha256[:32]


def _find_kept(index: Index) -> PackedSet | None:
    """The shelf is named by the file that was fetched, and holds one packed set."""
    shelf = _shelf(index)
    found = [path for path in shelf.glob("*") if not path.name.startswith(".")]
    return PackedSet.open(found[0]) if found else None


def _fetch_kept(place: Place, index: Index) -> PackedSet:
    shelf = _shelf(index)
    lock = FileLock(shelf / ".lock")
    with writing(shelf):
        shelf.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        for building in shelf.glob(".building-*"):  # of a process that was killed
            shutil.rmtree(building)
        return _find_kept(index) or PackedSet.write(
            shelf,
            _arrays(place, index.kept, None),
            name=index.name,
            description=index.description,
            source=place.root,
        )
    finally:
        lock.release()


def _arrays(place: Place, file: ShardFile, content: bytes | None) -> Mapping[str, NDArray]:
    content = place.read(file.name) if content is None else content
    path = f"{place.root}/{file.name}"
    if len(content) != file.bytes:
        raise DataError(
            f"{path}: has {len(content):,} bytes, the index says {file.bytes:,}; {_AGAIN}"
        )
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise DataError(f"{path}: its SHA-256 is not that of the index; {_AGAIN}")
    try:
        return safetensors.numpy.load(content)
    except SafetensorError as error:
        raise DataError(f"{path}: is not a safetensors file ({error}); {_AGAIN}") from error
