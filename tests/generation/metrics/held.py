"""Small organic molecules in space, and a reference made of them."""

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from assay.chemistry.molecules import Molecules
from tests.chemistry import geometries as g

CHAINS = ("CC", "CCC", "CCO", "CCN", "COC", "C=C", "CC=O", "CC#N", "OCC=O", "CC(C)O", "NCC#N")
RINGS = ("C1CC1", "C1CCC1", "C1CO1", "C1CCOC1", "O=C1CCC1", "C1CCNC1", "C1CC2CC1C2", "C1CC2CC2C1")
TRAIN = CHAINS[:6] + RINGS[:4]
VALIDATION = CHAINS[4:9] + RINGS[2:6]
TEST = CHAINS[3:] + RINGS[3:]


@cache
def embedded(*texts):
    """Molecules of SMILES, in a geometry that MMFF94 has relaxed."""
    found = []
    for text in texts:
        molecule = Chem.AddHs(Chem.MolFromSmiles(text))
        rdDistGeom.EmbedMolecule(molecule, randomSeed=7)
        rdForceFieldHelpers.MMFFOptimizeMolecule(molecule, maxIters=2000)
        symbols = [atom.GetSymbol() for atom in molecule.GetAtoms()]
        found.append(g.molecule(symbols, molecule.GetConformer().GetPositions()))
    return g.pack(*found)


@dataclass(frozen=True)
class Held:
    """A reference in memory."""

    train: Molecules
    validation: Molecules
    test: Molecules
    name: str = "held"

    @property
    def digest(self):
        content = b"".join(self.of(s).positions.tobytes() for s in ("train", "validation", "test"))
        return hashlib.sha256(content).hexdigest()[:32]

    def of(self, split):
        return getattr(self, split)


def reference():
    return Held(embedded(*TRAIN), embedded(*VALIDATION), embedded(*TEST))


def shuffled_atoms(molecules, generator):
    owner = np.repeat(np.arange(len(molecules)), molecules.n_atoms)
    order = np.lexsort((generator.random(len(owner)), owner))
    return Molecules(molecules.positions[order], molecules.numbers[order], molecules.n_atoms)


def moved(molecules, generator):
    """Every molecule turned and shifted by its own rotation and translation."""
    owner = np.repeat(np.arange(len(molecules)), molecules.n_atoms)
    turns = np.stack([g.random_rotation(generator) for _ in range(len(molecules))])
    shifts = generator.uniform(-3, 3, size=(len(molecules), 3))
    turned = np.einsum("ni,nij->nj", molecules.positions, turns[owner]) + shifts[owner]
    return Molecules(turned.astype(np.float32), molecules.numbers, molecules.n_atoms)


def bad_molecules():
    """What a model may well write: nan, infinity, nothing, one atom, a heap, a chain of many."""
    nan, infinite = g.WATER.positions.copy(), g.WATER.positions.copy()
    nan[1, 2], infinite[0, 0] = np.nan, np.inf
    heap = np.random.default_rng(0).uniform(0, 2.0, size=(40, 3))
    carbons = np.zeros((400, 3))
    carbons[:, 0] = 1.5 * np.arange(400)
    return g.pack(
        Molecules(nan, g.WATER.numbers, g.WATER.n_atoms),
        Molecules(infinite, g.WATER.numbers, g.WATER.n_atoms),
        Molecules(g.WATER.positions[:0], g.WATER.numbers[:0], np.array([0])),
        g.molecule("H", [(0, 0, 0)]),
        g.molecule(["Xe"], [(0, 0, 0)]),
        g.molecule("C" * 40, heap),
        g.molecule("C" * 400, carbons),
        g.CARBON_MONOXIDE,
    )
