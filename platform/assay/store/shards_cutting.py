"""Cut a prepared data set into shards, at a place of the user's choice."""

import hashlib
from collections.abc import Mapping

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from assay.errors import ConfigError, DataError
from assay.store import sets
from assay.store.packed import SPLITS, PackedSet
from assay.store.shards import FORMAT, INDEX, Index, ShardFile, content_digest, read_index
from assay.store.shards_place import MissingFileError, Place


def cut(name: str, records: int, place: Place, watch: sets.Watch) -> Index:
    """Write the data set `name` to `place` as `<name>@<records>`, the index last.

    Molecules are dealt to the shards at random (always in the same way), since a data set often
    lies sorted by size. The same set at the same place is completed, never a different one.

    Raises:
        ConfigError: no such data set, or no such size of a shard.
        DataError: another set lies there under that name, or the bucket cannot be written.
        MachineError: the folder cannot be written.
    """
    packed = sets.prepare(name, watch=watch)
    if not isinstance(packed, PackedSet):
        raise ConfigError(f"{name}: lies in shards already; name the set that it was made from")
    if "positions" not in packed.arrays:
        raise ConfigError(f"{name}: holds no molecules; only sets of molecules are cut into shards")
    train = packed.split_indices("train")
    if not 1 <= records <= len(train):
        raise ConfigError(
            f"{records:,} records a shard: {name} has {len(train):,} training records; "
            "give a number from 1 to that"
        )
    folder = place / f"{name}@{records}"
    _require_nothing_else(folder, packed)
    dealt = _deal(train, packed.digest)
    files: list[ShardFile] = []
    number_counts = np.zeros(256, dtype=np.int64)
    for begin in range(0, len(dealt), records):
        watch("write shards", begin / len(dealt))
        chosen = dealt[begin : begin + records]
        arrays = _shard_arrays(packed, chosen)
        number_counts += np.bincount(arrays["numbers"], minlength=256)
        content = _content(arrays)
        files.append(_write(folder, f"train-{len(files):05d}", content, len(chosen)))
    about_train = {
        "number_counts": number_counts,
        **sets.data_set_of(name).about_train(packed, watch),
    }
    content = _content(_kept_arrays(packed, dealt, about_train))
    # Named by its content: whoever reads by an older index finds what that lists.
    kept_name = f"kept-{hashlib.sha256(content).hexdigest()[:12]}"
    kept = _write(folder, kept_name, content, sum(packed.counts[1:]))
    index = Index(
        format=FORMAT,
        name=f"{name}@{records}",
        description=f"{packed.description}; in shards of {records:,}",
        source_digest=packed.digest,
        counts=packed.counts,
        digest=content_digest(packed.digest, files),
        train=files,
        kept=kept,
    )
    folder.write(INDEX, (index.model_dump_json(indent=1) + "\n").encode())
    return index


def _require_nothing_else(folder: Place, packed: PackedSet) -> None:
    try:
        there = read_index(folder)
    except MissingFileError:
        return
    if there.source_digest != packed.digest:
        raise DataError(
            f"{folder.root}: holds shards of {packed.name} with digest {there.source_digest}, "
            f"not {packed.digest}; choose another --to, or delete them"
        )


def _deal(train: NDArray[np.int64], digest: str) -> NDArray[np.int64]:
    random = np.random.Generator(np.random.Philox(key=int(digest[:16], 16)))
    return random.permutation(train)


def _shard_arrays(packed: PackedSet, chosen: NDArray[np.int64]) -> dict[str, NDArray]:
    molecules = packed.select(chosen)
    return {
        "positions": molecules.positions,
        "numbers": molecules.numbers,
        "n_atoms": molecules.n_atoms,
        "records": chosen,
    }


def _kept_arrays(
    packed: PackedSet, dealt: NDArray[np.int64], about_train: Mapping[str, NDArray]
) -> dict[str, NDArray]:
    """Return validation and test as a packed set, and what is known of the training split."""
    split = packed.arrays["split"]
    records = np.flatnonzero(split != SPLITS.index("train"))
    molecules = packed.select(records)
    lengths = np.diff(packed.arrays["offsets"])[dealt]
    return {
        "positions": molecules.positions,
        "numbers": molecules.numbers,
        "offsets": molecules.offsets,
        "ids": packed.ids[records],
        "split": split[records],
        "records": records,
        "train_lengths": lengths.astype(np.min_scalar_type(lengths.max())),
        **{f"train_{name}": array for name, array in about_train.items()},
    }


def _content(arrays: Mapping[str, NDArray]) -> bytes:
    return safetensors.numpy.save({k: np.ascontiguousarray(a) for k, a in arrays.items()})


def _write(folder: Place, name: str, content: bytes, records: int) -> ShardFile:
    file = ShardFile(
        name=f"{name}.safetensors",
        records=records,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    folder.write(file.name, content)
    return file
