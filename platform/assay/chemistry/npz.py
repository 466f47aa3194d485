"""Packed molecules as one NPZ file: `positions` float32 (ΣN, 3) Å, `numbers` uint8, `n_atoms` (M,).

What stands in the file is returned as it is, sound or absurd; `assay.chemistry.formats` judges it.
"""

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import psutil
from numpy.typing import NDArray

from assay.chemistry.molecules import Molecules
from assay.errors import DataError
from assay.result import write_bytes

_DAMAGED = (
    OSError, ValueError, TypeError, EOFError, RuntimeError, NotImplementedError, MemoryError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def write_npz(path: Path, molecules: Molecules) -> None:
    """Write `positions` float32 (ΣN, 3) Å, `numbers` uint8 (ΣN,), `n_atoms` (M,), atomically."""
    content = io.BytesIO()
    np.savez_compressed(
        content,
        positions=molecules.positions.astype(np.float32, copy=False),
        numbers=molecules.numbers.astype(np.uint8, copy=False),
        n_atoms=molecules.n_atoms.astype(np.int64, copy=False),
    )
    write_bytes(path, content.getvalue())


def load_npz(path: Path) -> Molecules:
    """Read the three arrays.

    Raises:
        DataError: they are missing or do not fit each other; then no record can be told apart.
    """
    positions = _array(path, "positions", "float")
    numbers = _array(path, "numbers", "int")
    n_atoms = _array(path, "n_atoms", "int")
    A = len(numbers)
    if numbers.ndim != 1 or n_atoms.ndim != 1 or positions.shape != (A, 3):
        raise DataError(
            f"{path}: positions, numbers and n_atoms have shapes {positions.shape}, "
            f"{numbers.shape}, {n_atoms.shape}; expected (ΣN, 3), (ΣN,), (M,)"
        )
    n_atoms = n_atoms.astype(np.int64)
    if np.any((n_atoms < 0) | (n_atoms > A)) or n_atoms.sum() != A:
        raise DataError(f"{path}: n_atoms must be counts that sum to the {A:,} atoms there are")
    if np.any((numbers < 0) | (numbers > 255)):
        raise DataError(f"{path}: numbers must be atomic numbers, 0 to 255")
    with np.errstate(over="ignore"):  # becomes infinite, which whoever judges them reports
        return Molecules(positions.astype(np.float32), numbers.astype(np.uint8), n_atoms)


def _require_memory(path: Path, file: BinaryIO, name: str) -> None:
    """Refuse an array that unpacks to more than this machine has, as a few KB of zeros can."""
    with zipfile.ZipFile(file) as archive:
        size = archive.getinfo(f"{name}.npy").file_size
    free = psutil.virtual_memory().available
    if size > free:
        raise DataError(
            f"{path}: array {name!r} unpacks to {size / 2**30:,.1f} GiB, of which this machine has "
            f"{free / 2**30:,.1f} free; split the file"
        )
    file.seek(0)


def _array(path: Path, name: str, kind: Literal["float", "int"]) -> NDArray[Any]:
    try:
        with path.open("rb") as file:
            _require_memory(path, file, name)
            with np.load(file, allow_pickle=False) as arrays:
                array = arrays[name]
    except KeyError as error:
        raise DataError(f"{path}: has no array {name!r}") from error
    except FileNotFoundError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except _DAMAGED as error:
        raise DataError(
            f"{path}: cannot be read as npz (damaged, of another kind, or holding pickles)"
        ) from error
    if array.dtype.kind not in {"float": "f", "int": "iu"}[kind]:
        raise DataError(f"{path}: array {name!r} is of {array.dtype}, expected {kind}")
    return array
