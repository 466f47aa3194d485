"""Molecules that cannot be meant: empty, not finite, of no element, coincident, in a wrong unit.

Shapes: M molecules, ΣN their atoms one after the other, n atoms of each molecule of one size.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from assay.chemistry.elements import HIGHEST, covalent_radii
from assay.chemistry.molecules import Molecules
from assay.errors import DataError

MOST_ATOMS = 999
"""Of a molecule: what has more is no small molecule, and comparing its atoms takes gigabytes."""

COINCIDENT = 0.01
"""Å: below it two atoms are at one place, whatever the unit was."""

NANOMETRES = 0.3
"""Å: no atom's nearest neighbour is as near as this; in nm every bond is nearer."""

HYDROGEN = (0.7, 1.65)
"""Å: from a hydrogen to its nearest atom it is 0.74 (H2) to 1.61 (HI); in Bohr at least 1.7."""

_UNITS = {"nanometres": 10.0, "Bohr": 0.529177}
"""Å in one of each."""

_BOND = (0.75, 1.25)
"""Length over the sum of the covalent radii, from N2 (0.77) to F2 (1.24)."""

_BOND_OF_HYDROGEN = (0.92, 1.08)
"""Of a hydrogen to another element: from HBr (0.93) to HF (1.05)."""

_FEWEST = 3
"""Atoms of which a unit is told: two may lie at any distance by chance."""

_SHORTEST_IN_BOHR = 1.7
"""Å: that of a hydrogen to fluorine, 0.92 Å, taken for Bohr."""

_UNANIMOUS = 0.9
_PAIRS_AT_ONCE = 4_000_000


def nearest_neighbours(molecules: Molecules) -> NDArray[np.float32]:
    """Return (ΣN,) the distance in Å from each atom to the nearest other of its molecule.

    It is inf for an atom that is alone, and nan beside coordinates that are not finite and among
    more than `MOST_ATOMS`, which are not compared.
    """
    nearest = np.full(len(molecules.numbers), np.inf, dtype=np.float32)
    nearest[np.repeat(molecules.n_atoms > MOST_ATOMS, molecules.n_atoms)] = np.nan
    starts, counts = molecules.offsets[:-1], molecules.n_atoms
    for size in np.unique(counts[(counts > 1) & (counts <= MOST_ATOMS)]):
        of_size = np.flatnonzero(molecules.n_atoms == size)
        for chunk in np.array_split(of_size, -(-len(of_size) * size**2 // _PAIRS_AT_ONCE)):
            rows_Mn = starts[chunk, None] + np.arange(size)
            nearest[rows_Mn] = _nearest(molecules.positions[rows_Mn])
    return nearest


def absurd_records(molecules: Molecules) -> list[tuple[int, str]]:
    """Return (index, reason) of each molecule that no unit or model can excuse, in order.

    No atoms or too many, coordinates that are not finite, atomic numbers of no element, coincident
    atoms.
    """
    owner = np.repeat(np.arange(len(molecules)), molecules.n_atoms)
    bad_rows = ~np.isfinite(molecules.positions)
    unknown = (molecules.numbers < 1) | (molecules.numbers > HIGHEST)
    coincident = nearest_neighbours(molecules) < COINCIDENT
    not_finite = _sum_by_molecule(bad_rows.sum(1), owner, len(molecules))
    reasons: dict[int, str] = {}
    for index in np.flatnonzero(molecules.n_atoms == 0):
        reasons[int(index)] = "it has no atoms"
    for index in np.flatnonzero(molecules.n_atoms > MOST_ATOMS):
        reasons[int(index)] = f"it has {molecules.n_atoms[index]:,} atoms, at most {MOST_ATOMS:,}"
    for index in np.flatnonzero(not_finite):
        reasons.setdefault(int(index), f"{not_finite[index]} coordinates are not finite")
    for row in np.flatnonzero(unknown):
        reasons.setdefault(int(owner[row]), f"no element has number {molecules.numbers[row]}")
    for index in np.unique(owner[coincident]):
        reasons.setdefault(int(index), f"two of its atoms are less than {COINCIDENT} Å apart")
    return sorted(reasons.items())


def suspect_units(molecules: Molecules) -> list[tuple[int, str]]:
    """Return (index, reason) of each molecule whose coordinates cannot be in Å.

    A molecule with hydrogens is judged by their median distance to the nearest atom; one without
    only by whether every atom is nearer to another than any bond is.
    """
    nearest = nearest_neighbours(molecules)
    owner = np.repeat(np.arange(len(molecules)), molecules.n_atoms)
    wide = _sum_by_molecule(~(nearest < NANOMETRES), owner, len(molecules)) > 0
    hydrogen = _median_by_molecule(nearest, (molecules.numbers == 1) & np.isfinite(nearest), owner)
    low, high = HYDROGEN
    reasons: dict[int, str] = {}
    for index in np.flatnonzero(~wide & (molecules.n_atoms > 1)):
        reasons[int(index)] = (
            f"every atom is within {NANOMETRES} Å of another: looks like nanometres, expected Å"
        )
    for index, distance in hydrogen:
        if not low <= distance <= high:
            unit = "looks like Bohr, expected Å" if high < distance < 2.6 else "expected Å"
            reasons.setdefault(
                index, f"hydrogens are {distance:.2f} Å from the nearest atom: {unit}"
            )
    return sorted(reasons.items())


def foreign_units(molecules: Molecules) -> list[tuple[int, str]]:
    """Return (index, reason) of each molecule that is certainly in nanometres or Bohr.

    That is, of three atoms or more every one is as far from its nearest as a bond is long in that
    unit, and none in Å. In Bohr this is certain only of two hydrogens or more, whose bonds hardly
    vary: heavier atoms at such distances may have been torn apart. What is merely odd is not
    reported.
    """
    nearest = nearest_neighbours(molecules)
    reasons: list[tuple[int, str]] = []
    for index, (begin, end) in enumerate(pairwise(molecules.offsets.tolist())):
        least, most = nearest[begin:end].min(initial=np.inf), nearest[begin:end].max(initial=0.0)
        strange = least > _SHORTEST_IN_BOHR or most < NANOMETRES
        if end - begin < _FEWEST or not (strange and np.isfinite(most)):
            continue
        ratios_n = _bond_ratios(molecules.positions[begin:end], molecules.numbers[begin:end])
        unit = _unit_of(ratios_n, molecules.numbers[begin:end] == 1)
        if unit is not None:
            reasons.append((index, f"its atoms are bound as in {unit}, and none as in Å"))
    return reasons


def _unit_of(ratios_n: NDArray[np.float32], hydrogen_n: NDArray[np.bool_]) -> str | None:
    """Return the unit in which all ratios to the sum of radii are those of bonds, if one is."""
    for unit, angstrom in _UNITS.items():
        there_n = ratios_n * angstrom
        if not np.all((there_n > _BOND[0]) & (there_n < _BOND[1])):
            continue
        low, high = _BOND_OF_HYDROGEN
        fits_n = (there_n > low) & (there_n < high)
        if unit == "nanometres" or (hydrogen_n.sum() > 1 and fits_n[hydrogen_n].all()):
            return unit
    return None


def _bond_ratios(
    positions_n3: NDArray[np.float32], numbers_n: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Return (n,) each atom's least distance over the sum of the two covalent radii."""
    radii_n = covalent_radii()[numbers_n]
    ratios_nn = cdist(positions_n3, positions_n3) / (radii_n[:, None] + radii_n[None, :])
    np.fill_diagonal(ratios_nn, np.inf)
    return ratios_nn.min(-1)


def wrong_unit(molecules: Molecules) -> str | None:
    """Return why a whole file cannot be in Å, or None.

    One molecule may be a poor sample; nine in ten that fail in the same way are a wrong unit.
    """
    return unanimous(suspect_units(molecules), len(molecules), "molecules")


def unanimous(suspects: Sequence[tuple[int, str]], count: int, what: str) -> str | None:
    """Return the reason for which nine in ten of `count` records are suspect, or None."""
    kinds = Counter(reason.rpartition(": ")[2] for _, reason in suspects)
    for kind, alike in kinds.most_common(1):
        if alike >= _UNANIMOUS * count:
            reason = next(text for _, text in suspects if text.endswith(kind))
            return f"{reason} ({alike:,} of {count:,} {what})"
    return None


def check_molecules(molecules: Molecules, ids: NDArray[np.integer], where: str) -> None:
    """Refuse molecules that cannot be meant.

    Args:
        molecules: What was read.
        ids: (M,) what the records are called in `where`.
        where: The file, for the message.

    Raises:
        DataError: names `where`, the first record and its fault.
    """
    refuse([*absurd_records(molecules), *suspect_units(molecules)], ids, where)


def refuse(faults: Sequence[tuple[int, str]], ids: NDArray[np.integer], where: str) -> None:
    """Refuse data of which any record, by its index, is at fault.

    Raises:
        DataError: names `where`, the first record by its id, and its fault.
    """
    if faults:
        index, reason = min(faults)
        more = len({fault[0] for fault in faults}) - 1
        others = f" ({more:,} more records are at fault)" if more else ""
        raise DataError(f"{where}: record {ids[index]}: {reason}{others}")


def _nearest(positions_Mn3: NDArray[np.float32]) -> NDArray[np.float32]:
    # Coordinates may be nan, inf or too large to square: the callers judge what comes of them.
    with np.errstate(invalid="ignore", over="ignore"):
        difference_Mnn3 = positions_Mn3[:, :, None, :] - positions_Mn3[:, None, :, :]
        squared_Mnn = np.einsum("mijk,mijk->mij", difference_Mnn3, difference_Mnn3)
    itself = np.arange(positions_Mn3.shape[1])
    squared_Mnn[:, itself, itself] = np.inf
    return np.sqrt(squared_Mnn.min(-1))


def _sum_by_molecule(
    values: NDArray[np.generic], owner: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    return np.bincount(owner, weights=values.astype(np.float64), minlength=count).astype(np.int64)


def _median_by_molecule(
    values: NDArray[np.float32], chosen: NDArray[np.bool_], owner: NDArray[np.int64]
) -> list[tuple[int, float]]:
    """Return (index, lower median) of the chosen values of each molecule that has any."""
    rows = np.flatnonzero(chosen)
    rows = rows[np.lexsort((values[rows], owner[rows]))]
    indices, first, counts = np.unique(owner[rows], return_index=True, return_counts=True)
    medians = values[rows[first + (counts - 1) // 2]]
    return list(zip(indices.tolist(), medians.tolist(), strict=True))
