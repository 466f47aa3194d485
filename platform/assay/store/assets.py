"""Files that a protocol cannot do without, such as a vocabulary: checked once, then kept here.

<cache>/<name>/<digest>/    the files, whose content is pinned: it does not matter where from
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock

from assay import catalog
from assay.config import choose
from assay.errors import ConfigError, DataError
from assay.store.fetch import fetch, file_sha256
from assay.store.locations import cache_root, data_root, source_root, writing
from assay.store.sets import Row, Watch


@dataclass(frozen=True)
class Origin:
    """A file that assets are made of, under the name that it has at this place."""

    file: str
    sha256: str
    url: str | None = None
    """Where it is published; None for one that is only looked for in a folder."""


class Assets(Protocol):
    """Files as `assay.catalog.ASSETS` names them."""

    name: str
    title: str
    licence: str
    folder: str
    """Below $ASSAY_DATA."""
    digest: str
    """Of the files that are kept, see `content_digest`."""
    origins: Mapping[str, tuple[Origin, ...]]
    """For each part, the forms in which it may come; the first published one is fetched."""

    def contents(self, found: Mapping[str, Path]) -> Mapping[str, bytes]:
        """Return the files to keep, by name, from the checked file of each part."""
        ...


@dataclass(frozen=True)
class PreparedAssets:
    """Assets on this machine."""

    name: str
    folder: Path
    digest: str
    description: str


def prepare(name: str, source: str | None = None, watch: Watch | None = None) -> PreparedAssets:
    """Return the prepared assets, preparing them first where they are not.

    They come from `source` (a folder), else `$ASSAY_DATA/<folder>`, else from where they are
    published. Two processes may call this at once.

    Raises:
        ConfigError: there are no such assets.
        DataError: a file is missing, cannot be fetched, or is not the pinned one.
        MachineError: the cache has no space left or may not be written.
    """
    assets = assets_of(name)
    folder = cache_root() / name / assets.digest
    with _locked(folder.parent):
        if not _intact(folder, assets):
            contents = assets.contents(_found(assets, source, watch or _nobody))
            _keep(folder, assets, contents)
    return _prepared(assets, folder)


def open_assets(name: str) -> PreparedAssets:
    """Open prepared assets, every byte of which is checked.

    Where `$ASSAY_DATA` holds them they are prepared from there; nothing is ever fetched.

    Raises:
        ConfigError: there are no such assets.
        DataError: they are not prepared, or damaged.
    """
    assets = assets_of(name)
    folder = cache_root() / name / assets.digest
    root = data_root()
    if not folder.is_dir() and root is not None and (root / assets.folder).is_dir():
        return prepare(name)
    if not folder.is_dir():
        raise DataError(f"{name}: not prepared; run `assay data prepare {name}`")
    if not _intact(folder, assets):
        raise DataError(f"{folder}: is damaged; run `assay data prepare {name}`")
    return _prepared(assets, folder)


def verify(name: str, watch: Watch | None = None) -> PreparedAssets:
    """Check every byte, as opening always does.

    Raises:
        DataError: they are not prepared, or damaged.
    """
    return open_assets(name)


def catalogued() -> list[Row]:
    """Return what `assay data list` shows of assets."""
    rows = []
    for each in map(assets_of, catalog.ASSETS):
        there = (cache_root() / each.name / each.digest).is_dir()
        rows.append(Row(each.name, each.title, each.licence, each.digest if there else None, None))
    return rows


def is_known(name: str) -> bool:
    """Tell assets from data sets by their name."""
    return name in catalog.ASSETS


def assets_of(name: str) -> Assets:
    """Return assets of the catalog.

    Raises:
        ConfigError: there are none of that name; the sentence names the nearest.
    """
    return catalog.load(catalog.ASSETS[choose("assets", name, catalog.ASSETS)])


def content_digest(contents: Mapping[str, bytes]) -> str:
    """Return 64 hex digits over the names and contents of files, in whatever order."""
    total = hashlib.sha256()
    for name in sorted(contents):
        total.update(f"{name}\0{hashlib.sha256(contents[name]).hexdigest()}\n".encode())
    return total.hexdigest()


def _found(assets: Assets, source: str | None, watch: Watch) -> dict[str, Path]:
    """Return the checked file of each part."""
    if source is not None and "://" in source:
        raise ConfigError(f"--source {source}: {assets.name} is prepared from a folder; name one")
    folder = Path(source).expanduser().absolute() if source else source_root(assets.folder)
    if folder is None:
        return {part: _fetched(assets, origins, watch) for part, origins in assets.origins.items()}
    return {part: _in_folder(folder, origins) for part, origins in assets.origins.items()}


def _fetched(assets: Assets, origins: tuple[Origin, ...], watch: Watch) -> Path:
    origin = next(each for each in origins if each.url is not None)
    destination = cache_root() / "downloads" / assets.name / origin.file
    return fetch(str(origin.url), origin.sha256, destination, watch)


def _in_folder(folder: Path, origins: tuple[Origin, ...]) -> Path:
    there = [(folder / each.file, each) for each in origins if (folder / each.file).is_file()]
    if not there:
        wanted = " or ".join(each.file for each in origins)
        raise DataError(f"{folder}: holds no {wanted}; put it there, or name another folder")
    path, origin = there[0]
    if file_sha256(path) != origin.sha256:
        raise DataError(f"{path}: is not the published file (SHA-256 differs); get it anew")
    return path


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Keep other processes from preparing the same; clear what a killed one left."""
    lock = FileLock(home / "lock")
    with writing(home):
        home.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        for building in home.glob(".building-*"):
            shutil.rmtree(building)
        yield
    finally:
        lock.release()


def _keep(folder: Path, assets: Assets, contents: Mapping[str, bytes]) -> None:
    """Write the files into a folder that gets its name when it is complete."""
    if content_digest(contents) != assets.digest:
        raise DataError(f"{assets.name}: the files hold something else than they should")
    with writing(folder):
        shutil.rmtree(folder, ignore_errors=True)
        building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".building-"))
        for name, content in contents.items():
            (building / name).write_bytes(content)
        building.chmod(0o755)
        building.replace(folder)


def _intact(folder: Path, assets: Assets) -> bool:
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        contents = {entry.name: Path(entry).read_bytes() for entry in entries if entry.is_file()}
    return content_digest(contents) == assets.digest


def _prepared(assets: Assets, folder: Path) -> PreparedAssets:
    return PreparedAssets(assets.name, folder, assets.digest, assets.title)


def _nobody(phase: str, fraction: float) -> None:
    """Watch nothing."""
