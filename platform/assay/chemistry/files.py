"""What every reader of samples needs: text that fits into memory, and records set aside."""

import gzip
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeVar

import psutil

from assay.errors import DataError

MEMORY_A_BYTE = 6
"""Bytes of memory that reading takes for a byte of text: 5.3 measured on xyz."""

_BLOCK = 1 << 24

Fault = tuple[int, str]
"""Index of a record, and what is wrong with it."""


@dataclass(frozen=True)
class Rejected:
    """A record of a file that cannot be used, and why."""

    record: int
    """Place in the file, counted from 1."""
    reason: str


class RecordError(Exception):
    """What is wrong with a record."""


class Packed(Protocol):
    """Records in arrays, such as `Molecules`."""

    def __len__(self) -> int:
        """Return their number."""
        ...

    def select(self, indices: Sequence[int]) -> Self:
        """Return those at `indices`."""
        ...


P = TypeVar("P", bound=Packed)
R = TypeVar("R")


def usable(
    found: Iterable[R | str],
    pack: Callable[[Sequence[R]], P],
    absurd: Callable[[P], Sequence[Fault]],
) -> tuple[P, list[int], list[Rejected]]:
    """Return the records that can be used, their places in the file, and those set aside.

    Args:
        found: Each record in order, or why it is none.
        pack: Makes arrays of records.
        absurd: Says which of them cannot be meant.
    """
    records: list[R] = []
    places: list[int] = []
    rejected: list[Rejected] = []
    for place, record in enumerate(found, start=1):
        if isinstance(record, str):
            rejected.append(Rejected(place, record))
        else:
            records.append(record)
            places.append(place)
    packed = pack(records)
    return set_aside(packed, places, rejected, absurd(packed))


def set_aside(
    packed: P, places: Sequence[int], rejected: Sequence[Rejected], faults: Sequence[Fault]
) -> tuple[P, list[int], list[Rejected]]:
    """Return what is left without the records at fault, their places, and all rejected."""
    reasons = dict(faults)
    kept = [index for index in range(len(packed)) if index not in reasons]
    more = [Rejected(places[index], reason) for index, reason in reasons.items()]
    everything = sorted([*rejected, *more], key=lambda entry: entry.record)
    return packed.select(kept), [places[index] for index in kept], everything


def require_some(path: Path, packed: Packed, rejected: Sequence[Rejected], what: str) -> None:
    """Refuse a file of which nothing is left.

    Raises:
        DataError: gives the first reason.
    """
    if not len(packed):
        why = f": record {rejected[0].record}: {rejected[0].reason}" if rejected else ""
        raise DataError(f"{path}: holds no usable {what}{why}")


def read_text(path: Path) -> str:
    """Return the text of a file, unpacked if its name ends in .gz.

    Raises:
        DataError: it is missing, no regular file, not text, or does not fit into memory.
    """
    free = psutil.virtual_memory().available
    _require_regular(path, free)
    try:
        content = _unpacked(path, free) if path.suffix == ".gz" else path.read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not a text file") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: is not a whole gzip file; get it anew") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def quoted(text: str) -> str:
    """Return a word of a file as a sentence shows it: quoted, and cut if it is long."""
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


def _unpacked(path: Path, free: int) -> bytes:
    """Unpack block by block: a few KB can become any size."""
    blocks: list[bytes] = []
    size = 0
    with gzip.open(path) as file:
        while block := file.read(_BLOCK):
            blocks.append(block)
            size += len(block)
            if size * MEMORY_A_BYTE > free:
                raise _too_large(path, size, free)
    return b"".join(blocks)


def _require_regular(path: Path, free: int) -> None:
    """Refuse a device or a pipe, which never ends, and a text that does not fit into memory."""
    if not path.exists():
        return
    if not path.is_file():
        raise DataError(f"{path}: is no regular file; give a file")
    if path.stat().st_size * MEMORY_A_BYTE > free:
        raise _too_large(path, path.stat().st_size, free)


def _too_large(path: Path, size: int, free: int) -> DataError:
    return DataError(
        f"{path}: takes about {size * MEMORY_A_BYTE / 2**30:,.1f} GiB of memory to read, of which "
        f"this machine has {free / 2**30:,.1f} free; split it, or give an npz"
    )
