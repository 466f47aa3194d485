"""The catalogued data sets: prepared once on this machine, then opened by name.

<cache>/<name>/<digest>/        a packed set
<cache>/<name>/index-<v>.json   which packed set each source gave, and which was asked for last
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock
from numpy.typing import NDArray
from pydantic import ValidationError

from assay import catalog
from assay.config import Settings, choose
from assay.errors import ConfigError, DataError
from assay.redact import without_secrets
from assay.result import write_json
from assay.store.locations import cache_root, data_root, source_root, writing
from assay.store.packed import PackedSet
from assay.store.shards import (
    ShardedSet,
    find_sharded,
    is_kept,
    is_sharded,
    prepare_sharded,
    read_index,
    sharded_names,
)
from assay.store.shards_place import VARIABLE, Place, chosen_place

Watch = Callable[[str, float], None]
"""`watch(phase, fraction)`: how far the preparation has come."""

RULES = "rules"
"""The source of a set that rules in this repository make."""


class NotPreparedError(DataError):
    """A catalogued data set that is not prepared on this machine."""


@dataclass(frozen=True)
class Built:
    """What a data set makes of its source: the arrays to pack, and what they hold in one line."""

    arrays: Mapping[str, NDArray]
    description: str


class DataSet(Protocol):
    """A data set as `assay.catalog.DATA_SETS` names it."""

    name: str
    title: str
    licence: str
    citation: str
    version: int
    """Grows whenever the same source would be packed otherwise."""
    upstream: str | None
    """Where it is published; None for a set that rules in this repository make."""
    kind: str
    """What its records are: molecules, crystals, graph, captions or pathways."""
    folder: str | None = None
    """Below $ASSAY_DATA; None where it is called as the set is."""

    def build(self, source: str, watch: Watch) -> Built:
        """Read `source` (a path, a URL, or "rules") and return the checked arrays.

        Raises:
            DataError: the source is missing, unreadable, corrupt or absurd.
        """
        ...

    def about_train(self, packed: PackedSet, watch: Watch) -> Mapping[str, NDArray]:
        """Return what a sharded copy must know of the whole training split, beside its sizes."""
        return {}


Prepared = PackedSet | ShardedSet
"""A prepared data set: all of it here, or its training split in shards elsewhere."""


@dataclass(frozen=True)
class Row:
    """One line of `assay data list`."""

    name: str
    title: str
    licence: str
    digest: str | None
    """None where the set is not prepared here."""
    counts: tuple[int, int, int] | None
    """Train, validation and test records."""


def prepare(name: str, source: str | None = None, watch: Watch | None = None) -> Prepared:
    """Return the prepared data set, preparing it first where it is not.

    Of `<name>@<records>`, a sharded set at ASSAY_SHARDS, the training split stays where it is.
    Of the others, `source` (a path or a URL) is the first choice, then `$ASSAY_DATA/<name>`, then
    what was asked for last, then upstream. Two processes may call this at once.

    Raises:
        ConfigError: no such data set, or one that takes no source is given one.
        DataError: the source is missing, unreadable, corrupt or absurd.
        MachineError: the cache has no space left or may not be written.
    """
    if is_sharded(name):
        if source is not None:
            raise ConfigError(f"{name}: is read from ASSAY_SHARDS; leave out --source")
        data_set_of(name.partition("@")[0])
        return prepare_sharded(name)
    data_set = data_set_of(name)
    key = _source_key(_origin(data_set, source))
    shelf = _Shelf(cache_root() / name, data_set.version)
    packed = shelf.find(key)
    if packed is not None and shelf.is_current(packed):
        return packed
    with shelf.locked():
        packed = shelf.find(key)
        if packed is None:
            origin = origin_of(data_set, source)
            shelf.clear_abandoned()
            packed = _build(data_set, origin, shelf.folder, watch or _nobody)
            key = _source_key(origin)
        shelf.record(key, packed)
    return packed


def open_set(name: str) -> Prepared:
    """Open a prepared data set: that of `$ASSAY_DATA/<name>`, else the one asked for last.

    Raises:
        ConfigError: no such data set.
        NotPreparedError: it is not prepared.
        DataError: what is prepared is damaged.
    """
    if is_sharded(name):
        data_set_of(name.partition("@")[0])
        sharded = find_sharded(name)
        if sharded is None:
            raise NotPreparedError(f"{name}: not prepared; run `assay data prepare {name}`")
        return sharded
    data_set = data_set_of(name)
    origin = _origin(data_set, None)
    packed = _Shelf(cache_root() / name, data_set.version).find(_source_key(origin))
    if packed is None:
        from_there = f" from {origin}" if origin not in (None, RULES) else ""
        raise NotPreparedError(f"{name}: not prepared{from_there}; run `assay data prepare {name}`")
    return packed


def open_packed(name: str) -> PackedSet:
    """Open a prepared data set that a family needs as a whole, as `open_set` does.

    Raises:
        ConfigError: its training split lies in shards.
    """
    found = open_set(name)
    if not isinstance(found, PackedSet):
        raise ConfigError(f"{name}: this family needs the whole set; name one without @")
    return found


def verify(name: str, watch: Watch | None = None) -> Prepared:
    """Hash every array of a prepared data set again, or every shard.

    Raises:
        DataError: it is not prepared, or an array is not what was written.
    """
    packed = prepare(name) if is_sharded(name) else open_set(name)
    if isinstance(packed, ShardedSet):
        packed.verify(watch or _nobody)
    else:
        packed.verify()
    return packed


def require_digest(packed: Prepared, digest: str) -> None:
    """Refuse a data set whose content is not that of `digest`, or of its first digits.

    Raises:
        DataError: the contents differ.
    """
    if not packed.digest.startswith(digest):
        raise DataError(
            f"{packed.name}: the data prepared from {packed.source} has digest "
            f"{packed.digest}, the cell was made for {digest}; prepare the data it was made for, "
            f"or leave the digest out of the cell"
        )


def catalogued() -> list[Row]:
    """Return what `assay data list` shows: the catalog in its order, then what ASSAY_SHARDS holds.

    Raises:
        DataError: ASSAY_DATA names no folder, a prepared set is damaged, or ASSAY_SHARDS names
            no place that can be read.
    """
    rows = [_row(data_set_of(name)) for name in catalog.DATA_SETS]
    if os.environ.get(VARIABLE):
        place = chosen_place()
        names = [n for n in sharded_names(place) if n.partition("@")[0] in catalog.DATA_SETS]
        rows += [_sharded_row(place, name) for name in names]
    return rows


def is_url(source: str) -> bool:
    """Tell a URL from a path."""
    return source.startswith(("http://", "https://"))


class _Index(Settings):
    """`index.json`: the digest of each source's packed set, and the current one."""

    current: str | None = None
    sources: dict[str, str] = {}


class _Shelf:
    """The prepared sets of one name and version."""

    def __init__(self, folder: Path, version: int) -> None:
        self.folder = folder
        self._path = folder / f"index-{version}.json"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from preparing the same data set at the same time."""
        lock = FileLock(self.folder / "lock")
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def find(self, key: str | None) -> PackedSet | None:
        """Open what the source of `key` gave, or for None the current set."""
        index = self._read()
        digest = index.current if key is None else index.sources.get(key)
        if digest is None or not (self.folder / digest).is_dir():
            return None
        return PackedSet.open(self.folder / digest)

    def is_current(self, packed: PackedSet) -> bool:
        """Tell whether `packed` was asked for last."""
        return self._read().current == packed.digest

    def record(self, key: str | None, packed: PackedSet) -> None:
        """Remember which set a source gave, and make it the current one."""
        sources = self._read().sources
        if key is not None:
            sources = {**sources, key: packed.digest}
        with writing(self.folder):
            write_json(self._path, _Index(current=packed.digest, sources=sources))

    def clear_abandoned(self) -> None:
        """Delete what a killed preparation left; the caller holds the lock."""
        for building in self.folder.glob(".building-*"):
            shutil.rmtree(building)

    def _read(self) -> _Index:
        try:
            return _Index.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return _Index()
        except (OSError, ValidationError) as error:
            raise DataError(f"{self._path}: cannot be read; delete it and prepare again") from error


def _build(data_set: DataSet, origin: str, folder: Path, watch: Watch) -> PackedSet:
    built = data_set.build(origin, watch)
    return PackedSet.write(
        folder,
        built.arrays,
        name=data_set.name,
        description=built.description,
        source=without_secrets(origin),
    )


def is_absent(data_set: DataSet) -> bool:
    """Tell whether ASSAY_DATA is where data sets come from, and does not hold this one.

    Raises:
        DataError: ASSAY_DATA is no folder.
    """
    root = data_root()
    if root is None or data_set.upstream is None:
        return False
    return not (root / (data_set.folder or data_set.name)).is_dir()


def _row(data_set: DataSet) -> Row:
    packed = None
    if not is_absent(data_set):
        key = _source_key(_origin(data_set, None))
        packed = _Shelf(cache_root() / data_set.name, data_set.version).find(key)
    return Row(
        data_set.name,
        data_set.title,
        data_set.licence,
        packed.digest if packed else None,
        packed.counts if packed else None,
    )


def _sharded_row(place: Place, name: str) -> Row:
    licence = data_set_of(name.partition("@")[0]).licence
    try:
        index = read_index(place / name)
    except DataError as error:
        return Row(name, str(error), licence, None, None)
    title = f"{len(index.train):,} shards at {place.root}"
    return Row(name, title, licence, index.digest if is_kept(index) else None, index.counts)


def kind_of(name: str) -> str:
    """Return what the records of a catalogued set are, also of a sharded one.

    Raises:
        ConfigError: there is none of that name; the sentence names the nearest.
    """
    return data_set_of(name.partition("@")[0]).kind


def data_set_of(name: str) -> DataSet:
    """Return a data set of the catalog.

    Raises:
        ConfigError: there is none of that name; the sentence names the nearest.
    """
    return catalog.load(catalog.DATA_SETS[choose("data set", name, catalog.DATA_SETS)])


def origin_of(data_set: DataSet, source: str | None = None) -> str:
    """Return what a data set would be built from: a path, a URL, or `RULES`.

    Raises:
        ConfigError: it takes no source, and is given one.
        DataError: ASSAY_DATA is set, and lacks it.
    """
    return _origin(data_set, source) or data_set.upstream or RULES


def _origin(data_set: DataSet, source: str | None) -> str | None:
    """Return the source that is asked for, or None where any prepared one will do."""
    if data_set.upstream is None:
        if source is not None:
            raise ConfigError(f"{data_set.name}: is made by rules; leave out --source")
        return RULES
    if source is not None:
        return source if is_url(source) else str(Path(source).expanduser().absolute())
    folder = source_root(data_set.folder or data_set.name)
    return str(folder) if folder else None


def _source_key(origin: str | None) -> str | None:
    """Return a hash of where the source is and of the sizes and times of its files."""
    if origin is None:
        return None
    files = []
    if origin != RULES and not is_url(origin):
        files = _files(Path(origin))
    identity = json.dumps([origin, files])
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _files(path: Path) -> list[tuple[str, int, int]]:
    try:
        if not path.is_dir():
            found = path.stat()
            return [(path.name, found.st_size, found.st_mtime_ns)]
        with os.scandir(path) as entries:
            stats = [(entry.name, entry.stat()) for entry in entries]
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); give another source"
        ) from error
    return sorted((name, found.st_size, found.st_mtime_ns) for name, found in stats)


def _nobody(phase: str, fraction: float) -> None:
    """Watch nothing."""
