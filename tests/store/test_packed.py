"""A packed set is whole or absent, is named by its content, and notices damage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import DataError, MachineError
from assay.store import packed as module
from assay.store.packed import PackedSet
from tests.store.sets_for_tests import small_arrays


def write(parent, arrays=None, **named):
    given = {"name": "toy", "description": "three molecules", "source": "a test", **named}
    return PackedSet.write(parent, arrays or small_arrays(), **given)


def test_what_is_written_is_read_back(tmp_path):
    packed = write(tmp_path)
    for name, array in small_arrays().items():
        assert packed.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(packed.arrays[name], array)
    assert packed.description == "three molecules"
    assert packed.directory == tmp_path / packed.digest
    assert [m.tolist() for m in (packed.molecules.n_atoms, packed.ids)] == [[1, 2, 3], [7, 8, 9]]


def test_splits_are_indices_into_the_set(tmp_path):
    packed = write(tmp_path)
    assert packed.split_indices("train").tolist() == [0]
    assert packed.split_indices("validation").tolist() == [2]
    assert packed.split_indices("test").tolist() == [1]
    assert packed.counts == (1, 1, 1)


def test_the_digest_names_the_content_and_not_its_origin(tmp_path):
    first = write(tmp_path / "a")
    second = write(tmp_path / "b", source="elsewhere", description="other words")
    reordered = write(tmp_path / "c", dict(reversed(small_arrays().items())))
    assert first.digest == second.digest == reordered.digest
    assert len(first.digest) == 32


def test_the_digest_is_what_it_was(tmp_path):
    """Results name it: a change of it orphans every cell."""
    assert write(tmp_path).digest == "3185d006143d8835eb2b8aff683f812e"


def test_big_endian_arrays_have_the_same_digest(tmp_path):
    swapped = {k: a.astype(a.dtype.newbyteorder(">")) for k, a in small_arrays().items()}
    assert write(tmp_path / "a").digest == write(tmp_path / "b", swapped).digest


@settings(max_examples=20, deadline=None)
@given(name=st.sampled_from(sorted(small_arrays())), data=st.data())
def test_any_changed_value_changes_the_digest(tmp_path_factory, name, data):
    arrays = small_arrays()
    index = data.draw(st.integers(0, arrays[name].size - 1))
    arrays[name].reshape(-1)[index] += 1
    parent = tmp_path_factory.mktemp("sets")
    assert write(parent, arrays).digest != write(parent).digest


def test_a_type_or_a_shape_alone_changes_the_digest(tmp_path):
    plain = small_arrays()
    typed = {**plain, "numbers": plain["numbers"].astype(np.int8)}
    shaped = {**plain, "positions": plain["positions"].reshape(3, 6)}
    assert len({write(tmp_path, arrays).digest for arrays in (plain, typed, shaped)}) == 3


def test_verify_finds_a_flipped_byte_that_opening_does_not(tmp_path):
    packed = write(tmp_path)
    packed.verify()
    path = packed.directory / "positions.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"positions\.npy: SHA-256 is \w+, the manifest says"):
        PackedSet.open(packed.directory).verify()


def test_a_folder_without_a_manifest_is_never_opened(tmp_path):
    packed = write(tmp_path)
    (packed.directory / "manifest.json").unlink()
    with pytest.raises(DataError, match=r"manifest\.json: cannot be read"):
        PackedSet.open(packed.directory)


def test_a_writer_that_dies_leaves_nothing_that_could_be_opened(tmp_path, monkeypatch):
    def die(path, data):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_json", die)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(MachineError, match="no space left on the device"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 40, 130])
def test_an_array_that_was_cut_off_is_not_opened(tmp_path, size):
    packed = write(tmp_path)
    path = packed.directory / "numbers.npy"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"numbers\.npy: cannot be mapped"):
        PackedSet.open(packed.directory)


def test_an_array_of_another_shape_is_not_opened(tmp_path):
    packed = write(tmp_path)
    np.save(packed.directory / "ids.npy", np.arange(2))
    with pytest.raises(DataError, match=r"ids\.npy: holds <i8 \(2,\), its manifest says <i8 \(3,"):
        PackedSet.open(packed.directory)


def test_an_edited_manifest_is_not_believed(tmp_path):
    packed = write(tmp_path)
    path = packed.directory / "manifest.json"
    path.write_text(path.read_text().replace(packed.digest, "0" * 32))
    with pytest.raises(DataError, match="the digest does not fit"):
        PackedSet.open(packed.directory)
    path.write_text("{")
    with pytest.raises(DataError, match="is not a manifest"):
        PackedSet.open(packed.directory)


def test_writing_the_same_again_keeps_what_is_there(tmp_path):
    first = write(tmp_path)
    before = (first.directory / "manifest.json").stat().st_mtime_ns
    write(tmp_path)
    assert (first.directory / "manifest.json").stat().st_mtime_ns == before
    assert [p.name for p in tmp_path.iterdir()] == [first.digest]


def test_writing_again_mends_a_damaged_copy(tmp_path):
    damaged = write(tmp_path)
    (damaged.directory / "numbers.npy").write_bytes(b"")
    mended = write(tmp_path)
    mended.verify()
    assert mended.digest == damaged.digest


def test_records_and_splits_of_molecules_are_theirs_alone(tmp_path):
    packed = write(tmp_path)
    assert packed.n_atoms.tolist() == [1, 2, 3]
    assert packed.select(np.array([2, 0])).numbers.tolist() == [6, 1, 7, 8]
    assert packed.molecules_of("test").numbers.tolist() == [1, 9]
    assert packed.train_lengths.tolist() == [1]
    assert np.flatnonzero(packed.train_number_counts).tolist() == [8]


def crystal_arrays():
    arrays = small_arrays()
    del arrays["positions"]
    return {
        **arrays,
        "frac_coords": np.linspace(0, 0.9, 18, dtype=np.float32).reshape(6, 3),
        "lattices": np.stack([np.eye(3) * k for k in (3, 4, 5)]).astype(np.float32),
        "band_gap": np.array([0.0, 1.5, 2.0], np.float32),
    }


def test_crystals_are_a_view_of_the_arrays(tmp_path):
    packed = write(tmp_path, crystal_arrays())
    assert len(packed.crystals) == 3
    assert packed.crystals.volumes.round(3).tolist() == [27, 64, 125]
    validation = packed.crystals_of("validation")
    assert validation.numbers.tolist() == [6, 1, 7]
    np.testing.assert_array_equal(validation.frac_coords, crystal_arrays()["frac_coords"][3:])
    assert validation.lattices[0, 0, 0] == 5
    assert packed.train_lengths.tolist() == [1]
    assert np.flatnonzero(packed.train_number_counts).tolist() == [8]
    assert packed.arrays["band_gap"][packed.split_indices("test")].tolist() == [1.5]
