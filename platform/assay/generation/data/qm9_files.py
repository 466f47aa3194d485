"""Readers of the files in which QM9 is found: the original xyz dialect, SDF, and packed arrays.

Shapes: M molecules, ΣN their atoms one after the other.
"""

import csv
import gzip
import math
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.elements import ATOMIC_NUMBERS
from assay.chemistry.molecules import Molecules
from assay.errors import DataError
from assay.store.fetch import archive_members
from assay.store.packed import SPLITS
from assay.store.sets import Watch

RECORDS = 133_885
"""Molecules of QM9, before the uncharacterised ones are removed."""

NUMBERS = {symbol: ATOMIC_NUMBERS[symbol] for symbol in ("H", "C", "N", "O", "F")}

_XYZ_NAME = re.compile(r"dsgdb9nsd_\d{6}\.xyz")
_SDF_NAME = re.compile(r"gdb[_ ](\d+)$")
_PROPERTIES = 15
_GAP = 7
"""Of the fifteen: A B C mu alpha homo lumo gap …, energies in hartree."""
_EV_PER_HARTREE = 27.211386245988
"""CODATA 2018."""

MOST_GAP_EV = 30.0
"""Of QM9, tetrafluoromethane has the largest, about 17 eV."""

TABLE = "qm9_molecules.csv.gz"
"""Beside packed arrays: gdb_id and gap_eV, empty where it is not known."""


@dataclass(frozen=True)
class Record:
    """One molecule as it was read."""

    gdb_id: int
    """1 to 133,885."""
    numbers: NDArray[np.uint8]
    """(N,) atomic numbers."""
    positions: NDArray[np.float64]
    """(N, 3) Å."""
    gap_ev: float = math.nan
    """Between the frontier orbitals; nan where the file does not say."""


@dataclass(frozen=True)
class Collection:
    """Molecules in the order of their gdb ids."""

    path: Path
    """The file or folder that they were read from."""
    gdb_ids: NDArray[np.int64]
    molecules: Molecules
    split: NDArray[np.uint8] | None = None
    """(M,) the EDM split, where the source labels it; codes as in `assay.store.packed`."""
    gaps_ev: NDArray[np.float32] | None = None
    """(M,) eV, nan where not known; None where the source has none at all."""


def read_archive(path: Path, watch: Watch) -> Collection:
    """Read `dsgdb9nsd.xyz.tar.bz2` without extracting it.

    Raises:
        DataError: the archive is damaged, or a record is malformed.
    """
    members = archive_members(path)
    texts = ((name, content) for name, content in members if _XYZ_NAME.fullmatch(name))
    return _collect(path, _xyz_records(path, texts), watch)


def read_xyz_folder(path: Path, watch: Watch) -> Collection:
    """Read a folder of files such as `dsgdb9nsd_000001.xyz`.

    Raises:
        DataError: a file is unreadable or malformed.
    """
    files = sorted(file for file in path.iterdir() if _XYZ_NAME.fullmatch(file.name))
    texts = ((file.name, _bytes(file)) for file in files)
    return _collect(path, _xyz_records(path, texts), watch)


def read_sdf(path: Path, watch: Watch) -> Collection:
    """Read an SDF (V2000) whose records are named `gdb_1`, …, such as gdb9.sdf.

    Raises:
        DataError: the file is missing, or a record is malformed.
    """
    return _collect(path, _sdf_records(path), watch)


def read_arrays(path: Path) -> Collection:
    """Read a folder with `qm9_structures.npz`: characterised molecules, labelled with the split.

    Raises:
        DataError: the file is unreadable, or its arrays do not fit together.
    """
    file = path / "qm9_structures.npz"
    try:
        with np.load(file, allow_pickle=False) as arrays:
            gdb_ids = arrays["gdb_id"].astype(np.int64)
            n_atoms = arrays["n_atoms"].astype(np.int64)
            molecules = Molecules(arrays["positions"], arrays["atomic_numbers"], n_atoms)
            split = arrays["edm_split"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{file}: cannot be read ({error}); get it anew") from error
    total = int(n_atoms.sum())
    fits = (
        n_atoms.shape == gdb_ids.shape == split.shape
        and molecules.positions.shape == (total, 3)
        and molecules.numbers.shape == (total,)
        and molecules.positions.dtype == np.float32
        and molecules.numbers.dtype == split.dtype == np.uint8
    )
    if not fits:
        raise DataError(f"{file}: the arrays do not fit together; get it anew")
    if split.size and split.max() >= len(SPLITS):
        raise DataError(f"{file}: edm_split holds {split.max()}, expected 0, 1 or 2")
    order = np.argsort(gdb_ids, kind="stable")
    return Collection(file, gdb_ids[order], molecules.select(order), split[order])


def read_gaps(path: Path, gdb_ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return (M,) gaps in eV of the molecules `gdb_ids` from a table, nan where it has none.

    Raises:
        DataError: the table is unreadable, lacks a column, or holds what is no gap.
    """
    found: dict[int, float] = {}
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["gap_eV"]:
                    found[int(row["gdb_id"])] = float(row["gap_eV"])
    except KeyError as error:
        raise DataError(f"{path}: has no column {error}; get it anew") from error
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise DataError(f"{path}: cannot be read as a table of gaps ({error})") from error
    for gdb_id, gap in found.items():
        if not 0 < gap < MOST_GAP_EV:
            raise DataError(f"{path}: gdb_id {gdb_id}: {gap} is no gap in eV; correct the unit")
    return np.array([found.get(k, math.nan) for k in gdb_ids.tolist()], dtype=np.float32)


def parse_xyz(text: str, where: str) -> Record:
    """Parse one file of the original dialect.

    N; `gdb <id>` and 15 properties; N lines of symbol, x, y, z (Å) and charge; the frequencies;
    two SMILES; two InChI. Numbers may be spelled `1.2*^-6`.

    Raises:
        DataError: names `where` and the fault.
    """
    lines = text.replace("*^", "e").rstrip().split("\n")
    count = _count(lines[0], where)
    if len(lines) != count + 5:
        raise DataError(
            f"{where}: {len(lines)} lines, expected {count + 5} for {count} atoms: cut off?"
        )
    properties = lines[1].split()
    if len(properties) != 2 + _PROPERTIES or properties[0] != "gdb" or not properties[1].isdigit():
        raise DataError(f"{where}: line 2 is not `gdb`, an id and {_PROPERTIES} properties")
    if len(lines[-2].split()) != 2 or not lines[-1].startswith("InChI="):
        raise DataError(f"{where}: does not end with two SMILES and two InChI: cut off?")
    atoms = [line.split() for line in lines[2 : 2 + count]]
    for number, fields in enumerate(atoms, start=3):
        if len(fields) != 5:
            raise DataError(f"{where}: line {number} has {len(fields)} fields, expected 5")
    try:
        positions = np.array([fields[1:4] for fields in atoms], dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{where}: a coordinate is not a number ({error})") from error
    try:
        gap_ev = float(properties[2 + _GAP]) * _EV_PER_HARTREE
    except ValueError as error:
        raise DataError(f"{where}: a property is not a number ({error})") from error
    numbers = _numbers([fields[0] for fields in atoms], where)
    return Record(int(properties[1]), numbers, positions, gap_ev)


def _count(line: str, where: str) -> int:
    if not line.strip().isdigit():
        raise DataError(f"{where}: line 1 is {line.strip()[:40]!r}, expected the number of atoms")
    count = int(line)
    if count == 0:
        raise DataError(f"{where}: has no atoms")
    return count


def _numbers(symbols: Iterable[str], where: str) -> NDArray[np.uint8]:
    try:
        return np.array([NUMBERS[symbol] for symbol in symbols], dtype=np.uint8)
    except KeyError as error:
        raise DataError(
            f"{where}: element {error.args[0]!r} is not one of {' '.join(NUMBERS)}"
        ) from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _xyz_records(path: Path, texts: Iterable[tuple[str, bytes]]) -> Iterator[Record]:
    for name, content in texts:
        yield parse_xyz(content.decode("utf-8", errors="replace"), f"{path}: {name}")


def _sdf_records(path: Path) -> Iterator[Record]:
    from rdkit import Chem, rdBase

    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    with file, rdBase.BlockLogs():
        # Not sanitised: we read atoms, and upstream draws some bonds that RDKit rejects.
        supplier = Chem.ForwardSDMolSupplier(file, sanitize=False, removeHs=False)
        for number, molecule in enumerate(supplier, start=1):
            where = f"{path}: record {number}"
            if molecule is None or molecule.GetNumConformers() == 0:
                raise DataError(f"{where}: cannot be read as V2000 with coordinates: cut off?")
            name = _SDF_NAME.match(molecule.GetProp("_Name").strip())
            if name is None:
                raise DataError(f"{where}: its title is not `gdb_<id>`")
            symbols = [atom.GetSymbol() for atom in molecule.GetAtoms()]
            if not symbols:
                raise DataError(f"{where}: has no atoms")
            positions = molecule.GetConformer().GetPositions()
            yield Record(int(name[1]), _numbers(symbols, where), positions)


def _collect(path: Path, records: Iterable[Record], watch: Watch) -> Collection:
    found: dict[int, Record] = {}
    for number, record in enumerate(records, start=1):
        if not 1 <= record.gdb_id <= RECORDS:
            raise DataError(f"{path}: record {number}: QM9 has no id {record.gdb_id}")
        if record.gdb_id in found:
            raise DataError(f"{path}: record {number}: id {record.gdb_id} comes twice")
        found[record.gdb_id] = record
        if number % 1000 == 0:
            watch("read", min(number / RECORDS, 1.0))
    if not found:
        raise DataError(f"{path}: holds no molecules")
    ordered = [found[gdb_id] for gdb_id in sorted(found)]
    molecules = Molecules(
        np.concatenate([record.positions for record in ordered]).astype(np.float32),
        np.concatenate([record.numbers for record in ordered]),
        np.array([len(record.numbers) for record in ordered], dtype=np.int64),
    )
    gaps_ev = np.array([record.gap_ev for record in ordered], dtype=np.float32)
    return Collection(path, np.array(sorted(found), dtype=np.int64), molecules, gaps_ev=gaps_ev)
