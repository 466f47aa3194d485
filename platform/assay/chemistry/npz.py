"""Packed molecules or crystals as one NPZ file, whose arrays are called as their fields are.

Molecules: `positions` float32 (ΣN, 3) Å. Crystals: `frac_coords` float32 (ΣN, 3) and `lattices`
float32 (M, 3, 3) Å. Both: `numbers` uint8 (ΣN,), `n_atoms` int64 (M,). What stands in the file is
returned as it is, sound or absurd; `assay.chemistry.formats` and `crystal_formats` judge it.
"""

import io
import zipfile
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import psutil
from numpy.typing import NDArray

from assay.chemistry.crystals import Crystals
from assay.chemistry.molecules import Molecules
from assay.errors import DataError
from assay.result import write_bytes

_TYPES = {
    "positions": np.float32,
    "frac_coords": np.float32,
    "numbers": np.uint8,
    "n_atoms": np.int64,
    "lattices": np.float32,
}

_DAMAGED = (
    OSError, ValueError, TypeError, EOFError, RuntimeError, NotImplementedError, MemoryError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_NO_ARCHIVE = "cannot be read as npz (damaged, of another kind, or holding pickles)"


def write_npz(path: Path, packed: Molecules | Crystals) -> None:
    """Write the arrays, atomically."""
    arrays = {field.name: getattr(packed, field.name) for field in fields(packed)}
    content = io.BytesIO()
    np.savez_compressed(content, **{k: a.astype(_TYPES[k], copy=False) for k, a in arrays.items()})
    write_bytes(path, content.getvalue())


def load_npz(path: Path) -> Molecules:
    """Read molecules.

    Raises:
        DataError: arrays are missing or do not fit each other; then no record can be told apart.
    """
    positions, numbers, n_atoms = _atoms(path, "positions")
    return Molecules(positions, numbers, n_atoms)


def load_crystals(path: Path) -> Crystals:
    """Read crystals.

    Raises:
        DataError: arrays are missing or do not fit each other; then no record can be told apart.
    """
    frac_coords, numbers, n_atoms = _atoms(path, "frac_coords")
    lattices = read_array(path, "lattices", "float")
    if lattices.shape != (len(n_atoms), 3, 3):
        raise DataError(
            f"{path}: lattices has shape {lattices.shape}, expected {(len(n_atoms), 3, 3)} as "
            f"n_atoms has {len(n_atoms):,} entries"
        )
    return Crystals(frac_coords, numbers, n_atoms, _float32(lattices))


def names_of(path: Path) -> frozenset[str]:
    """Return which arrays there are.

    Raises:
        DataError: it is no such file.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return frozenset(name.removesuffix(".npy") for name in archive.namelist())
    except FileNotFoundError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except _DAMAGED as error:
        raise DataError(f"{path}: {_NO_ARCHIVE}") from error


def _atoms(
    path: Path, coordinates: str
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.int64]]:
    """Return the array `coordinates` (ΣN, 3), numbers (ΣN,) and n_atoms (M,)."""
    places = read_array(path, coordinates, "float")
    numbers = read_array(path, "numbers", "int")
    n_atoms = read_array(path, "n_atoms", "int")
    A = numbers.size
    if numbers.ndim != 1 or n_atoms.ndim != 1 or places.shape != (A, 3):
        raise DataError(
            f"{path}: {coordinates}, numbers and n_atoms have shapes {places.shape}, "
            f"{numbers.shape}, {n_atoms.shape}; expected (ΣN, 3), (ΣN,), (M,)"
        )
    n_atoms = n_atoms.astype(np.int64)
    if np.any((n_atoms < 0) | (n_atoms > A)) or n_atoms.sum() != A:
        raise DataError(f"{path}: n_atoms must be counts that sum to the {A:,} atoms there are")
    if np.any((numbers < 0) | (numbers > 255)):
        raise DataError(f"{path}: numbers must be atomic numbers, 0 to 255")
    return _float32(places), numbers.astype(np.uint8), n_atoms


def _float32(array: NDArray[np.floating]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # becomes infinite, which whoever judges it reports
        return array.astype(np.float32)


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


def read_array(path: Path, name: str, kind: Literal["float", "int"]) -> NDArray[Any]:
    """Return one array of a file of them, in whatever precision it has.

    Raises:
        DataError: the file is missing, damaged or no NPZ, holds pickles, or unpacks to more than
            there is memory for; it lacks the array, or that is of another kind of number.
    """
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
        raise DataError(f"{path}: {_NO_ARCHIVE}") from error
    if array.dtype.kind not in {"float": "f", "int": "iu"}[kind]:
        raise DataError(f"{path}: array {name!r} is of {array.dtype}, expected {kind}")
    return array
