"""The mini set is real chemistry, made by rules, the same wherever and whenever it is made."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from assay.chemistry.checks import absurd_records, suspect_units
from assay.generation.data import mini as module
from assay.generation.data.mini import embed, enumerate_smiles, pack, split_code
from assay.store import sets
from assay.store.packed import PackedSet


@pytest.fixture(scope="module")
def smiles():
    return enumerate_smiles()


def test_the_rules_make_what_they_promise(smiles):
    molecules = [Chem.MolFromSmiles(one) for one in smiles]
    assert len(smiles) == len(set(smiles)) >= 2000
    assert smiles == [Chem.MolToSmiles(molecule) for molecule in molecules]
    assert max(molecule.GetNumAtoms() for molecule in molecules) <= 9
    elements = Counter(
        symbol for m in molecules for symbol in {atom.GetSymbol() for atom in m.GetAtoms()}
    )
    assert set(elements) == {"C", "N", "O", "F"}
    assert min(elements.values()) > 300
    for molecule in molecules:
        assert len(Chem.GetMolFrags(molecule)) == 1
        for atom in molecule.GetAtoms():
            assert atom.GetFormalCharge() == atom.GetNumRadicalElectrons() == 0


def test_small_molecules_come_first_and_the_order_is_fixed(smiles):
    assert smiles[:8] == ["C", "C#C", "C=C", "C=O", "CC", "CF", "CN", "CO"]
    assert enumerate_smiles() == smiles


def test_what_would_not_keep_is_left_out(smiles):
    assert {"CO", "CC#N", "NC=O", "FCF", "c1ccncc1"} <= set(smiles)
    assert not {"OCO", "NF", "OO", "C=CO", "OCF", "NN"} & set(smiles)


def test_every_group_and_scaffold_is_used(smiles):
    made = [Chem.MolFromSmiles(one) for one in smiles]
    for pattern in (*module.SCAFFOLDS, *module.GROUPS):
        query = Chem.MolFromSmiles(pattern)
        assert any(molecule.HasSubstructMatch(query) for molecule in made), pattern


def test_a_molecule_is_the_same_in_any_company(smiles):
    chosen = smiles[::400]
    forwards = pack(smiles, {one: embed(one) for one in chosen})
    backwards = pack(smiles, {one: embed(one) for one in reversed(chosen)})
    for name, array in forwards.arrays.items():
        np.testing.assert_array_equal(array, backwards.arrays[name])
    assert forwards.arrays["ids"].tolist() == list(range(1, len(smiles) + 1, 400))


def test_methane_is_methane():
    numbers, positions = embed("C")
    assert numbers.tolist() == [6, 1, 1, 1, 1]
    bonds = np.linalg.norm(positions[1:] - positions[0], axis=1)
    np.testing.assert_allclose(bonds, 1.092, atol=0.002)
    np.testing.assert_array_equal(positions, positions.round(4))
    assert not np.signbit(positions[positions == 0]).any()


def test_what_does_not_converge_is_left_out(monkeypatch):
    monkeypatch.setattr(module, "_MINIMISER_STEPS", 1)
    assert embed("CCCCCC") is None
    built = pack(["C", "CCCCCC"], {"C": (np.array([9], np.uint8), np.zeros((1, 3)))})
    assert built.arrays["ids"].tolist() == [1]


def test_the_shares_of_the_splits_are_near_80_10_10(smiles):
    counts = np.bincount([split_code(one) for one in smiles], minlength=3) / len(smiles)
    np.testing.assert_allclose(counts, [0.8, 0.1, 0.1], atol=0.02)


@given(st.text())
def test_a_split_is_a_function_of_the_smiles(text):
    assert split_code(text) == split_code(text)
    assert split_code(text) in (0, 1, 2)


def test_the_whole_set_is_packed(mini, smiles):
    packed = sets.open_set("mini")
    packed.verify()
    assert isinstance(packed, PackedSet)
    assert sum(packed.counts) == len(packed.molecules) >= 2000
    assert len(packed.molecules) >= 0.98 * len(smiles)
    assert set(np.unique(packed.molecules.numbers)) == {1, 6, 7, 8, 9}
    assert absurd_records(packed.molecules) == []
    assert suspect_units(packed.molecules) == []
    assert f"{len(packed.molecules):,} enumerated molecules" in packed.description


def test_each_packed_molecule_is_the_one_its_id_names(mini, smiles):
    packed = sets.open_set("mini")
    chosen = np.arange(0, len(packed.molecules), 97)
    picked = packed.molecules.select(chosen)
    for k, record in enumerate(chosen):
        expected = Chem.AddHs(Chem.MolFromSmiles(smiles[packed.ids[record] - 1]))
        begin, end = picked.offsets[k : k + 2]
        assert picked.numbers[begin:end].tolist() == [
            atom.GetAtomicNum() for atom in expected.GetAtoms()
        ]
        assert packed.arrays["split"][record] == split_code(smiles[packed.ids[record] - 1])
