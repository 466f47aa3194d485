import logging

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import Descriptors
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

from assay.errors import DataError
from assay.interactions.features import structures
from assay.interactions.features.proteins import proteins
from assay.interactions.features.structures import (
    descriptors,
    known_structures,
    morgan,
    readable,
    unreadable,
)
from assay.interactions.settings import FeatureSettings
from assay.store.packed import PackedSet
from tests.interactions.data.test_links import arrays

SMILES = ["CCO", "", "c1ccccc1C(=O)O", "no structure", "CC(=O)Nc1ccc(O)cc1"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    structures._read.cache_clear()


def test_what_does_not_parse_is_empty_from_then_on_and_told_once(caplog):
    with caplog.at_level(logging.WARNING):
        assert readable(SMILES) == ("CCO", "", SMILES[2], "", SMILES[4])
        said = unreadable(SMILES)

    assert said == "1 structures do not parse and count as unknown: nodes 3 (no structure)"
    assert [record.getMessage() for record in caplog.records] == [said]
    assert (readable(SMILES[:3]), unreadable(SMILES[:3])) == (tuple(SMILES[:3]), "")


def test_of_many_that_do_not_parse_the_first_are_listed():
    assert unreadable(["x"] * 8).endswith("4 (x) and 3 more")


@pytest.mark.parametrize("of", [morgan, descriptors])
def test_what_does_not_parse_is_told_of_when_features_are_kept_already(of, caplog):
    first = of(SMILES)
    structures._read.cache_clear()  # as another process would begin
    caplog.clear()

    with caplog.at_level(logging.WARNING):
        again = of(SMILES)

    assert np.array_equal(again.mask_V, first.mask_V)
    assert "1 structures do not parse" in caplog.text


def test_a_node_is_known_by_a_structure_that_parses(tmp_path):
    """The fifth node's is a molecule, the third's a ring that never closes."""
    smiles = np.array([b"C", b"CC", b"C1CC", b"", b"CO"])
    packed = PackedSet.write(
        tmp_path, arrays(smiles=smiles), name="five", description="five nodes", source="here"
    )

    known = known_structures(packed, FeatureSettings())

    assert known.tolist() == [True, True, False, False, True]


def test_fingerprints_are_rdkits_and_what_does_not_parse_is_counted_and_listed(caplog):
    with caplog.at_level(logging.WARNING):
        found = morgan(SMILES)

    generator = GetMorganGenerator(radius=2, fpSize=2048)
    expected = generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(SMILES[2]))
    assert found.mask_V.tolist() == [True, False, True, False, True]
    assert np.array_equal(found.x_VF[2], expected)
    assert "1 structures do not parse and count as unknown: nodes 3 (no structure)" in caplog.text


def test_descriptors_are_in_deviations_of_the_known_nodes():
    found = descriptors(SMILES)

    names = [name for name, _ in Descriptors.descList]
    weight = [Descriptors.MolWt(Chem.MolFromSmiles(SMILES[k])) for k in (0, 2, 4)]
    expected = (np.array(weight) - np.mean(weight)) / np.std(weight)
    assert found.x_VF[found.mask_V][:, names.index("MolWt")] == pytest.approx(expected, abs=1e-5)
    assert np.abs(found.x_VF).max() <= 10
    assert not found.x_VF[~found.mask_V].any()


def test_a_descriptor_that_all_share_says_nothing():
    names = [name for name, _ in Descriptors.descList]

    assert not descriptors(["CCO", "CCN"]).x_VF[:, names.index("NumRadicalElectrons")].any()


def test_no_structure_at_all_is_no_fault():
    assert not descriptors(["", ""]).mask_V.any()


def test_proteins_of_a_drug_are_its_row():
    found = proteins(3, np.array([[0, 1], [2, 0], [2, 1]]))

    assert found.x_VF.tolist() == [[0, 1], [0, 0], [1, 1]]
    assert found.mask_V.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (np.empty((0, 2), int), "knows of none; leave out features proteins"),
        (np.array([[0, 0], [5, 1]]), "name node 5; there are 3"),
        (np.array([[-1, 0]]), "name node -1; there are 3"),
    ],
)
def test_bad_proteins_are_one_sentence(pairs, said):
    with pytest.raises(DataError, match=said):
        proteins(3, pairs)
