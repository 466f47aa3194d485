import pytest

from assay.generation.metrics import descriptors
from assay.generation.metrics.descriptors import counted, describe

NAPHTHALENE, BIPHENYL = "c1ccc2ccccc2c1", "c1ccc(-c2ccccc2)cc1"


def one(text):
    (found,) = describe([text])
    assert found is not None
    return found


def test_properties_of_a_textbook_drug():
    """Aspirin."""
    aspirin = one("CC(=O)Oc1ccccc1C(=O)O")
    assert aspirin.qed == pytest.approx(0.550, abs=0.001)
    assert aspirin.sa == pytest.approx(1.580, abs=0.001)
    assert aspirin.logp == pytest.approx(1.310, abs=0.001)


def test_a_scaffold_has_two_rings_or_more():
    assert one("CCO").scaffold is None
    assert one("Cc1ccccc1").scaffold is None
    assert one("CCc1ccc2ccccc2c1").scaffold == NAPHTHALENE
    assert one("OCc1ccc(-c2ccccc2)cc1").scaffold == BIPHENYL


def test_fragments_are_what_brics_leaves():
    assert one("CCO").fragments == ("CCO",)
    cut = {"[16*]c1ccccc1", "[3*]O[3*]", "[4*]CCC", "[4*]C[8*]"}
    assert set(one("CCCOCc1ccccc1").fragments) == cut


def test_hydrogens_do_not_matter():
    assert one("[H]C([H])([H])C([H])([H])O[H]") == one("CCO")


def test_what_cannot_be_read_is_left_out_and_repeats_are_kept():
    found = describe(["CCO", "not a molecule", "CCO", "C"])
    assert found[1] is None
    assert found[0] == found[2] != found[3]


def test_processes_do_not_matter(monkeypatch):
    texts = ["CCO", "CC", "CCN", "CC=O", "C#N"]
    alone = describe(texts)
    monkeypatch.setattr(descriptors, "_MOLECULES_AT_ONCE", 2)
    assert describe(texts, processes=2) == alone


def test_names_are_counted_over_all_groups():
    names, counts = counted([["b", "a"], [], ["b"]])
    assert names.tolist() == ["a", "b"]
    assert counts.tolist() == [1, 2]
    assert [len(array) for array in counted([[], []])] == [0, 0]
