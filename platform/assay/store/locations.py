"""Where data lives on this machine, and what is said when it cannot be written there."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from assay.errors import DataError, MachineError


def cache_root() -> Path:
    """Return the folder of prepared data sets: $ASSAY_CACHE, or ~/.cache/assay."""
    return Path(os.environ.get("ASSAY_CACHE") or Path.home() / ".cache" / "assay").absolute()


def data_root() -> Path | None:
    """Return the folder that $ASSAY_DATA names, or None where it is unset.

    Raises:
        DataError: ASSAY_DATA is set, but no such folder exists.
    """
    given = os.environ.get("ASSAY_DATA")
    if not given:
        return None
    root = Path(given).absolute()
    if not root.is_dir():
        raise DataError(f"ASSAY_DATA: {root} is not a folder; correct it, or unset it")
    return root


def source_root(name: str) -> Path | None:
    """Return `$ASSAY_DATA/<name>`, or None where ASSAY_DATA is unset.

    Raises:
        DataError: ASSAY_DATA is set, but it is missing or lacks that folder.
    """
    root = data_root()
    if root is None:
        return None
    folder = root / name
    if not folder.is_dir():
        raise DataError(
            f"ASSAY_DATA: {folder} is not a folder; put the data set there, or unset ASSAY_DATA"
        )
    return folder


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in one sentence why `path` cannot be written.

    Raises:
        MachineError: no space is left, or the folder may not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise MachineError(
                f"{path}: no space left on the device; free some, or set ASSAY_CACHE to another"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise MachineError(
                f"{path}: may not be written ({error.strerror}); set ASSAY_CACHE to another folder"
            ) from error
        raise
