"""Which crystals are valid in the sense of CDVAE: by their distances, and by their composition.

Source: Xie et al., "Crystal Diffusion Variational Autoencoder for Periodic Material Generation",
ICLR 2022, section 5, and its public code; for compositions the SMACT test, Davies et al., Chem
1 (2016) 617, as smact 2.2.1 has it, which CDVAE pins. docs/protocols_crystals.md compares them.

Shapes: M crystals, N atoms of each of those of one size, R of them at once, I images.
"""

import functools
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.crystals import Crystals
from assay.chemistry.elements import HIGHEST, SYMBOLS
from assay.chemistry.extras import needing
from assay.chemistry.lattices import niggli_reduced
from assay.errors import DataError, MachineError

SHORTEST = 0.5
"""Å: atoms nearer than this, images included, make a crystal invalid."""

SMALLEST = 0.1
"""Å³: and so does a smaller cell."""

_PAIRS_AT_ONCE = 1 << 20
_SMACT_2_2_1 = {"Ir": (-2, -1, 1, 2, 3, 4, 5, 6, 7, 8)}
_PAULING_2_2_1 = {"Zr": 0.33}
_TABLES = "01f31288b6c15b22"
"""SHA-256 of the tables that the protocol is defined with, first 16 digits."""


@dataclass(frozen=True)
class _Element:
    states: tuple[int, ...]
    """Oxidation states that it may have; none: it is in no valid compound."""
    electronegativity: float | None
    """Pauling's; of few elements it is not known."""
    metal: bool


def structurally_valid(
    crystals: Crystals, pairs_at_once: int = _PAIRS_AT_ONCE
) -> NDArray[np.bool_]:
    """Return (M,) whether the cell is at least SMALLEST and no two atoms are nearer than SHORTEST.

    Distances are to the nearest image in any cell, however skewed, and an atom's own images count.
    A crystal without atoms, or with a number that is not finite, is not valid.

    Args:
        crystals: to look at.
        pairs_at_once: bounds the memory; the result does not depend on it.
    """
    lattices_M33 = crystals.lattices.astype(np.float64)
    valid = (crystals.n_atoms > 0) & np.isfinite(lattices_M33).all((1, 2))
    valid[crystals.owner[~np.isfinite(crystals.frac_coords).all(1)]] = False
    lattices_M33[~valid] = 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        volumes = np.abs(np.linalg.det(lattices_M33))
        valid &= volumes >= SMALLEST
        faces_M33 = np.cross(lattices_M33[:, [1, 2, 0]], lattices_M33[:, [2, 0, 1]])
        # With differences of coordinates in [-1/2, 1/2], an image n cells away along an axis is
        # at least n - 1/2 times the distance between its lattice planes away.
        wide = (volumes[:, None] / np.linalg.norm(faces_M33, axis=2) > 2 * SHORTEST).all(1)
    roomy = np.flatnonzero(valid & wide)
    valid[roomy] = ~_too_near(crystals.select(roomy), _ORIGIN, pairs_at_once)
    for k in np.flatnonzero(valid & ~wide).tolist():
        valid[k] = _valid_reduced(crystals.select([k]), pairs_at_once)
    return valid


def compositionally_valid(crystals: Crystals) -> NDArray[np.bool_]:
    """Return (M,) whether SMACT allows the composition; each is judged once.

    A crystal without atoms, or with an atomic number of no element, is not valid.

    Raises:
        MachineError: smact is missing, or is a version with other tables.
    """
    kinds, which = compositions(crystals)
    verdicts = []
    for kind in kinds:
        numbers = np.flatnonzero(kind)
        verdicts.append(is_smact_valid(tuple(numbers.tolist()), tuple(kind[numbers].tolist())))
    return np.array(verdicts, dtype=bool)[which]


def compositions(crystals: Crystals) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct reduced formulas, and (M,) which of them each crystal has.

    A formula is (HIGHEST + 1,) numbers of atoms by atomic number, without a common divisor; of a
    crystal without atoms, or with an atomic number of no element, it is all zeros.
    """
    known = (crystals.numbers > 0) & (crystals.numbers <= HIGHEST)
    cells = crystals.owner[known] * (HIGHEST + 1) + crystals.numbers[known]
    counts = np.bincount(cells, minlength=len(crystals) * (HIGHEST + 1)).reshape(-1, HIGHEST + 1)
    counts[crystals.owner[~known]] = 0
    counts //= np.maximum(np.gcd.reduce(counts, axis=1, keepdims=True), 1)
    rows = np.ascontiguousarray(counts).view(f"V{counts.itemsize * (HIGHEST + 1)}").ravel()
    _, first, which = np.unique(rows, return_index=True, return_inverse=True)
    return counts[first], which


@functools.lru_cache(maxsize=100_000)
def is_smact_valid(numbers: tuple[int, ...], counts: tuple[int, ...]) -> bool:
    """Say whether oxidation states exist that are neutral and in the order of electronegativity.

    Every cation must be less electronegative than every anion. An element by itself is valid, and
    so is an alloy: metals only. Oxidation states are not enumerated, as they are in the public
    code: where the order is known, the cations are those below some electronegativity, so that for
    each of the few ways to cut the elements it remains to be seen whether the sums of charge that
    cations can reach meet those of anions.

    Args:
        numbers: atomic numbers, ascending, each once.
        counts: of each in the reduced formula.

    Raises:
        MachineError: smact is missing, or is a version with other tables.
    """
    elements = [_elements()[number] for number in numbers]
    if len(elements) < 2 or all(element.metal for element in elements):
        return len(elements) > 0
    return any(_neutral(elements, counts, signs) for signs in _allowed_signs(elements))


def _allowed_signs(elements: Sequence[_Element]) -> Iterator[tuple[int, ...]]:
    """Yield the signs of charge that the test of electronegativities lets pass."""
    known = [e.electronegativity for e in elements if e.electronegativity is not None]
    if len(known) == len(elements):
        for highest_cation in sorted(set(known)):
            yield tuple(1 if value <= highest_cation else -1 for value in known)
    else:
        yield from filter(
            functools.partial(_passes, elements), itertools.product((1, -1), repeat=len(elements))
        )


def _passes(elements: Sequence[_Element], signs: Sequence[int]) -> bool:
    """Follow the public test pair by pair where an electronegativity is not known.

    There a pair of opposite charges ends the test well, and a pair of like charges ends it badly.
    """
    for (one, sign), (other, other_sign) in itertools.combinations(
        zip(elements, signs, strict=True), 2
    ):
        low, high = one.electronegativity, other.electronegativity
        if low is None or high is None:
            return sign != other_sign
        if (sign - other_sign) * (low - high) >= 0 and sign != other_sign:
            return False
    return True


def _neutral(elements: Sequence[_Element], counts: Sequence[int], signs: Sequence[int]) -> bool:
    """Say whether charges of these signs can sum to 0; reachable sums are the bits of integers."""
    reachable = {1: 1, -1: 1}
    for element, count, sign in zip(elements, counts, signs, strict=True):
        shifts = [abs(state) * count for state in element.states if state * sign > 0]
        reachable[sign] = functools.reduce(
            lambda bits, shift, start=reachable[sign]: bits | start << shift, shifts, 0
        )
    return reachable[1] & reachable[-1] != 0


@functools.cache
def _elements() -> tuple[_Element, ...]:
    """Return the elements by atomic number; entry 0 is no element."""
    with needing("crystals"):
        import smact
    found = [_Element((), None, False)]
    for symbol in SYMBOLS[1:]:
        try:
            element = smact.Element(symbol)
        except KeyError:  # beyond lawrencium
            found.append(_Element((), None, False))
            continue
        states = _SMACT_2_2_1.get(symbol, tuple(element.oxidation_states_smact14 or ()))
        pauling = _PAULING_2_2_1.get(symbol, element.pauling_eneg)
        found.append(_Element(states, pauling, symbol in smact.metals))
    tables = json.dumps([(e.states, e.electronegativity, e.metal) for e in found])
    if hashlib.sha256(tables.encode()).hexdigest()[:16] != _TABLES:
        raise MachineError(
            "smact: its tables of elements are not those that the protocol cdvae is defined with; "
            "run `pip install smact==4.0.2`"
        )
    return tuple(found)


def _valid_reduced(crystal: Crystals, pairs_at_once: int) -> bool:
    """Judge a crystal with lattice planes so near that further images matter."""
    try:
        reduced = niggli_reduced(crystal)
    except DataError:  # as good as flat
        return False
    # In a reduced cell the shortest edge is the shortest translation, and the nearest image of an
    # atom is among those one cell away.
    if np.linalg.norm(reduced.lattices[0], axis=1).min() < SHORTEST:
        return False
    return not _too_near(reduced, _AROUND, pairs_at_once)[0]


def _too_near(
    crystals: Crystals, images_I3: NDArray[np.float64], pairs_at_once: int
) -> NDArray[np.bool_]:
    """Return (M,) whether two different atoms are nearer than SHORTEST, in the given cells."""
    found = np.zeros(len(crystals), dtype=bool)
    starts = crystals.offsets[:-1]
    for size in np.unique(crystals.n_atoms[crystals.n_atoms > 1]).tolist():
        of_size = np.flatnonzero(crystals.n_atoms == size)
        rows = min(size, max(1, pairs_at_once // size))
        parts = np.array_split(of_size, -(-len(of_size) * rows * size // pairs_at_once))
        for part, begin in itertools.product(parts, range(0, size, rows)):
            frac_MN3 = crystals.frac_coords[starts[part, None] + np.arange(size)].astype(np.float64)
            some = slice(begin, begin + rows)
            difference_MRN3 = frac_MN3[:, some, None] - frac_MN3[:, None, :]
            difference_MRN3 -= np.rint(difference_MRN3)
            lattices_M133 = crystals.lattices[part, None].astype(np.float64)
            itself_RN = np.eye(size, dtype=bool)[some]
            for image_3 in images_I3:
                vectors_MRN3 = (difference_MRN3 + image_3) @ lattices_M133
                squares_MRN = np.einsum("mijk,mijk->mij", vectors_MRN3, vectors_MRN3)
                squares_MRN[:, itself_RN] = np.inf
                found[part] |= (squares_MRN < SHORTEST**2).any((1, 2))
    return found


_ORIGIN = np.zeros((1, 3))
_AROUND = np.array(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)))
