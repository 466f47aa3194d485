"""Strict validity a second time, from RDKit's own view of each molecule, shared code none."""

import numpy as np
import pytest
from rdkit import Chem, rdBase

from assay.generation.metrics import edm_strict
from tests.chemistry import geometries as g
from tests.generation.metrics import held
from tests.reference.test_edm_reference import KIND, bond_matrix, each

VALENCE = {"H": 1, "C": 4, "N": 3, "O": 2, "F": 1}


def slow(numbers, positions):
    """One fragment; bonds that fill each valence; sanitised; no charge, radical or added H."""
    molecule = Chem.RWMol()
    for number in numbers:
        atom = Chem.Atom(int(number))
        atom.SetNoImplicit(True)
        molecule.AddAtom(atom)
    for i, row in enumerate(bond_matrix(numbers, positions)):
        for j, order in enumerate(row[:i]):
            if order > 0:
                molecule.AddBond(i, j, KIND[order])
    try:
        Chem.SanitizeMol(molecule)
    except ValueError:
        return None
    filled = all(
        atom.GetTotalValence() == VALENCE[atom.GetSymbol()]
        and atom.GetNumRadicalElectrons() == 0
        and atom.GetFormalCharge() == 0
        and atom.GetTotalNumHs() == 0
        for atom in molecule.GetAtoms()
    )
    if not filled or len(Chem.GetMolFrags(molecule)) != 1:
        return None
    return Chem.MolToSmiles(molecule)


def assert_agrees(molecules):
    with rdBase.BlockLogs():
        expected = [slow(*one) for one in each(molecules)]
    assert edm_strict.smiles(molecules) == expected
    return np.mean([text is not None for text in expected])


@pytest.mark.parametrize("scale", [0.0, 0.03, 0.08])
def test_disturbed_molecules_agree(scale):
    molecules = g.pack(g.EVERYTHING, held.embedded(*held.TEST))
    assert 0 < assert_agrees(g.disturbed(molecules, scale, np.random.default_rng(0))) < 1


@pytest.mark.parametrize("side", [2.0, 4.0])
def test_sparse_crowds_agree(side):
    assert_agrees(g.crowd(200, np.random.default_rng(0), symbols="CNOHH", largest=4, side=side))


@pytest.mark.data
@pytest.mark.parametrize("scale", [0.0, 0.05])
def test_real_molecules_agree(scale, assay_data):
    generator = np.random.default_rng(0)
    molecules, _ = g.real_qm9(assay_data)
    chosen = molecules.select(generator.permutation(len(molecules))[:100])
    assert 0 < assert_agrees(g.disturbed(chosen, scale, generator)) < 1
