"""A prepared data set: one folder of .npy arrays, memory-mapped, and the manifest that seals it.

    positions.npy (ΣN, 3) float32 Å    numbers.npy (ΣN,) uint8    offsets.npy (M + 1,) int64
    ids.npy (M,) int64                 split.npy (M,) uint8       manifest.json

The manifest is written last and the folder renamed into place, so that a folder with a manifest
is whole. The molecules' view needs these five arrays; that of crystals has, in place of positions,

    frac_coords.npy (ΣN, 3) float32    lattices.npy (M, 3, 3) float32 Å

and whatever else a data set knows of its records. Other families pack other arrays.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from assay.chemistry.crystals import Crystals
from assay.chemistry.molecules import Molecules
from assay.chemistry.packing import rows_of
from assay.config import Settings
from assay.errors import DataError
from assay.result import write_json
from assay.store.locations import writing

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
"""Their positions are the codes in `split.npy`."""

MANIFEST = "manifest.json"
_BLOCK = 1 << 22


class ArrayEntry(Settings):
    """What the manifest says of one array."""

    dtype: str
    shape: tuple[int, ...]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(Settings):
    """What a prepared data set is, and where it came from."""

    format: Literal[1] = 1
    name: str
    description: str
    source: str
    digest: str
    arrays: dict[str, ArrayEntry]


@dataclass(frozen=True)
class PackedSet:
    """A prepared data set. Its `digest` depends on the arrays alone, not on their origin."""

    directory: Path
    manifest: Manifest
    arrays: Mapping[str, NDArray]
    """Read-only memory maps."""

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Map a prepared data set; checks its manifest, types and sizes, not every byte.

        Raises:
            DataError: there is no manifest, or it does not fit the arrays beside it.
        """
        manifest = _read_manifest(directory / MANIFEST)
        arrays = {}
        for name, entry in manifest.arrays.items():
            arrays[name] = _map(directory / f"{name}.npy", entry)
        return cls(directory, manifest, arrays)

    @classmethod
    def write(
        cls,
        parent: Path,
        arrays: Mapping[str, NDArray],
        *,
        name: str,
        description: str,
        source: str,
    ) -> Self:
        """Write a data set to `parent/<digest>`, whole or not at all, and open it.

        Raises:
            MachineError: `parent` has no space left or may not be written.
        """
        with writing(parent):
            parent.mkdir(parents=True, exist_ok=True)
            building = Path(tempfile.mkdtemp(dir=parent, prefix=".building-"))
            try:
                entries = {key: _save(building, key, array) for key, array in arrays.items()}
                manifest = Manifest(
                    name=name,
                    description=description,
                    source=source,
                    digest=content_digest(entries),
                    arrays=entries,
                )
                write_json(building / MANIFEST, manifest)
                building.chmod(0o755)
                _move_into_place(building, parent / manifest.digest)
            finally:
                shutil.rmtree(building, ignore_errors=True)
        return cls.open(parent / manifest.digest)

    @property
    def digest(self) -> str:
        """32 hex digits that name the content."""
        return self.manifest.digest

    @property
    def name(self) -> str:
        """Its name in the catalog."""
        return self.manifest.name

    @property
    def source(self) -> str:
        """What it was prepared from."""
        return self.manifest.source

    @property
    def description(self) -> str:
        """What the set holds, in one line."""
        return self.manifest.description

    @property
    def ids(self) -> NDArray[np.int64]:
        """(M,) each record's number in the data set's own numbering."""
        return self.arrays["ids"]

    @property
    def records(self) -> NDArray[np.int64]:
        """(M,) each record's index in the whole set, which a part of one keeps as an array."""
        own = np.arange(len(self.ids))
        return self.arrays.get("records", own)

    @property
    def n_atoms(self) -> NDArray[np.int64]:
        """(M,) of each record."""
        return np.diff(self.arrays["offsets"])

    @cached_property
    def molecules(self) -> Molecules:
        """All M molecules, read through the memory maps."""
        return Molecules(self.arrays["positions"], self.arrays["numbers"], self.n_atoms)

    @cached_property
    def crystals(self) -> Crystals:
        """All M crystals, read through the memory maps."""
        arrays = self.arrays
        return Crystals(arrays["frac_coords"], arrays["numbers"], self.n_atoms, arrays["lattices"])

    def split_indices(self, split: Split) -> NDArray[np.int64]:
        """Return the records of a split, ascending, as indices into the packed set."""
        return np.flatnonzero(self.arrays["split"] == SPLITS.index(split))

    def select(self, records: NDArray[np.int64]) -> Molecules:
        """Return the molecules at `records`; only theirs are read."""
        return self.molecules.select(records)

    def molecules_of(self, split: Split) -> Molecules:
        """Return the molecules of a split."""
        return self.select(self.split_indices(split))

    def crystals_of(self, split: Split) -> Crystals:
        """Return the crystals of a split."""
        return self.crystals.select(self.split_indices(split))

    @property
    def train_lengths(self) -> NDArray[np.int64]:
        """(train records,) atoms of each."""
        return self.n_atoms[self.split_indices("train")]

    @property
    def train_number_counts(self) -> NDArray[np.int64]:
        """(256,) atoms of each atomic number in the training split."""
        rows = rows_of(self.n_atoms, self.split_indices("train"))
        return np.bincount(self.arrays["numbers"][rows], minlength=256)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Numbers of train, validation and test records."""
        train, validation, test = np.bincount(self.arrays["split"], minlength=len(SPLITS))
        return int(train), int(validation), int(test)

    def verify(self) -> None:
        """Hash every array again.

        Raises:
            DataError: an array's bytes are not those that were written.
        """
        for name, entry in self.manifest.arrays.items():
            found = _sha256(self.arrays[name])
            if found != entry.sha256:
                raise DataError(
                    f"{self.directory / name}.npy: SHA-256 is {found}, the manifest says "
                    f"{entry.sha256}; delete {self.directory} and run "
                    f"`assay data prepare {self.manifest.name}`"
                )


def content_digest(entries: Mapping[str, ArrayEntry]) -> str:
    """Return 32 hex digits over the names, types, shapes and bytes of the arrays."""
    lines = [f"{k} {e.dtype} {list(e.shape)} {e.sha256}" for k, e in sorted(entries.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def _save(directory: Path, name: str, array: NDArray) -> ArrayEntry:
    # One byte order everywhere, so that equal content has an equal digest on every machine.
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    with (directory / f"{name}.npy").open("wb") as file:
        np.save(file, little, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    return ArrayEntry(dtype=little.dtype.str, shape=little.shape, sha256=_sha256(little))


def _sha256(array: NDArray) -> str:
    digest = hashlib.sha256()
    plain = array.reshape(-1).view(np.uint8)
    for start in range(0, len(plain), _BLOCK):
        digest.update(plain[start : start + _BLOCK].data)
    return digest.hexdigest()


def _move_into_place(building: Path, final: Path) -> None:
    """Rename, unless the same content is there already; a damaged copy is replaced."""
    if final.exists():
        try:
            PackedSet.open(final).verify()
        except DataError:
            shutil.rmtree(final)
        else:
            return
    building.rename(final)
    handle = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_manifest(path: Path) -> Manifest:
    again = f"delete {path.parent} and prepare the data set again"
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {again}") from error
    except ValidationError as error:
        raise DataError(f"{path}: is not a manifest of this version; {again}") from error
    if content_digest(manifest.arrays) != manifest.digest:
        raise DataError(f"{path}: the digest does not fit the arrays it lists; {again}")
    return manifest


def _map(path: Path, entry: ArrayEntry) -> NDArray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{path}: cannot be mapped ({error}); delete {path.parent} and prepare it again"
        ) from error
    if array.dtype.str != entry.dtype or array.shape != entry.shape:
        raise DataError(
            f"{path}: holds {array.dtype.str} {array.shape}, its manifest says {entry.dtype} "
            f"{entry.shape}; delete {path.parent} and prepare it again"
        )
    return np.asarray(array)
