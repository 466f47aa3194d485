"""The EDM protocol written down a second time, slowly: one pair, one atom, one molecule at a time.

It follows the protocol's words, shares no code with `assay.generation.metrics.edm`, and must
agree with it exactly.
"""

import math

import numpy as np
import pytest
from rdkit import Chem, rdBase

from assay.generation.metrics import edm
from tests.chemistry import geometries as g

SYMBOL = {1: "H", 6: "C", 7: "N", 8: "O", 9: "F"}
VALENCE = {"H": 1, "C": 4, "N": 3, "O": 2, "F": 1}
SINGLE = {
    "HH": 74, "CH": 109, "HN": 101, "HO": 96, "FH": 92, "CC": 154, "CN": 147, "CO": 143, "CF": 135,
    "NN": 145, "NO": 140, "FN": 136, "OO": 148, "FO": 142, "FF": 142,
}  # fmt: skip
DOUBLE = {"CC": 134, "CN": 129, "CO": 120, "NN": 125, "NO": 121, "OO": 121}
TRIPLE = {"CC": 120, "CN": 116, "CO": 113, "NN": 110}
KIND = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}


def bond_order(symbol, other, place, other_place):
    """Single if closer than its length and 10 pm; then double, 5 pm; then triple, 3 pm."""
    pair = "".join(sorted(symbol + other))
    square = np.float32(0)
    for a, b in zip(place, other_place, strict=True):
        square += (a - b) * (a - b)
    picometres = np.sqrt(square) * np.float32(100)
    if not picometres < SINGLE[pair] + 10:
        return 0
    if pair not in DOUBLE or not picometres < DOUBLE[pair] + 5:
        return 1
    if pair not in TRIPLE or not picometres < TRIPLE[pair] + 3:
        return 2
    return 3


def bond_matrix(numbers, positions):
    n = len(numbers)
    orders = [[0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i):
            order = bond_order(SYMBOL[numbers[i]], SYMBOL[numbers[j]], positions[i], positions[j])
            orders[i][j] = orders[j][i] = order
    return orders


def stable_atoms(numbers, orders):
    return [sum(row) == VALENCE[SYMBOL[z]] for z, row in zip(numbers, orders, strict=True)]


def sanitised_smiles(molecule):
    try:
        Chem.SanitizeMol(molecule)
    except ValueError:
        return None
    return Chem.MolToSmiles(molecule)


def smiles(numbers, orders):
    molecule = Chem.RWMol()
    for number in numbers:
        molecule.AddAtom(Chem.Atom(SYMBOL[number]))
    for i, row in enumerate(orders):
        for j, order in enumerate(row[:i]):
            if order > 0:
                molecule.AddBond(i, j, KIND[order])
    if sanitised_smiles(molecule) is None:
        return None
    fragments = Chem.GetMolFrags(molecule, asMols=True)
    return sanitised_smiles(max(fragments, key=lambda part: part.GetNumAtoms()))


def each(molecules):
    for begin, count in zip(molecules.offsets[:-1], molecules.n_atoms, strict=True):
        rows = slice(begin, begin + count)
        yield molecules.numbers[rows].tolist(), molecules.positions[rows]


def slow_evaluation(molecules, training_smiles):
    stable, whole, texts = [], [], []
    with rdBase.BlockLogs():
        for numbers, positions in each(molecules):
            orders = bond_matrix(numbers, positions)
            atoms = stable_atoms(numbers, orders)
            stable += atoms
            whole.append(all(atoms))
            texts.append(smiles(numbers, orders))
    valid = [text for text in texts if text is not None]
    unique = set(valid)
    novel = [text for text in unique if text not in training_smiles]
    values = {
        "edm/atom_stability": sum(stable) / len(stable),
        "edm/molecule_stability": sum(whole) / len(whole),
        "edm/validity": len(valid) / len(texts),
        "edm/uniqueness": len(unique) / len(valid) if valid else 0.0,
        "edm/valid_unique": len(unique) / len(texts),
        "edm/novelty": len(novel) / len(unique) if unique else 0.0,
    }
    return stable, whole, texts, values


def assert_agrees(molecules):
    training = frozenset(slow_evaluation(molecules.select([0, 1, 2]), ())[2]) - {None}
    stable, whole, texts, values = slow_evaluation(molecules, training)
    found = edm.stability(molecules)
    assert found.stable_atoms.tolist() == stable
    assert found.stable_molecules.tolist() == whole
    assert edm.smiles(molecules, processes=1) == texts
    estimates = edm.evaluate(molecules, training, processes=1)
    assert {name: estimate.value for name, estimate in estimates.items()} == values
    return values


def test_textbook_molecules_agree():
    values = assert_agrees(g.EVERYTHING)
    assert math.isclose(values["edm/validity"], 11 / 12)


@pytest.mark.parametrize("scale", [0.02, 0.05, 0.1, 0.3])
def test_disturbed_textbook_molecules_agree(scale):
    generator = np.random.default_rng(round(100 * scale))
    assert_agrees(g.disturbed(g.pack(*[g.EVERYTHING] * 5), scale, generator))


@pytest.mark.parametrize("side", [1.0, 2.0, 4.0])
def test_random_crowds_agree(side):
    assert_agrees(g.crowd(80, np.random.default_rng(round(side)), side=side))


@pytest.mark.parametrize("side", [2.0, 3.0, 5.0])
def test_sparse_carbon_and_nitrogen_agree(side):
    """Few atoms, so that many of these are valid."""
    values = assert_agrees(
        g.crowd(200, np.random.default_rng(0), symbols="CCNOH", largest=4, side=side)
    )
    assert values["edm/validity"] > 0.2


@pytest.mark.data
@pytest.mark.parametrize("scale", [0.0, 0.03, 0.1])
def test_disturbed_real_molecules_agree(scale, assay_data):
    generator = np.random.default_rng(0)
    molecules, _ = g.real_qm9(assay_data)
    chosen = molecules.select(generator.permutation(len(molecules))[:120])
    values = assert_agrees(g.disturbed(chosen, scale, generator))
    assert 0 < values["edm/atom_stability"] < 1
