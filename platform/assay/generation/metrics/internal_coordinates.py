"""Bond lengths, bond angles and dihedral angles of many molecules at once, each with its type.

A type is written as in JODO's code: elements and bond orders in the order in which they are
joined, such as C1H, H1C-C2O and H1C-C1C-C1H. Read backwards it is the same type.

Shapes: A = ΣN atoms, B bonds, E = 2B directed bonds ordered by the atom they leave, V values.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.elements import ATOMIC_NUMBERS
from assay.chemistry.molecules import Molecules
from assay.chemistry.packing import offsets_of
from assay.generation.metrics import edm
from assay.generation.metrics.conformers import MOST_NEIGHBOURS

_MOLECULES_AT_ONCE = 1000
_NUMBER_BITS, _ORDER_BITS = 7, 2
_STEP = re.compile(r"([A-Z][a-z]?)([123])([A-Z][a-z]?)")

Code = TypeVar("Code", int, NDArray[np.int64])


@dataclass(frozen=True)
class Values:
    """Values of one family: all bond lengths, say."""

    value: NDArray[np.float64]
    """(V,) Å, or degrees."""
    kind: NDArray[np.int64]
    """(V,) code of the type, as `kind_of` gives it."""
    owner: NDArray[np.int64]
    """(V,) the molecule it is in."""


@dataclass(frozen=True)
class Bonded:
    """Who is bonded to whom."""

    molecules: Molecules
    owner_A: NDArray[np.int64]
    leaves_E: NDArray[np.int64]
    reaches_E: NDArray[np.int64]
    order_E: NDArray[np.int64]
    begin_A: NDArray[np.int64]
    """The first directed bond that leaves each atom."""
    degree_A: NDArray[np.int64]


def internal_coordinates(molecules: Molecules) -> tuple[Values, Values, Values]:
    """Return lengths (Å), angles (0 to 180°) and dihedral angles (-180 to 180°).

    Each length and each angle counts once; each dihedral angle once for its bond in the middle
    and the two at its ends, those of a ring of three among them, which are 0. An atom with more
    than `MOST_NEIGHBOURS` is in the middle of none: a heap of atoms would outweigh all molecules.
    """
    families: tuple[list[Values], list[Values], list[Values]] = ([], [], [])
    for begin in range(0, len(molecules), _MOLECULES_AT_ONCE):
        rows = np.arange(begin, min(begin + _MOLECULES_AT_ONCE, len(molecules)))
        bonded = _bonded(molecules.select(rows))
        for family, of in zip(families, (_lengths, _angles, _dihedrals), strict=True):
            found = of(bonded)
            family.append(Values(found.value, found.kind, found.owner + begin))
    lengths, angles, dihedrals = (_joined(family) for family in families)
    return lengths, angles, dihedrals


def kind_of(label: str) -> int:
    """Return the code of a type that is written out, such as `H1C-C2O`, read either way."""
    steps = [_STEP.fullmatch(step) for step in label.split("-")]
    parts = [step.groups() for step in steps if step is not None]
    numbers = [ATOMIC_NUMBERS[symbol] for symbol in (parts[0][0], *(part[2] for part in parts))]
    orders = [int(part[1]) for part in parts]
    return min(_code(numbers, orders), _code(numbers[::-1], orders[::-1]))


def _bonded(molecules: Molecules) -> Bonded:
    found = edm.bond_orders(molecules)
    leaves = np.concatenate([found.first, found.second])
    reaches = np.concatenate([found.second, found.first])
    order = np.lexsort((reaches, leaves))
    degree_A = np.bincount(leaves, minlength=len(molecules.numbers))
    return Bonded(
        molecules,
        np.repeat(np.arange(len(molecules)), molecules.n_atoms),
        leaves[order],
        reaches[order],
        np.tile(found.order, 2)[order].astype(np.int64),
        offsets_of(degree_A)[:-1],
        degree_A,
    )


def _lengths(bonded: Bonded) -> Values:
    once = bonded.leaves_E < bonded.reaches_E
    a, b = bonded.leaves_E[once], bonded.reaches_E[once]
    length = np.linalg.norm(_between(bonded, a, b), axis=1)
    return _values(bonded, length, (a, b), (bonded.order_E[once],))


def _angles(bonded: Bonded) -> Values:
    """Pair each directed bond with those that leave the same atom after it."""
    E = np.arange(len(bonded.leaves_E))
    centre_E = bonded.leaves_E
    place_E = E - bonded.begin_A[centre_E]
    after_E = np.where(_in_the_middle(bonded)[centre_E], bonded.degree_A[centre_E] - place_E - 1, 0)
    first = np.repeat(E, after_E)
    second = first + 1 + _counting(after_E)
    a, v, b = bonded.reaches_E[first], centre_E[first], bonded.reaches_E[second]
    angle = _angle(_between(bonded, v, a), _between(bonded, v, b))
    return _values(bonded, angle, (a, v, b), (bonded.order_E[first], bonded.order_E[second]))


def _dihedrals(bonded: Bonded) -> Values:
    """Pair, at each bond, those that leave one end with those that leave the other."""
    possible_A = _in_the_middle(bonded)
    once = bonded.leaves_E < bonded.reaches_E
    once &= possible_A[bonded.leaves_E] & possible_A[bonded.reaches_E]
    middle = np.flatnonzero(once)
    ends_B = bonded.degree_A[bonded.leaves_E[middle]], bonded.degree_A[bonded.reaches_E[middle]]
    pairs_B = ends_B[0] * ends_B[1]
    middle, width = np.repeat(middle, pairs_B), np.repeat(ends_B[1], pairs_B)
    place = _counting(pairs_B)
    b, c = bonded.leaves_E[middle], bonded.reaches_E[middle]
    left = bonded.begin_A[b] + place // np.maximum(width, 1)
    right = bonded.begin_A[c] + place % np.maximum(width, 1)
    outside = (bonded.reaches_E[left] != c) & (bonded.reaches_E[right] != b)
    left, middle, right, b, c = (x[outside] for x in (left, middle, right, b, c))
    a, d = bonded.reaches_E[left], bonded.reaches_E[right]
    angle = _dihedral(_between(bonded, a, b), _between(bonded, b, c), _between(bonded, c, d))
    orders = bonded.order_E[left], bonded.order_E[middle], bonded.order_E[right]
    return _values(bonded, angle, (a, b, c, d), orders)


def _in_the_middle(bonded: Bonded) -> NDArray[np.bool_]:
    return bonded.degree_A <= MOST_NEIGHBOURS


def _between(
    bonded: Bonded, begin: NDArray[np.int64], end: NDArray[np.int64]
) -> NDArray[np.float64]:
    positions = bonded.molecules.positions
    return positions[end].astype(np.float64) - positions[begin]


def _angle(one_V3: NDArray[np.float64], other_V3: NDArray[np.float64]) -> NDArray[np.float64]:
    across = np.linalg.norm(np.cross(one_V3, other_V3), axis=1)
    return np.degrees(np.arctan2(across, np.einsum("vi,vi->v", one_V3, other_V3)))


def _dihedral(
    ab_V3: NDArray[np.float64], bc_V3: NDArray[np.float64], cd_V3: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the angle between the two planes, 0 where the atoms lie in a line; IUPAC's sign."""
    left_V3, right_V3 = np.cross(ab_V3, bc_V3), np.cross(bc_V3, cd_V3)
    length = np.linalg.norm(bc_V3, axis=1)
    sine = length * np.einsum("vi,vi->v", ab_V3, right_V3)
    return np.degrees(np.arctan2(sine, np.einsum("vi,vi->v", left_V3, right_V3)))


def _values(
    bonded: Bonded,
    value: NDArray[np.float64],
    atoms: tuple[NDArray[np.int64], ...],
    orders: tuple[NDArray[np.int64], ...],
) -> Values:
    numbers = [bonded.molecules.numbers[atom].astype(np.int64) for atom in atoms]
    forward, backward = _code(numbers, orders), _code(numbers[::-1], orders[::-1])
    return Values(value, np.minimum(forward, backward), bonded.owner_A[atoms[0]])


def _code(numbers: Sequence[Code], orders: Sequence[Code]) -> Code:
    code, shift = numbers[0], _NUMBER_BITS
    for order, number in zip(orders, numbers[1:], strict=True):
        code = code | (order << shift) | (number << (shift + _ORDER_BITS))
        shift += _ORDER_BITS + _NUMBER_BITS
    return code


def _counting(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0 … count - 1 of each count, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(counts.sum()) - np.repeat(ends - counts, counts)


def _joined(parts: list[Values]) -> Values:
    nothing = Values(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    arrays = [(part.value, part.kind, part.owner) for part in [nothing, *parts]]
    return Values(*(np.concatenate(columns) for columns in zip(*arrays, strict=True)))
