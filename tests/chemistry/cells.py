"""Textbook crystals, in Å, and ways to disturb them."""

import numpy as np

from assay.chemistry.crystals import Crystals
from assay.chemistry.elements import ATOMIC_NUMBERS

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


def crystal(symbols, frac_coords, lattice):
    return Crystals(
        np.asarray(frac_coords, dtype=np.float32).reshape(-1, 3),
        np.array([ATOMIC_NUMBERS[symbol] for symbol in symbols], dtype=np.uint8),
        np.array([len(symbols)], dtype=np.int64),
        np.asarray(lattice, dtype=np.float32)[None],
    )


def pack(*crystals):
    return Crystals(
        np.concatenate([np.zeros((0, 3), np.float32), *(c.frac_coords for c in crystals)]),
        np.concatenate([np.zeros(0, np.uint8), *(c.numbers for c in crystals)]),
        np.concatenate([np.zeros(0, np.int64), *(c.n_atoms for c in crystals)]),
        np.concatenate([np.zeros((0, 3, 3), np.float32), *(c.lattices for c in crystals)]),
    )


def scaled(crystals, factor):
    lattices = (crystals.lattices * factor).astype(np.float32)
    return Crystals(crystals.frac_coords, crystals.numbers, crystals.n_atoms, lattices)


ROCK_SALT = crystal(["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]], 5.64 * FCC)
CESIUM_CHLORIDE = crystal(["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]], 4.12 * np.eye(3))
DIAMOND = crystal(["C", "C"], [[0, 0, 0], [0.25, 0.25, 0.25]], 3.567 * FCC)
COPPER = crystal(["Cu"], [[0, 0, 0]], 3.61 * FCC)
ARGON = crystal(["Ar"], [[0, 0, 0]], 5.26 * FCC)
PEROVSKITE = crystal(
    ["Sr", "Ti", "O", "O", "O"],
    [[0.5, 0.5, 0.5], [0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]],
    3.905 * np.eye(3),
)
GRAPHITE = crystal(
    ["C"] * 4,
    [[0, 0, 0.25], [0, 0, 0.75], [1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]],
    [[2.46, 0, 0], [-1.23, 2.1304, 0], [0, 0, 6.71]],
)

EVERYTHING = pack(ROCK_SALT, CESIUM_CHLORIDE, DIAMOND, COPPER, ARGON, PEROVSKITE, GRAPHITE)
