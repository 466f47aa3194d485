"""Textbook crystals, and what may be done to a crystal without changing it."""

import hashlib
from dataclasses import dataclass

import numpy as np

from assay.chemistry.crystals import Crystals
from assay.chemistry.elements import ATOMIC_NUMBERS
from tests.chemistry.geometries import random_rotation


def crystal(lattice, symbols, frac_coords):
    """One crystal; `symbols` are separated by spaces."""
    numbers = [ATOMIC_NUMBERS[symbol] for symbol in symbols.split()]
    return Crystals(
        np.array(frac_coords, dtype=np.float32).reshape(-1, 3),
        np.array(numbers, dtype=np.uint8),
        np.array([len(numbers)]),
        np.array(lattice, dtype=np.float32).reshape(1, 3, 3),
    )


def pack(*crystals):
    parts = zip(*((c.frac_coords, c.numbers, c.n_atoms, c.lattices) for c in crystals), strict=True)
    return Crystals(*(np.concatenate(part) for part in parts))


def fcc(a):
    return np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * a / 2


def bcc(a):
    return np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]) * a / 2


def hexagonal(a, c):
    return np.array([[a, 0, 0], [-a / 2, a * 0.75**0.5, 0], [0, 0, c]])


ORIGIN = (0, 0, 0)
HALF = (0.5, 0.5, 0.5)
QUARTER = (0.25, 0.25, 0.25)

COPPER = crystal(fcc(3.615), "Cu", [ORIGIN])
IRON = crystal(bcc(2.866), "Fe", [ORIGIN])
POLONIUM = crystal(np.eye(3) * 3.359, "Po", [ORIGIN])
MAGNESIUM = crystal(hexagonal(3.209, 5.211), "Mg Mg", [(1 / 3, 2 / 3, 0.25), (2 / 3, 1 / 3, 0.75)])
DIAMOND = crystal(fcc(3.567), "C C", [ORIGIN, QUARTER])
GRAPHITE = crystal(
    hexagonal(2.464, 6.711),
    "C C C C",
    [(0, 0, 0.25), (0, 0, 0.75), (1 / 3, 2 / 3, 0.25), (2 / 3, 1 / 3, 0.75)],
)
ROCK_SALT = crystal(fcc(5.640), "Na Cl", [ORIGIN, HALF])
CAESIUM_CHLORIDE = crystal(np.eye(3) * 4.123, "Cs Cl", [ORIGIN, HALF])
ZINC_BLENDE = crystal(fcc(5.409), "Zn S", [ORIGIN, QUARTER])
FLUORITE = crystal(fcc(5.463), "Ca F F", [ORIGIN, QUARTER, (0.75, 0.75, 0.75)])
PEROVSKITE = crystal(
    np.eye(3) * 3.905, "Sr Ti O O O", [ORIGIN, HALF, (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
)
RUTILE = crystal(
    np.diag([4.594, 4.594, 2.959]),
    "Ti Ti O O O O",
    [ORIGIN, HALF, (0.305, 0.305, 0), (0.695, 0.695, 0), (0.195, 0.805, 0.5), (0.805, 0.195, 0.5)],
)
TEXTBOOK = pack(
    COPPER, IRON, POLONIUM, MAGNESIUM, DIAMOND, GRAPHITE, ROCK_SALT, CAESIUM_CHLORIDE,
    ZINC_BLENDE, FLUORITE, PEROVSKITE, RUTILE,
)  # fmt: skip


def random_crystals(generator, count, density=0.06, largest=6):
    """Atoms of any element anywhere in any cell, so many in a cubic ångström."""
    found = []
    for _ in range(count):
        n = int(generator.integers(1, largest + 1))
        cell = generator.normal(size=(3, 3)) + 2 * np.eye(3)
        cell *= (n / density / abs(np.linalg.det(cell))) ** (1 / 3)
        numbers = generator.integers(1, 97, n).astype(np.uint8)
        frac = generator.random((n, 3)).astype(np.float32)
        found.append(Crystals(frac, numbers, np.array([n]), cell[None].astype(np.float32)))
    return pack(*found)


def disturbed(crystals, scale, generator):
    """Every atom moved by a normal deviate, in fractions of the cell."""
    moved = crystals.frac_coords + generator.normal(scale=scale, size=crystals.frac_coords.shape)
    return remade(crystals, frac=moved)


def remade(crystals, frac=None, numbers=None, lattices=None):
    frac = crystals.frac_coords if frac is None else frac
    frac = (frac - np.floor(frac)).astype(np.float32)
    return Crystals(
        np.where(frac < 1, frac, np.float32(0)),
        crystals.numbers if numbers is None else numbers,
        crystals.n_atoms,
        crystals.lattices if lattices is None else lattices.astype(np.float32),
    )


def shuffled(crystals, generator):
    """The atoms of every crystal in another order."""
    order = np.lexsort((generator.random(len(crystals.numbers)), crystals.owner))
    return remade(crystals, crystals.frac_coords[order], crystals.numbers[order])


def turned(crystals, generator):
    turns = np.stack([random_rotation(generator) for _ in range(len(crystals))])
    return remade(crystals, lattices=crystals.lattices @ turns)


def shifted(crystals, generator):
    """All atoms of a crystal moved by one vector."""
    shifts = generator.random((len(crystals), 3))
    return remade(crystals, crystals.frac_coords + shifts[crystals.owner])


def other_cell(crystals, generator):
    """The same crystals in other primitive cells, more skewed."""
    changes = []
    for _ in range(len(crystals)):
        change = np.eye(3)
        for _ in range(3):
            row, other = generator.permutation(3)[:2]
            change[row] += generator.choice([-1, 1]) * change[other]
        changes.append(change)
    frac = np.einsum("ni,nij->nj", crystals.frac_coords, np.linalg.inv(changes)[crystals.owner])
    return remade(crystals, frac, lattices=changes @ crystals.lattices.astype(np.float64))


def doubled(crystals, axis=0):
    """Two cells of every crystal as one."""
    stretch = np.ones(3)
    stretch[axis] = 2
    step = np.zeros(3)
    step[axis] = 0.5
    halves = np.stack([crystals.frac_coords / stretch, crystals.frac_coords / stretch + step], 1)
    return Crystals(
        halves.reshape(-1, 3).astype(np.float32),
        np.repeat(crystals.numbers, 2),
        crystals.n_atoms * 2,
        (crystals.lattices * stretch[:, None]).astype(np.float32),
    )


SAME = {
    "atoms in another order": shuffled,
    "turned": turned,
    "shifted": shifted,
    "another cell": other_cell,
}
"""What leaves a crystal as it is."""


@dataclass(frozen=True)
class Held:
    """A reference in memory."""

    train: Crystals
    validation: Crystals
    test: Crystals
    name: str = "held"

    @property
    def digest(self):
        content = b"".join(self.of(s).lattices.tobytes() for s in ("train", "validation", "test"))
        return hashlib.sha256(content).hexdigest()[:32]

    def of(self, split):
        return getattr(self, split)


def real_mp20(assay_data, split):
    """MP-20, read from its archive without the product's reader: 0 train, 1 validation, 2 test."""
    with np.load(assay_data / "mp20" / "mp20.npz") as arrays:
        every = Crystals(
            arrays["frac_coords"],
            arrays["atomic_numbers"],
            np.diff(arrays["offsets"]).astype(np.int64),
            arrays["lattice"],
        )
        return every.select(np.flatnonzero(arrays["split"] == split))
