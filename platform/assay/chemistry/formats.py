"""Molecules from and to files: xyz, extxyz, sdf and npz, hydrogens as given, positions in Å.

A record that cannot be used is set aside with its reason and the rest is still read; a file that
is of no use as a whole (not such a file, nothing usable in it, another unit) is an error.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from assay.chemistry.checks import absurd_records, foreign_units, wrong_unit
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
from assay.chemistry.molecules import Molecules
from assay.chemistry.npz import load_npz
from assay.chemistry.xyz import Frame, atoms_of, frames
from assay.errors import DataError
from assay.result import write_bytes


@dataclass(frozen=True)
class _Molecule:
    numbers: Sequence[int] | NDArray[np.integer]
    """(n,) atomic numbers."""
    positions: NDArray[np.floating]
    """(n, 3), Å."""


def read_molecules(path: Path) -> tuple[Molecules, list[Rejected]]:
    """Read every usable molecule of an .xyz, .extxyz, .sdf or .npz file, in order.

    Set aside: records that are malformed or truncated, without atoms or with 1,000 or more, of
    unknown elements, with coordinates that are not finite or atoms that coincide, periodic,
    declared in another unit, drawn in two dimensions, or, but for npz, bound as in nanometres or
    Bohr.

    Raises:
        DataError: the file is missing, of another kind, holds nothing usable, or is not in Å.
    """
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        known = ", ".join(_READERS)
        raise DataError(f"{path}: unknown kind of file {suffix!r}; give one of {known}")
    molecules, places, rejected = usable(_READERS[suffix](path), _pack, absurd_records)
    require_some(path, molecules, rejected, "molecule")
    unit = wrong_unit(molecules)
    if unit is not None:
        raise DataError(f"{path}: {unit}; convert it to Å")
    if suffix != ".npz":  # which says what its numbers are; samples may be as poor as they like
        foreign = foreign_units(molecules)
        molecules, _, rejected = set_aside(molecules, places, rejected, foreign)
        require_some(path, molecules, rejected, "molecule")
    return molecules, rejected


def write_xyz(path: Path, molecules: Molecules) -> None:
    """Write an extended xyz file, atomically; float32 positions are read back exactly."""
    symbols = np.asarray(SYMBOLS)[molecules.numbers].tolist()
    rows = molecules.positions.tolist()
    atoms = [
        f"{symbol} {x:.9g} {y:.9g} {z:.9g}" for symbol, (x, y, z) in zip(symbols, rows, strict=True)
    ]
    lines: list[str] = []
    offsets = molecules.offsets.tolist()
    for begin, end in pairwise(offsets):
        lines += [str(end - begin), 'Properties=species:S:1:pos:R:3 pbc="F F F"', *atoms[begin:end]]
    write_bytes(path, "".join(f"{line}\n" for line in lines).encode())


def _pack(found: Sequence[_Molecule]) -> Molecules:
    n_atoms = np.array([len(each.numbers) for each in found], dtype=np.int64)
    positions = [np.zeros((0, 3)), *(each.positions for each in found)]
    numbers = [np.zeros(0, dtype=np.uint8), *(np.asarray(each.numbers, np.uint8) for each in found)]
    with np.errstate(over="ignore"):  # becomes infinite, which is then reported
        packed = np.concatenate(positions).astype(np.float32)
    return Molecules(packed, np.concatenate(numbers), n_atoms)


def _read_xyz(path: Path) -> Iterator[_Molecule | str]:
    for found in frames(read_text(path)):
        try:
            yield found if isinstance(found, str) else _molecule_of(found)
        except RecordError as fault:
            yield str(fault)


def _molecule_of(frame: Frame) -> _Molecule:
    molecule = _Molecule(*atoms_of(frame))
    if any(frame.periodic):
        raise RecordError("it is periodic, not a molecule")
    return molecule


def _read_sdf(path: Path) -> Iterator[_Molecule | str]:
    """Yield each mol block's atoms, or why it has none; its bonds are not used."""
    blocks = re.split(r"^\$\$\$\$.*\n?", read_text(path), flags=re.MULTILINE)
    if not blocks[-1].strip():
        del blocks[-1]
    for block in blocks:
        with rdBase.BlockLogs():
            molecule = Chem.MolFromMolBlock(block, sanitize=False, removeHs=False)
        header = block.splitlines()[1:2]
        if molecule is None:
            yield "RDKit cannot parse its mol block: malformed or truncated"
        elif header and header[0][20:22].upper() == "2D":
            yield "it is a drawing in two dimensions, not a geometry"
        elif unknown := [a.GetSymbol() for a in molecule.GetAtoms() if a.GetAtomicNum() == 0]:
            yield f"unknown element {quoted(unknown[0])}"
        else:
            numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
            yield _Molecule(
                numbers, molecule.GetConformer().GetPositions() if numbers else np.zeros((0, 3))
            )


def _read_npz(path: Path) -> Iterator[_Molecule]:
    molecules = load_npz(path)
    for begin, end in pairwise(molecules.offsets.tolist()):
        yield _Molecule(molecules.numbers[begin:end], molecules.positions[begin:end])


_READERS: Mapping[str, Callable[[Path], Iterator[_Molecule | str]]] = {
    ".xyz": _read_xyz,
    ".extxyz": _read_xyz,
    ".sdf": _read_sdf,
    ".npz": _read_npz,
}
