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
import psutil
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from assay.chemistry.checks import absurd_records, wrong_unit
from assay.chemistry.elements import ATOMIC_NUMBERS, HIGHEST, SYMBOLS
from assay.chemistry.molecules import Molecules
from assay.chemistry.npz import load_npz
from assay.errors import DataError
from assay.result import write_bytes

MEMORY_A_BYTE = 6
"""Bytes of memory that reading takes for a byte of text: 5.3 measured on xyz."""


@dataclass(frozen=True)
class Rejected:
    """A record of a file that cannot be used, and why."""

    record: int
    """Place in the file, counted from 1."""
    reason: str


@dataclass(frozen=True)
class _Frame:
    numbers: Sequence[int] | NDArray[np.integer]
    """(n,) atomic numbers."""
    positions: NDArray[np.floating]
    """(n, 3), Å."""


def read_molecules(path: Path) -> tuple[Molecules, list[Rejected]]:
    """Read every usable molecule of an .xyz, .extxyz, .sdf or .npz file, in order.

    Set aside: records that are malformed or truncated, without atoms, of unknown elements, with
    coordinates that are not finite or atoms that coincide, periodic, declared in another unit,
    or drawn in two dimensions.

    Raises:
        DataError: the file is missing, of another kind, holds nothing usable, or is not in Å.
    """
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        known = ", ".join(_READERS)
        raise DataError(f"{path}: unknown kind of file {suffix!r}; give one of {known}")
    frames: list[_Frame] = []
    records: list[int] = []
    rejected: list[Rejected] = []
    for record, found in enumerate(_READERS[suffix](path), start=1):
        if isinstance(found, str):
            rejected.append(Rejected(record, found))
        else:
            frames.append(found)
            records.append(record)
    molecules = _pack(frames)
    absurd = dict(absurd_records(molecules))
    rejected += [Rejected(records[index], reason) for index, reason in absurd.items()]
    rejected.sort(key=lambda entry: entry.record)
    molecules = molecules.select([k for k in range(len(molecules)) if k not in absurd])
    if not len(molecules):
        why = f": record {rejected[0].record}: {rejected[0].reason}" if rejected else ""
        raise DataError(f"{path}: holds no usable molecule{why}")
    unit = wrong_unit(molecules)
    if unit is not None:
        raise DataError(f"{path}: {unit}; convert it to Å")
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


def _pack(frames: Sequence[_Frame]) -> Molecules:
    n_atoms = np.array([len(frame.numbers) for frame in frames], dtype=np.int64)
    positions = [np.zeros((0, 3)), *(frame.positions for frame in frames)]
    numbers = [np.zeros(0, dtype=np.uint8), *(np.asarray(f.numbers, np.uint8) for f in frames)]
    with np.errstate(over="ignore"):  # becomes infinite, which is then reported
        packed = np.concatenate(positions).astype(np.float32)
    return Molecules(packed, np.concatenate(numbers), n_atoms)


def _text(path: Path) -> str:
    _require_readable(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not a text file") from error


def _require_readable(path: Path) -> None:
    """Refuse a device or a pipe, which never ends, and a text that does not fit into memory."""
    if not path.exists():
        return
    if not path.is_file():
        raise DataError(f"{path}: is no regular file; give a file")
    size, free = path.stat().st_size, psutil.virtual_memory().available
    if size * MEMORY_A_BYTE > free:
        raise DataError(
            f"{path}: takes about {size * MEMORY_A_BYTE / 2**30:,.1f} GiB of memory to read, of "
            f"which this machine has {free / 2**30:,.1f} free; split it, or give an npz"
        )


# --- xyz and extended xyz -----------------------------------------------------------------------

_COUNT = re.compile(r"\s*\d{1,9}\s*")
_KEY_VALUE = re.compile(r'([\w.-]+)\s*=\s*("[^"]*"|\{[^}]*\}|\S+)')
_UNIT_KEY = re.compile(r"((length|pos|positions?|coords?|coordinates?)_?)?units?")
_ANGSTROM = {"angstrom", "angstroms", "ang", "a", "å"}


def _read_xyz(path: Path) -> Iterator[_Frame | str]:
    """Yield each frame, or why it is none.

    Only a line that gives a number of atoms is a lone integer, so after a fault reading goes on
    at the next such line.
    """
    lines = _text(path).splitlines()
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        if not _COUNT.fullmatch(lines[at]):
            yield f"line {at + 1} should give the number of atoms, but is {_quote(lines[at])}"
            at = next((k for k in range(at, len(lines)) if _COUNT.fullmatch(lines[k])), len(lines))
            continue
        count = int(lines[at])
        comment, block = "".join(lines[at + 1 : at + 2]), lines[at + 2 : at + 2 + count]
        early = next((k for k, line in enumerate(block) if _COUNT.fullmatch(line)), len(block))
        if early < count:
            yield f"line {at + 1} announces {count} atoms, but {early} follow: truncated"
        else:
            try:
                yield _xyz_frame(comment, block, at + 3)
            except _FrameError as fault:
                yield str(fault)
        at += 2 + early


class _FrameError(Exception):
    """What is wrong with a frame."""


def _xyz_frame(comment: str, block: Sequence[str], first_line: int) -> _Frame:
    given = {key.lower(): value.strip('"{}') for key, value in _KEY_VALUE.findall(comment)}
    _refuse_declared(given)
    species, position, width = _columns(given.get("properties"))
    rows = [line.split() for line in block]
    exact = "properties" in given
    for number, row in enumerate(rows, start=first_line):
        if len(row) < width or (exact and len(row) > width):
            raise _FrameError(f"line {number} has {len(row)} columns, not {width}")
    try:
        positions = np.array([row[position : position + 3] for row in rows], dtype=np.float64)
    except ValueError as error:
        raise _FrameError(f"a coordinate is not a number ({error})") from error
    return _Frame([_number(row[species]) for row in rows], positions.reshape(-1, 3))


def _refuse_declared(given: Mapping[str, str]) -> None:
    """Refuse what the comment line declares and a molecule in Å is not."""
    for key, value in given.items():
        if _UNIT_KEY.fullmatch(key) and value.lower() not in _ANGSTROM:
            raise _FrameError(f"{key}={_quote(value)}: positions must be in angstrom")
    axes = given.get("pbc", "T" if "lattice" in given else "F").split()
    if any(axis.upper() in {"T", "TRUE", "1"} for axis in axes):
        raise _FrameError("it is periodic, not a molecule")


def _columns(properties: str | None) -> tuple[int, int, int]:
    """Return the columns of the element and of x, and how many columns there are."""
    if properties is None:
        return 0, 1, 4
    words = properties.lower().split(":")
    found: dict[tuple[str, str, int], int] = {}
    width = 0
    for name, kind, size in zip(words[::3], words[1::3], words[2::3], strict=False):
        if not size.isdecimal():
            break
        found[name, kind, int(size)] = width
        width += int(size)
    elements = [("species", "s", 1), ("numbers", "i", 1), ("z", "i", 1)]
    species = next((found[key] for key in elements if key in found), None)
    position = next(
        (found[key] for key in [("pos", "r", 3), ("positions", "r", 3)] if key in found), None
    )
    if len(words) % 3 or species is None or position is None:
        raise _FrameError(f"Properties={_quote(properties)} lacks species:S:1 or pos:R:3")
    return species, position, width


def _number(word: str) -> int:
    """Return the atomic number of a symbol, or of its number."""
    number = int(word) if word.isdecimal() else ATOMIC_NUMBERS.get(word.capitalize(), 0)
    if not 1 <= number <= HIGHEST:
        raise _FrameError(f"unknown element {_quote(word)}")
    return number


def _quote(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


# --- sdf ----------------------------------------------------------------------------------------


def _read_sdf(path: Path) -> Iterator[_Frame | str]:
    """Yield each mol block's atoms, or why it has none; its bonds are not used."""
    blocks = re.split(r"^\$\$\$\$.*\n?", _text(path), flags=re.MULTILINE)
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
            yield f"unknown element {_quote(unknown[0])}"
        else:
            numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
            yield _Frame(
                numbers, molecule.GetConformer().GetPositions() if numbers else np.zeros((0, 3))
            )


# --- npz ----------------------------------------------------------------------------------------


def _read_npz(path: Path) -> Iterator[_Frame]:
    molecules = load_npz(path)
    for begin, end in pairwise(molecules.offsets.tolist()):
        yield _Frame(molecules.numbers[begin:end], molecules.positions[begin:end])


_READERS: Mapping[str, Callable[[Path], Iterator[_Frame | str]]] = {
    ".xyz": _read_xyz,
    ".extxyz": _read_xyz,
    ".sdf": _read_sdf,
    ".npz": _read_npz,
}
