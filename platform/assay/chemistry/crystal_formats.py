"""Crystals from and to files: csv with CIF strings, cif, extended xyz and npz; lengths in Å.

A record that cannot be used is set aside with its reason and the rest is still read; a file that
is of no use as a whole (not such a file, nothing usable in it, another unit) is an error.

Coordinates outside [0, 1) name an image of the atom. Where the format allows that they are wrapped:
positions of extended xyz, and fractions of a CIF up to one cell away, as a third to nine tenths of
the published ones have them (Perov-5, Carbon-24; further away, none). Elsewhere (npz) they are a
fault, but for what rounding explains: more often than not Cartesian numbers were written.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from assay.chemistry.checks import unanimous
from assay.chemistry.cif import blocks_of, crystal_of
from assay.chemistry.crystal_checks import absurd_records, suspect_units
from assay.chemistry.crystals import Crystals
from assay.chemistry.elements import SYMBOLS
from assay.chemistry.files import (
    RecordError,
    Rejected,
    quoted,
    read_text,
    require_some,
    set_aside,
    usable,
)
from assay.chemistry.lattices import parameters_to_lattice, wrapped
from assay.chemistry.npz import load_crystals
from assay.chemistry.xyz import Frame, atoms_of, frames
from assay.errors import DataError
from assay.result import write_bytes

ROUNDING = 1e-4
"""By how much a coordinate may lie outside [0, 1) by rounding: files have four digits or more."""


@dataclass(frozen=True)
class _Crystal:
    numbers: Sequence[int] | NDArray[np.integer]
    """(n,) atomic numbers."""
    frac_coords: NDArray[np.floating]
    """(n, 3)."""
    lattice: NDArray[np.floating]
    """(3, 3) Å."""


def read_crystals(path: Path) -> tuple[Crystals, list[Rejected]]:
    """Read every usable crystal of a .csv, .csv.gz, .cif, .extxyz, .xyz or .npz file, in order.

    A csv has a column `cif` of CIF strings (the layout of MP-20). Set aside: records that cannot
    be parsed, without atoms or with 10,000 or more, of unknown elements, with partial occupancy,
    numbers that are not finite, a cell that is singular or left-handed, coordinates outside
    [0, 1), atoms that coincide, not periodic, declared in another unit, or, but for npz, bound as
    nothing in Å.

    Raises:
        DataError: the file is missing, of another kind, holds nothing usable, or is not in Å.
        MachineError: pymatgen is needed and not installed.
    """
    suffix = "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]).lower()
    if suffix not in _READERS:
        known = ", ".join(_READERS)
        raise DataError(f"{path}: unknown kind of file {suffix!r}; give one of {known}")
    crystals, places, rejected = usable(_READERS[suffix](path), _pack, absurd_records)
    require_some(path, crystals, rejected, "crystal")
    suspects = suspect_units(crystals)
    unit = unanimous(suspects, len(crystals), "crystals")
    if unit is not None:
        raise DataError(f"{path}: {unit}; convert it to Å")
    if suffix != ".npz":  # which says what its numbers are; samples may be as poor as they like
        crystals, _, rejected = set_aside(crystals, places, rejected, suspects)
    return crystals, rejected


def write_extxyz(path: Path, crystals: Crystals) -> None:
    """Write an extended xyz file as ASE reads it, atomically."""
    symbols = np.asarray(SYMBOLS)[crystals.numbers].tolist()
    positions = np.einsum(
        "ni,nij->nj",
        crystals.frac_coords.astype(np.float64),
        crystals.lattices.astype(np.float64)[crystals.owner],
    )
    atoms = [
        f"{symbol} {x:.9g} {y:.9g} {z:.9g}"
        for symbol, (x, y, z) in zip(symbols, positions.tolist(), strict=True)
    ]
    lines: list[str] = []
    for (begin, end), lattice in zip(
        pairwise(crystals.offsets.tolist()), crystals.lattices.reshape(-1, 9).tolist(), strict=True
    ):
        cell = " ".join(f"{entry:.9g}" for entry in lattice)
        comment = f'Lattice="{cell}" Properties=species:S:1:pos:R:3 pbc="T T T"'
        lines += [str(end - begin), comment, *atoms[begin:end]]
    write_bytes(path, "".join(f"{line}\n" for line in lines).encode())


def _pack(found: Sequence[_Crystal]) -> Crystals:
    n_atoms = np.array([len(each.numbers) for each in found], dtype=np.int64)
    frac_coords = [np.zeros((0, 3)), *(each.frac_coords for each in found)]
    numbers = [np.zeros(0, np.uint8), *(np.asarray(each.numbers, np.uint8) for each in found)]
    lattices = [np.zeros((0, 3, 3)), *(each.lattice[None] for each in found)]
    with np.errstate(over="ignore"):  # becomes infinite, which is then reported
        frac = torch.from_numpy(np.concatenate(frac_coords).astype(np.float32))
        cells = np.concatenate(lattices).astype(np.float32)
    near = (frac > -ROUNDING) & (frac < 1 + ROUNDING)
    inside = torch.where(near, wrapped(frac), frac).numpy()
    return Crystals(inside, np.concatenate(numbers), n_atoms, cells)


def _read_csv(path: Path) -> Iterator[_Crystal | str]:
    import pandas as pd

    try:
        table = pd.read_csv(
            io.StringIO(read_text(path)), usecols=["cif"], dtype=str, keep_default_na=False
        )
    except ValueError as error:  # pandas' own errors are such
        raise DataError(f"{path}: cannot be read as csv with a column 'cif'") from error
    for text in table["cif"]:
        blocks = list(blocks_of(text))
        if len(blocks) == 1:
            yield _from_cif(blocks[0])
        else:
            yield f"its cif has {len(blocks)} data blocks, not one: {quoted(text)}"


def _read_cif(path: Path) -> Iterator[_Crystal | str]:
    for block in blocks_of(read_text(path)):
        yield _from_cif(block)


def _from_cif(block: str) -> _Crystal | str:
    try:
        found = crystal_of(block)
    except RecordError as fault:
        return str(fault)
    lengths, angles = (
        torch.tensor([each], dtype=torch.float64) for each in (found.lengths, found.angles)
    )
    lattice = parameters_to_lattice(lengths, angles)[0].numpy()
    frac = found.frac_coords
    frac = np.where((frac >= -1) & (frac < 2), frac - np.floor(frac), frac)
    return _Crystal(found.numbers, frac, lattice)


def _read_extxyz(path: Path) -> Iterator[_Crystal | str]:
    for found in frames(read_text(path)):
        try:
            yield found if isinstance(found, str) else _of_frame(found)
        except RecordError as fault:
            yield str(fault)


def _of_frame(frame: Frame) -> _Crystal:
    numbers, positions = atoms_of(frame)
    if frame.periodic != (True, True, True):
        raise RecordError('it is not periodic in three directions (Lattice=…, pbc="T T T")')
    try:
        lattice = np.array(frame.given.get("lattice", "").split(), dtype=np.float64).reshape(3, 3)
    except ValueError as error:
        raise RecordError("Lattice does not hold nine numbers") from error
    if not np.isfinite(lattice).all() or abs(np.linalg.det(lattice)) < np.finfo(np.float32).tiny:
        return _Crystal(numbers, np.zeros_like(positions), lattice)  # which is found to be absurd
    with np.errstate(invalid="ignore", over="ignore"):  # of positions that are not finite
        frac = positions @ np.linalg.inv(lattice)
        return _Crystal(numbers, frac - np.floor(frac), lattice)


def _read_npz(path: Path) -> Iterator[_Crystal]:
    crystals = load_crystals(path)
    for (begin, end), lattice in zip(
        pairwise(crystals.offsets.tolist()), crystals.lattices, strict=True
    ):
        yield _Crystal(crystals.numbers[begin:end], crystals.frac_coords[begin:end], lattice)


_READERS: Mapping[str, Callable[[Path], Iterator[_Crystal | str]]] = {
    ".csv": _read_csv,
    ".csv.gz": _read_csv,
    ".cif": _read_cif,
    ".extxyz": _read_extxyz,
    ".xyz": _read_extxyz,
    ".npz": _read_npz,
}
