import numpy as np
import pytest

from assay.errors import ConfigError, DataError
from assay.generation.metrics import reference
from assay.generation.metrics.known import smiles_known_to
from assay.store.packed import PackedSet
from tests.chemistry import geometries as g
from tests.generation.metrics import held


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Two training molecules, one to validate and one to test, as the prepared set `tiny`."""
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    molecules = g.pack(g.WATER, g.METHANE, g.HCN, g.NITROGEN)
    arrays = {
        "positions": molecules.positions,
        "numbers": molecules.numbers,
        "offsets": molecules.offsets,
        "ids": np.arange(4),
        "split": np.array([0, 0, 1, 2], dtype=np.uint8),
    }
    found = PackedSet.write(tmp_path / "tiny", arrays, name="tiny", description="-", source="rules")
    monkeypatch.setattr(reference, "open_set", {"tiny": found}.__getitem__)
    return found


def test_a_prepared_set_is_a_reference(packed):
    opened = reference.open_molecules("tiny")
    assert (opened.name, opened.digest) == ("tiny", packed.digest)
    assert [len(opened.of(split)) for split in ("train", "validation", "test")] == [2, 1, 1]
    np.testing.assert_array_equal(opened.of("test").numbers, [7, 7])


def test_training_smiles_are_those_of_the_prepared_set_or_of_any_reference(packed):
    expected = {"[H]O[H]", "[H]C([H])([H])[H]"}
    assert smiles_known_to(reference.open_molecules("tiny"), processes=1) == expected
    any_other = held.Held(g.pack(g.WATER, g.METHANE), g.WATER, g.WATER)
    assert smiles_known_to(any_other, processes=1) == expected


def test_a_set_of_something_else_is_refused(tmp_path, monkeypatch):
    arrays = {"edges": np.zeros((2, 2)), "split": np.zeros(2, dtype=np.uint8)}
    links = PackedSet.write(tmp_path, arrays, name="links", description="-", source="rules")
    monkeypatch.setattr(reference, "open_set", {"links": links}.__getitem__)
    with pytest.raises(ConfigError, match="links: holds no molecules; name a set of molecules"):
        reference.open_molecules("links")


def test_what_is_computed_is_kept_by_name_and_digest(packed):
    opened = reference.open_molecules("tiny")
    calls = []

    def compute():
        calls.append(1)
        return {"numbers": np.arange(3), "names": np.array(["a", "bc"])}

    for _ in range(2):
        found = reference.kept(opened, "thing-1", compute)
        assert found["numbers"].tolist() == [0, 1, 2]
        assert found["names"].tolist() == ["a", "bc"]
    reference.kept(opened, "thing-2", compute)
    reference.kept(held.Held(g.WATER, g.WATER, g.WATER), "thing-1", compute)
    assert len(calls) == 3


def test_what_was_kept_and_is_damaged_is_named(packed, tmp_path):
    opened = reference.open_molecules("tiny")
    reference.kept(opened, "thing", lambda: {"numbers": np.arange(3)})
    (path,) = (tmp_path / "cache").glob("thing-*.npz")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match=r"thing-.*\.npz: cannot be read"):
        reference.kept(opened, "thing", dict)
