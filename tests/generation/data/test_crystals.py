"""A batch of crystals holds exactly its crystals, padded with zeros, in the order asked for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import ConfigError, DataError
from assay.generation.data import molecules
from assay.generation.data.crystals import (
    CrystalRecords,
    holding_crystals,
    splits,
    vocabulary,
)
from assay.generation.data.padding import size_histogram
from assay.store.packed import PackedSet
from tests.store.sets_for_tests import small_arrays

VOCABULARY = (8, 11, 22, 38)


def pack(parent, sizes, numbers=None):
    random = np.random.default_rng(0)
    atoms = sum(sizes)
    arrays = {
        "frac_coords": random.random((atoms, 3)).astype(np.float32),
        "numbers": random.choice(VOCABULARY, atoms).astype(np.uint8),
        "offsets": np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        "lattices": random.normal(size=(len(sizes), 3, 3)).astype(np.float32),
        "ids": np.arange(1000, 1000 + len(sizes)),
        "split": np.arange(len(sizes)).astype(np.uint8) % 3,
    }
    if numbers is not None:
        arrays["numbers"] = np.array(numbers, np.uint8)
    return PackedSet.write(parent, arrays, name="t", description="a test", source="a test")


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return pack(tmp_path_factory.mktemp("packed"), [3, 1, 20, 5, 4, 9, 7, 2, 2, 18])


def test_a_batch_holds_the_records_asked_for_in_that_order(packed):
    batch = CrystalRecords(packed, "train", VOCABULARY).batch(np.array([3, 0, 3]))
    assert batch.record_ids.tolist() == [9, 0, 9]
    assert batch.n_atoms_B.tolist() == [18, 3, 18]
    assert len(batch) == 3
    for row, record in enumerate(batch.record_ids.tolist()):
        begin, end = packed.arrays["offsets"][record : record + 2]
        size = end - begin
        found = batch.frac_coords_BN3[row, :size].numpy()
        np.testing.assert_array_equal(found, packed.arrays["frac_coords"][begin:end])
        found = np.array(VOCABULARY)[batch.types_BN[row, :size]]
        np.testing.assert_array_equal(found, packed.arrays["numbers"][begin:end])
        found = batch.lattices_B33[row].numpy()
        np.testing.assert_array_equal(found, packed.arrays["lattices"][record])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_padding_is_exactly_zero(packed, indices):
    batch = CrystalRecords(packed, "train", VOCABULARY).batch(np.array(indices))
    assert batch.frac_coords_BN3.dtype == batch.lattices_B33.dtype == torch.float32
    assert batch.types_BN.dtype == batch.record_ids.dtype == torch.int64
    assert batch.mask_BN.dtype == torch.bool
    assert not batch.frac_coords_BN3[~batch.mask_BN].any()
    assert not batch.types_BN[~batch.mask_BN].any()
    assert batch.mask_BN.shape[1] == batch.n_atoms_B.max()


def test_a_batch_moves_as_a_whole(packed):
    batch = CrystalRecords(packed, "test", VOCABULARY).batch(np.array([0, 1]))
    assert {t.device.type for t in vars(batch.to(torch.device("meta"))).values()} == {"meta"}


def test_a_batch_may_be_changed_without_changing_the_data(packed):
    records = CrystalRecords(packed, "train", VOCABULARY)
    first = records.batch(np.array([1]))
    before = first.lattices_B33.clone()
    first.lattices_B33.zero_()
    first.frac_coords_BN3.zero_()
    assert torch.equal(records.batch(np.array([1])).lattices_B33, before)


def test_lengths_and_sizes_are_those_of_the_split(packed):
    data = splits(packed)
    assert data.description == "a test"
    assert np.asarray(data.train.lengths).tolist() == [3, 5, 7, 18]
    assert np.asarray(data.validation.lengths).tolist() == [1, 4, 2]
    assert np.asarray(data.test.lengths).tolist() == [20, 9, 2]
    assert [len(part) for part in (data.train, data.validation, data.test)] == [4, 3, 3]
    sizes, shares = size_histogram(packed)
    assert sizes.tolist() == [3, 5, 7, 18]
    assert shares.tolist() == [0.25] * 4


def test_the_vocabulary_is_that_of_training_and_what_it_lacks_is_left_out_and_said(tmp_path):
    packed = pack(tmp_path, [2, 1, 2, 1, 2, 1], [38, 8, 8, 8, 92, 11, 11, 38, 8])
    assert vocabulary(packed) == (8, 11, 38)
    data = splits(packed)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [2, 2, 1]
    assert data.test.batch(np.array([0])).record_ids.tolist() == [5]
    assert data.description == ("a test; losses leave out 1 with elements that training lacks")


def test_a_set_without_training_crystals_is_one_sentence(tmp_path):
    arrays = {name: np.array(array) for name, array in pack(tmp_path, [2, 1, 2]).arrays.items()}
    arrays["split"][:] = 1
    packed = PackedSet.write(tmp_path, arrays, name="t", description="-", source="-")
    with pytest.raises(DataError, match="its training split is empty"):
        vocabulary(packed)


def test_molecules_and_crystals_are_told_apart(tmp_path, packed):
    atoms = PackedSet.write(tmp_path, small_arrays(), name="toy", description="-", source="-")
    assert holding_crystals(packed) is packed
    with pytest.raises(ConfigError, match="toy: holds no crystals; name a set of crystals, such"):
        holding_crystals(atoms)
    with pytest.raises(ConfigError, match="t: holds no molecules"):
        molecules.holding_molecules(packed)
