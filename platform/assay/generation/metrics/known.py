"""The SMILES of a training split, to tell which samples are new."""

import hashlib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.molecules import Molecules
from assay.errors import DataError
from assay.generation.metrics import edm
from assay.generation.metrics.protocol import Reference
from assay.generation.metrics.reference import PreparedReference
from assay.store.locations import cache_root
from assay.store.packed import PackedSet
from assay.store.sets import Prepared, Watch

ABOUT_TRAIN = f"edm_{edm.VERSION}_smiles"
"""The array of a sharded set that holds the keys of its training SMILES."""

_MOLECULES_AT_ONCE = 20_000


@dataclass(frozen=True)
class KnownSmiles(Container[str]):
    """SMILES as sorted 64-bit keys, memory-mapped: 8 bytes each.

    Among n of them, a new SMILES is taken for a known one with probability n / 2^64.
    """

    keys: NDArray[np.uint64]

    def __contains__(self, text: object) -> bool:
        """Tell whether a SMILES is among them."""
        key = _key(str(text))
        place = int(np.searchsorted(self.keys, key))
        return place < len(self.keys) and bool(self.keys[place] == key)


def smiles_known_to(reference: Reference[Molecules], processes: int) -> Container[str]:
    """Return the SMILES of a reference's training split, computed once.

    Raises:
        DataError: as `known_smiles`.
    """
    if isinstance(reference, PreparedReference):
        return known_smiles(reference.data, processes)
    cache_file = _cache_file(reference.digest)
    return edm.training_smiles(reference.of("train"), cache_file, processes)


def known_smiles(data: Prepared, processes: int) -> Container[str]:
    """Return the SMILES of a data set's training split, computed once.

    Raises:
        DataError: the data set is sharded, and was made for another version of the protocol.
    """
    if isinstance(data, PackedSet):
        return edm.training_smiles(data.molecules_of("train"), _cache_file(data.digest), processes)
    try:
        return KnownSmiles(data.kept.arrays[f"train_{ABOUT_TRAIN}"])
    except KeyError as error:
        raise DataError(
            f"{data.source}: lacks the training SMILES of protocol edm {edm.VERSION}; run "
            "`assay data shard` again, which keeps the shards as they are"
        ) from error


def about_train(packed: PackedSet, watch: Watch) -> Mapping[str, NDArray]:
    """Return the keys of a packed set's training SMILES, for its copy in shards."""
    train = packed.split_indices("train")
    cuts = range(_MOLECULES_AT_ONCE, len(train), _MOLECULES_AT_ONCE)
    found = np.zeros(0, dtype=np.uint64)
    for begin, part in zip((0, *cuts), np.split(train, cuts), strict=True):
        watch("training SMILES", begin / len(train))
        found = np.union1d(found, smiles_keys(packed.select(part)))
    return {ABOUT_TRAIN: found}


def smiles_keys(molecules: Molecules) -> NDArray[np.uint64]:
    """Return the keys of the valid molecules, sorted, each once."""
    texts: Iterable[str] = filter(None, edm.smiles(molecules, processes=1))
    return np.unique(np.array([_key(text) for text in texts], dtype=np.uint64))


def _cache_file(digest: str) -> Path:
    return cache_root() / f"edm-{edm.VERSION}-smiles-{digest[:16]}.txt"


def _key(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big"))
