"""Readers of the files in which MP-20 is found: CDVAE's three CSV files, and packed arrays.

Shapes: M crystals, ΣN their atoms one after the other.
"""

import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.crystal_formats import read_crystals
from assay.chemistry.crystals import Crystals
from assay.errors import DataError
from assay.store.packed import SPLITS
from assay.store.sets import Watch

PARTS = ("train.csv", "val.csv", "test.csv")
"""In the order of the codes of `assay.store.packed`."""

PACKED = "mp20.npz"

_MATERIAL = re.compile(r"(mp|mvc)-([1-9][0-9]*)")


@dataclass(frozen=True)
class Collection:
    """Crystals in the order of their files."""

    path: Path
    """The file or folder that they were read from."""
    ids: NDArray[np.int64]
    """(M,) as `number_of` has them."""
    split: NDArray[np.uint8]
    """(M,) codes as in `assay.store.packed`."""
    crystals: Crystals
    formation_energy: NDArray[np.float32]
    """(M,) eV/atom."""
    band_gap: NDArray[np.float32]
    """(M,) eV."""
    primitive: bool = False
    """Whether cells are primitive; of CDVAE's own, one in fifty is a multiple of that."""
    relaxed_anew: int = 0
    """Crystals whose coordinates are of a later release of the Materials Project."""


def number_of(material_id: str) -> int:
    """Return N for mp-N and -N for mvc-N: the two series share numbers.

    Raises:
        ValueError: it is neither.
    """
    found = _MATERIAL.fullmatch(material_id)
    if found is None:
        raise ValueError(f"{material_id!r} is no id such as mp-149 or mvc-15303")
    return int(found[2]) * (1 if found[1] == "mp" else -1)


def material_id(number: int) -> str:
    """Return the id of the Materials Project that `number_of` made a number of."""
    return f"mp-{number}" if number > 0 else f"mvc-{-number}"


def read_tables(folder: Path, watch: Watch) -> Collection:
    """Read train.csv, val.csv and test.csv as CDVAE publishes them.

    Raises:
        DataError: a file is missing or malformed, or a crystal cannot be used.
        MachineError: pymatgen is not installed.
    """
    import pandas as pd

    found: list[Crystals] = []
    tables: list[pd.DataFrame] = []
    columns: Any = {
        "material_id": str,
        "formation_energy_per_atom": float,
        "band_gap": float,
    }
    for code, name in enumerate(PARTS):
        watch("read", code / len(PARTS))
        path = folder / name
        crystals, rejected = read_crystals(path)
        try:
            table = pd.read_csv(path, usecols=[*columns], dtype=columns)
        except (OSError, ValueError) as error:
            named = ", ".join(columns)
            raise DataError(f"{path}: cannot be read as csv with {named}; get it anew") from error
        if rejected:
            material = table["material_id"].iloc[rejected[0].record - 1]
            raise DataError(f"{path}: record {material}: {rejected[0].reason}; get it anew")
        found.append(crystals)
        tables.append(table.assign(split=code))
    whole = pd.concat(tables)
    return Collection(
        folder,
        _numbers_of(whole["material_id"], folder),
        whole["split"].to_numpy(np.uint8),
        Crystals(
            np.concatenate([part.frac_coords for part in found]),
            np.concatenate([part.numbers for part in found]),
            np.concatenate([part.n_atoms for part in found]),
            np.concatenate([part.lattices for part in found]),
        ),
        whole["formation_energy_per_atom"].to_numpy(np.float32),
        whole["band_gap"].to_numpy(np.float32),
    )


def read_arrays(path: Path) -> Collection:
    """Read `mp20.npz`: packed arrays, labelled with the split; cells made primitive (MatterGen).

    Raises:
        DataError: the file is unreadable, or its arrays do not fit together.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            offsets = arrays["offsets"].astype(np.int64)
            crystals = Crystals(
                arrays["frac_coords"],
                arrays["atomic_numbers"],
                np.diff(offsets),
                arrays["lattice"],
            )
            ids, split, source = arrays["material_id"], arrays["split"], arrays["source"]
            energy, gap = arrays["formation_energy_per_atom"], arrays["band_gap"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read ({error}); get it anew") from error
    M, A = len(crystals), int(crystals.n_atoms.sum())
    fits = (
        ids.shape == split.shape == source.shape == energy.shape == gap.shape == (M,)
        and offsets[0] == 0
        and (crystals.n_atoms >= 0).all()
        and crystals.frac_coords.shape == (A, 3)
        and crystals.numbers.shape == (A,)
        and crystals.lattices.shape == (M, 3, 3)
        and crystals.frac_coords.dtype == crystals.lattices.dtype == np.float32
        and crystals.numbers.dtype == split.dtype == np.uint8
    )
    if not fits:
        raise DataError(f"{path}: the arrays do not fit together; get it anew")
    if M and split.max() >= len(SPLITS):
        raise DataError(f"{path}: split holds {split.max()}, expected 0, 1 or 2")
    return Collection(
        path,
        _numbers_of(ids.tolist(), path),
        split,
        crystals,
        energy.astype(np.float32),
        gap.astype(np.float32),
        primitive=True,
        relaxed_anew=int((source == 2).sum()),
    )


def _numbers_of(material_ids: Iterable[str], path: Path) -> NDArray[np.int64]:
    try:
        ids = np.array([number_of(str(each)) for each in material_ids], dtype=np.int64)
    except ValueError as error:
        raise DataError(f"{path}: {error}; get it anew") from error
    once, counts = np.unique(ids, return_counts=True)
    if len(once) < len(ids):
        twice = material_id(int(once[counts.argmax()]))
        raise DataError(f"{path}: material {twice} comes twice; get it anew")
    return ids
