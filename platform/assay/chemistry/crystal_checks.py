"""Crystals that cannot be meant: empty, not finite, flat, left-handed, coincident, in a wrong unit.

Shapes: M crystals, ΣN their atoms one after the other, n atoms of each crystal of one size.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree

from assay.chemistry.checks import COINCIDENT, refuse
from assay.chemistry.crystals import Crystals
from assay.chemistry.elements import HIGHEST, covalent_radii
from assay.chemistry.lattices import minimum_image_vectors

MOST_ATOMS = 9_999
"""Of a cell: what has more is no unit cell, and comparing its atoms would take minutes."""

SINGULAR = 1e-3
"""Å³: below it a cell has no volume, whatever its unit was (MP-20 has 10.8 at least)."""

NANOMETRES = 0.5
"""Å: no atom's nearest neighbour is as near as this; in nm almost every one is nearer."""

UNBOUND = 1.4
"""Nearest distance over the sum of the covalent radii: of the crystals of MP-20, only those of
noble gases have no two atoms nearer than this (the median is 0.92)."""

_BOHR = 2.6
"""Up to which a ratio is that of bonds in Bohr (the median is 1.74) and not of another unit."""

_NOBLE = (2, 10, 18, 36, 54, 86)
_PAIRS_AT_ONCE = 200_000
_DENSE = 256
"""Atoms up to which all pairs are compared; beyond it a tree of the images is searched."""


def nearest_neighbours(crystals: Crystals) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (ΣN,) distances in Å to the nearest atom or image, and over the sum of the radii.

    The images are those of the 27 cells around, as `minimum_image_vectors` has them. The second
    array is the least ratio of a distance to the sum of the two covalent radii. Both are nan in a
    crystal that is not finite.
    """
    distances = np.full(len(crystals.numbers), np.nan, dtype=np.float32)
    ratios = distances.copy()
    offsets = crystals.offsets
    sound = np.isfinite(crystals.lattices).all(axis=(1, 2)) & (crystals.n_atoms > 0)
    sound[crystals.owner[~np.isfinite(crystals.frac_coords).all(1)]] = False
    for chosen, size in _of_one_size(crystals, sound):
        rows_Mn = offsets[chosen, None] + np.arange(size)
        frac_Mn3 = torch.from_numpy(crystals.frac_coords[rows_Mn])
        lattices_M33 = torch.from_numpy(crystals.lattices[chosen])
        radii_Mn = torch.from_numpy(covalent_radii()[crystals.numbers[rows_Mn]])
        if size > _DENSE:
            found = _by_tree(frac_Mn3[0], lattices_M33[0], radii_Mn[0])
        else:
            found = _by_all_pairs(frac_Mn3, lattices_M33, radii_Mn)
        distances[rows_Mn], ratios[rows_Mn] = found
    return distances, ratios


def absurd_records(crystals: Crystals) -> list[tuple[int, str]]:
    """Return (index, reason) of each crystal that no model can excuse, in order.

    No atoms or too many, numbers that are not finite, atomic numbers of no element, a cell that is
    singular or left-handed, fractional coordinates outside [0, 1), coincident atoms.
    """
    owner = crystals.owner
    reasons: dict[int, str] = {}
    for index in np.flatnonzero(crystals.n_atoms == 0):
        reasons[int(index)] = "it has no atoms"
    for index in np.flatnonzero(crystals.n_atoms > MOST_ATOMS):
        reasons[int(index)] = f"it has {crystals.n_atoms[index]:,} atoms, at most {MOST_ATOMS:,}"
    endless = (~np.isfinite(crystals.frac_coords)).sum(1)
    not_finite = np.bincount(owner, weights=endless, minlength=len(crystals)).astype(np.int64)
    for index in np.flatnonzero(not_finite):
        reasons.setdefault(int(index), f"{not_finite[index]} coordinates are not finite")
    for index in np.flatnonzero(~np.isfinite(crystals.lattices).all((1, 2))):
        reasons.setdefault(int(index), "its cell is not finite")
    for row in np.flatnonzero((crystals.numbers < 1) | (crystals.numbers > HIGHEST)):
        reasons.setdefault(int(owner[row]), f"no element has number {crystals.numbers[row]}")
    for index, reason in _bad_cells(crystals):
        reasons.setdefault(index, reason)
    outside = (crystals.frac_coords < 0) | (crystals.frac_coords >= 1)
    for row in np.flatnonzero(outside.any(1)):
        value = crystals.frac_coords[row][outside[row]][0]
        reason = f"fractional coordinate {value:.6g} lies outside [0, 1): wrap it into the cell"
        reasons.setdefault(int(owner[row]), reason)
    sound = np.array([k for k in range(len(crystals)) if k not in reasons], dtype=np.int64)
    kept = crystals.select(sound)
    coincident = nearest_neighbours(kept)[0] < COINCIDENT
    for index in sound[np.unique(kept.owner[coincident])].tolist():
        reasons[index] = f"two of its atoms are less than {COINCIDENT} Å apart"
    return sorted(reasons.items())


def suspect_units(crystals: Crystals) -> list[tuple[int, str]]:
    """Return (index, reason) of each crystal whose cell cannot be in Å.

    Every atom is nearer to another than any bond is, or no atom is near another at all; noble
    gases may be as far apart as they like.
    """
    distances, ratios = nearest_neighbours(crystals)
    occupied = np.flatnonzero(crystals.n_atoms)
    if not len(occupied):
        return []
    starts = crystals.offsets[:-1][occupied]
    furthest = np.maximum.reduceat(distances, starts)
    nearest = np.minimum.reduceat(ratios, starts)
    noble = np.minimum.reduceat(np.isin(crystals.numbers, _NOBLE), starts)
    reasons: dict[int, str] = {}
    for k in np.flatnonzero(furthest < NANOMETRES):
        reasons[int(occupied[k])] = (
            f"every atom is within {NANOMETRES} Å of another: looks like nanometres, expected Å"
        )
    for k in np.flatnonzero((nearest > UNBOUND) & ~noble):
        unit = "looks like Bohr, expected Å" if nearest[k] < _BOHR else "expected Å"
        reasons[int(occupied[k])] = (
            f"no two atoms are nearer than {nearest[k]:.2f} times their covalent radii: {unit}"
        )
    return sorted(reasons.items())


def check_crystals(crystals: Crystals, ids: NDArray[np.integer], where: str) -> None:
    """Refuse crystals that cannot be meant.

    Args:
        crystals: What was read.
        ids: (M,) what the records are called in `where`.
        where: The file, for the message.

    Raises:
        DataError: names `where`, the first record and its fault.
    """
    refuse([*absurd_records(crystals), *suspect_units(crystals)], ids, where)


def _bad_cells(crystals: Crystals) -> Iterator[tuple[int, str]]:
    with np.errstate(invalid="ignore", over="ignore"):
        volumes = crystals.volumes
    for index in np.flatnonzero(np.abs(volumes) < SINGULAR):
        yield int(index), f"its cell has a volume of {abs(volumes[index]):.2g} Å³: singular"
    for index in np.flatnonzero(volumes <= -SINGULAR):
        yield int(index), "its cell is left-handed: swap two vectors, and their coordinates"


def _of_one_size(
    crystals: Crystals, chosen: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Yield crystals that have as many atoms, so few at a time that their pairs fit into memory."""
    for size in np.unique(crystals.n_atoms[chosen]).tolist():
        of_size = np.flatnonzero(chosen & (crystals.n_atoms == size))
        at_once = max(1, _PAIRS_AT_ONCE // size**2) if size <= _DENSE else 1
        for begin in range(0, len(of_size), at_once):
            yield of_size[begin : begin + at_once], size


def _by_all_pairs(
    frac_Mn3: torch.Tensor, lattices_M33: torch.Tensor, radii_Mn: torch.Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    everywhere = torch.ones(frac_Mn3.shape[:2], dtype=torch.bool)
    distances_Mnn = minimum_image_vectors(frac_Mn3, lattices_M33, everywhere).norm(dim=-1)
    own_M = (_neighbours() @ lattices_M33).norm(dim=-1).amin(-1)
    distances_Mnn.diagonal(dim1=1, dim2=2).copy_(own_M[:, None])
    ratios_Mnn = distances_Mnn / (radii_Mn[:, :, None] + radii_Mn[:, None, :])
    return distances_Mnn.amin(-1).numpy(), ratios_Mnn.amin(-1).numpy()


def _by_tree(
    frac_n3: torch.Tensor, lattice_33: torch.Tensor, radii_n: torch.Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The ratio is that of the nearest atom: in a large cell another is hardly ever less."""
    own_n3 = (frac_n3 @ lattice_33).numpy()
    shifts_73 = torch.cat([torch.zeros(1, 3), _neighbours()]) @ lattice_33
    images = (own_n3 + shifts_73[:, None].numpy()).reshape(-1, 3)
    found, places = KDTree(images).query(own_n3, k=2)  # the nearer of the two is the atom itself
    distances = np.asarray(found)[:, 1]
    radii = radii_n.numpy()
    ratios = distances / (radii + radii[np.asarray(places)[:, 1] % len(radii)])
    return distances.astype(np.float32), ratios.astype(np.float32)


def _neighbours() -> torch.Tensor:
    cells = [cell for cell in product((-1.0, 0.0, 1.0), repeat=3) if any(cell)]
    return torch.tensor(cells)
