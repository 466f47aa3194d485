"""Download a published file: resumed where it stopped, checked, and put in place whole."""

import hashlib
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from ssl import SSLError
from typing import Self

from assay import __version__
from assay.errors import DataError
from assay.redact import scrubbed, without_secrets
from assay.store.locations import writing

LARGEST_MEMBER = 64 << 20
"""Bytes of one file in an archive: a thousand times what any of ours holds."""

_BLOCK = 1 << 20
_SECONDS_OF_SILENCE = 60


def fetch(
    url: str, sha256: str | None, destination: Path, watch: Callable[[str, float], None]
) -> Path:
    """Download `url` to `destination` unless it is there; return `destination`.

    What arrives is kept in `<destination>.part`, from which the next call goes on (HTTP Range).
    The file gets its name only after its checksum.

    Args:
        url: http or https.
        sha256: 64 hex digits that the whole file must hash to; None where none is published, and
            the caller judges the content.
        destination: The file to be.
        watch: Told ("download", fraction).

    Raises:
        DataError: the URL cannot be reached, or the file is not the one expected.
        MachineError: no space is left.
    """
    if destination.exists() and sha256 in (None, file_sha256(destination)):
        return destination
    part = destination.with_name(destination.name + ".part")
    with writing(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        _receive(url, part, watch)
    found = file_sha256(part)
    if sha256 not in (None, found):
        part.unlink()
        raise DataError(
            f"{without_secrets(url)}: SHA-256 is {found}, expected {sha256}; the file was deleted: "
            f"try again, or give another source"
        )
    part.replace(destination)
    return destination


def file_sha256(path: Path) -> str:
    """Return the 64 hex digits of a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def archive_members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (base name, content) of each regular file of a tar archive, in its order.

    Nothing is extracted: whatever paths, links and devices the archive holds, no file is written
    or opened, and no header makes more memory be taken than a file of ours needs.

    Raises:
        DataError: the archive is missing, damaged, cut off, or holds an absurdly large file.
    """
    try:
        with tarfile.open(archive, "r|*", tarinfo=_Header) as tar:
            for member in tar:
                # Again, since an extended header may have changed the size.
                _require_small(member.name, member.size)
                file = tar.extractfile(member) if member.isreg() else None
                if file is not None:
                    yield member.name.rpartition("/")[2], file.read()
    except (OSError, EOFError, ValueError, tarfile.TarError) as error:
        raise DataError(
            f"{archive}: cannot be read as an archive ({error}); get it anew"
        ) from error


class _Header(tarfile.TarInfo):
    """A header whose size is looked at before what it announces is read."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        _require_small(header.name, header.size)
        return header


def _require_small(name: str, size: int) -> None:
    if size > LARGEST_MEMBER:
        raise tarfile.ReadError(f"{name!r} would take {size / 2**20:,.0f} MiB")


def _receive(url: str, part: Path, watch: Callable[[str, float], None]) -> None:
    shown = without_secrets(url)
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": f"assay/{__version__}"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=_SECONDS_OF_SILENCE) as response:
            _append(response, part, have if response.status == 206 else 0, watch)
    except urllib.error.HTTPError as error:
        # 416: nothing lies beyond what we have; the checksum will tell whether that is all.
        if error.code != 416:
            raise DataError(f"{shown}: the server answers {error.code} {error.reason}") from error
    except (urllib.error.URLError, HTTPException, SSLError, TimeoutError) as error:
        reason = scrubbed(str(getattr(error, "reason", None) or error), url)
        raise DataError(
            f"{shown}: cannot be reached ({reason}); try again to go on, or give a local copy with "
            f"--source"
        ) from error
    except ConnectionError as error:
        raise DataError(f"{shown}: the connection broke ({error}); try again to go on") from error


def _append(
    response: HTTPResponse,
    part: Path,
    have: int,
    watch: Callable[[str, float], None],
) -> None:
    announced = response.headers.get("Content-Length")
    total = have + int(announced) if announced else None
    with part.open("r+b" if have else "wb") as file:
        file.seek(have)
        file.truncate()
        while block := response.read(_BLOCK):
            file.write(block)
            have += len(block)
            watch("download", have / total if total else 0.0)
    if total is not None and have < total:
        raise ConnectionError(f"{have:,} of {total:,} bytes arrived")
