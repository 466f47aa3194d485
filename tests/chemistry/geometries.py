"""Textbook geometries, in Å, and ways to disturb them."""

from pathlib import Path

import numpy as np

from assay.chemistry.elements import ATOMIC_NUMBERS
from assay.chemistry.molecules import Molecules


def molecule(symbols, positions):
    numbers = [ATOMIC_NUMBERS[symbol] for symbol in symbols]
    return Molecules(
        np.asarray(positions, dtype=np.float32).reshape(-1, 3),
        np.asarray(numbers, dtype=np.uint8),
        np.array([len(numbers)], dtype=np.int64),
    )


def pack(*molecules):
    return Molecules(
        np.concatenate([np.zeros((0, 3), np.float32), *(m.positions for m in molecules)]),
        np.concatenate([np.zeros(0, np.uint8), *(m.numbers for m in molecules)]),
        np.concatenate([np.zeros(0, np.int64), *(m.n_atoms for m in molecules)]),
    )


def line(*atoms):
    """Atoms on the x axis: line(("H", 0.0), ("H", 0.74))."""
    symbols, places = zip(*atoms, strict=True)
    return molecule(symbols, [(x, 0.0, 0.0) for x in places])


def ring(symbol, radius, count=6):
    angles = 2 * np.pi * np.arange(count) / count
    return [(symbol, radius * np.cos(a), radius * np.sin(a), 0.0) for a in angles]


def of_atoms(atoms):
    return molecule([a[0] for a in atoms], [a[1:] for a in atoms])


_T = 1.087 / np.sqrt(3)

METHANE = molecule(
    "CHHHH", [(0, 0, 0), (_T, _T, _T), (_T, -_T, -_T), (-_T, _T, -_T), (-_T, -_T, _T)]
)
WATER = molecule("OHH", [(0, 0, 0.1173), (0, 0.7572, -0.4692), (0, -0.7572, -0.4692)])
AMMONIA = molecule(
    "NHHH",
    [(0, 0, 0), (0.9377, 0, -0.3816), (-0.4689, 0.8121, -0.3816), (-0.4689, -0.8121, -0.3816)],
)
HCN = line(("H", -1.066), ("C", 0.0), ("N", 1.153))
CARBON_DIOXIDE = line(("O", -1.162), ("C", 0.0), ("O", 1.162))
CARBON_MONOXIDE = line(("C", 0.0), ("O", 1.128))
HYDROGEN = line(("H", 0.0), ("H", 0.741))
NITROGEN = line(("N", 0.0), ("N", 1.098))
OXYGEN = line(("O", 0.0), ("O", 1.208))
FLUORINE = line(("F", 0.0), ("F", 1.412))
ETHYLENE = molecule(
    "CCHHHH",
    [
        (0, 0, 0.6695), (0, 0, -0.6695), (0, 0.9289, 1.2321),
        (0, -0.9289, 1.2321), (0, 0.9289, -1.2321), (0, -0.9289, -1.2321),
    ],
)  # fmt: skip
BENZENE = of_atoms(ring("C", 1.3935) + ring("H", 2.4786))

EVERYTHING = pack(
    METHANE, WATER, AMMONIA, HCN, CARBON_DIOXIDE, CARBON_MONOXIDE, HYDROGEN, NITROGEN, OXYGEN,
    FLUORINE, ETHYLENE, BENZENE,
)  # fmt: skip


def random_rotation(generator):
    q, r = np.linalg.qr(generator.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    q[:, 0] *= np.linalg.det(q)
    return q.astype(np.float32)


def disturbed(molecules, scale, generator):
    noise = generator.normal(scale=scale, size=molecules.positions.shape).astype(np.float32)
    return Molecules(molecules.positions + noise, molecules.numbers, molecules.n_atoms)


def crowd(count, generator, symbols="HCNOF", largest=12, side=2.5):
    """Random atoms in a small box, so that many are at bonding distance."""
    n_atoms = generator.integers(1, largest + 1, size=count)
    choice = np.array([ATOMIC_NUMBERS[symbol] for symbol in symbols], dtype=np.uint8)
    return Molecules(
        generator.uniform(0, side, size=(n_atoms.sum(), 3)).astype(np.float32),
        generator.choice(choice, size=n_atoms.sum()),
        n_atoms.astype(np.int64),
    )


def real_qm9(assay_data: Path):
    """The molecules of the real data set and their EDM split (0 train, 1 validation, 2 test)."""
    with np.load(assay_data / "qm9" / "qm9_structures.npz") as arrays:
        n_atoms = arrays["n_atoms"].astype(np.int64)
        return Molecules(arrays["positions"], arrays["atomic_numbers"], n_atoms), arrays[
            "edm_split"
        ]
