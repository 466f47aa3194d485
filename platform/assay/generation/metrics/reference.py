"""Prepared data sets as what samples are held against, and what is computed from them once."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar
from zipfile import BadZipFile

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from assay.chemistry.crystals import Crystals
from assay.chemistry.molecules import Molecules
from assay.errors import ConfigError, DataError
from assay.generation.data.crystals import holding_crystals
from assay.generation.metrics.protocol import Reference
from assay.result import write_bytes
from assay.store.locations import cache_root, writing
from assay.store.packed import PackedSet, Split
from assay.store.sets import Prepared, open_set

Samples = TypeVar("Samples")


@dataclass(frozen=True)
class PreparedReference(Generic[Samples]):
    """A prepared data set, read as one kind of records."""

    data: Prepared
    read: Callable[[Split], Samples]
    """Such as `data.molecules_of`."""

    @property
    def name(self) -> str:
        """Its name in the catalog of data sets."""
        return self.data.name

    @property
    def digest(self) -> str:
        """What names its content."""
        return self.data.digest

    def of(self, split: Split) -> Samples:
        """Return the records of a split."""
        return self.read(split)


def open_molecules(name: str) -> PreparedReference[Molecules]:
    """Open a prepared data set of molecules.

    Raises:
        ConfigError: there is no such data set, or it holds something else.
        DataError: it is not prepared, or damaged.
    """
    data = open_set(name)
    if isinstance(data, PackedSet) and not {"positions", "numbers"} <= data.arrays.keys():
        raise ConfigError(f"{name}: holds no molecules; name a set of molecules, such as qm9")
    return PreparedReference(data, data.molecules_of)


def open_crystals(name: str) -> PreparedReference[Crystals]:
    """Open a prepared data set of crystals.

    Raises:
        ConfigError: there is no such data set, or it holds something else.
        DataError: it is not prepared, or damaged.
    """
    data = holding_crystals(open_set(name))
    return PreparedReference(data, data.crystals_of)


def kept(
    reference: Reference[object], name: str, compute: Callable[[], Mapping[str, NDArray]]
) -> Mapping[str, NDArray]:
    """Return arrays that are computed from a reference once and then kept in the cache.

    Args:
        reference: its digest is part of the file's name.
        name: of what is computed, with its version.
        compute: is called by one process; others that ask at the same time wait.

    Raises:
        DataError: what was kept is damaged.
        MachineError: the cache cannot be written.
    """
    path = cache_root() / f"{name}-{reference.digest[:16]}.npz"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not path.exists():
            content = io.BytesIO()
            np.savez(content, allow_pickle=False, **compute())
            write_bytes(path, content.getvalue())
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise DataError(f"{path}: cannot be read ({error}); delete it") from error
