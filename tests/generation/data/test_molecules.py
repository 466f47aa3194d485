"""A batch holds exactly its molecules: centred, padded with zeros, in the order asked for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import DataError
from assay.generation.data.molecules import VOCABULARY, MoleculeRecords, splits
from assay.generation.data.padding import size_histogram
from assay.store.packed import PackedSet


def pack(parent, sizes, seed=0, numbers=None):
    random = np.random.default_rng(seed)
    atoms = sum(sizes)
    arrays = {
        "positions": random.normal(3.0, 2.0, size=(atoms, 3)).astype(np.float32),
        "numbers": random.choice(VOCABULARY, atoms).astype(np.uint8),
        "offsets": np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        "ids": np.arange(1000, 1000 + len(sizes)),
        "split": np.arange(len(sizes)).astype(np.uint8) % 3,
    }
    if numbers is not None:
        arrays["numbers"][: len(numbers)] = numbers
    return PackedSet.write(parent, arrays, name="t", description="a test", source="a test")


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return pack(tmp_path_factory.mktemp("packed"), [3, 1, 29, 5, 4, 9, 7, 2, 2, 18])


def molecule(packed, record):
    begin, end = packed.arrays["offsets"][record : record + 2]
    return packed.arrays["positions"][begin:end], packed.arrays["numbers"][begin:end]


def test_a_batch_holds_the_records_asked_for_in_that_order(packed):
    records = MoleculeRecords(packed, "train")
    assert packed.split_indices("train").tolist() == [0, 3, 6, 9]
    batch = records.batch(np.array([3, 0, 3]))
    assert batch.record_ids.tolist() == [9, 0, 9]
    assert batch.n_atoms_B.tolist() == [18, 3, 18]
    assert len(batch) == 3
    for row, record in enumerate(batch.record_ids.tolist()):
        positions, numbers = molecule(packed, record)
        size = len(numbers)
        found = batch.positions_BN3[row, :size].numpy()
        np.testing.assert_allclose(found, positions - positions.mean(0), atol=2e-6)
        vocabulary = np.array(VOCABULARY)
        assert vocabulary[batch.types_BN[row, :size]].tolist() == numbers.tolist()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_padding_is_exactly_zero_and_molecules_are_centred(packed, indices):
    batch = MoleculeRecords(packed, "train").batch(np.array(indices))
    assert batch.positions_BN3.dtype == torch.float32
    assert batch.types_BN.dtype == batch.record_ids.dtype == torch.int64
    assert batch.mask_BN.dtype == torch.bool
    assert not batch.positions_BN3[~batch.mask_BN].any()
    assert not batch.types_BN[~batch.mask_BN].any()
    assert batch.positions_BN3.sum(1).abs().max() < 1e-4
    assert batch.mask_BN.shape[1] == batch.n_atoms_B.max()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3), st.integers(0, 3))
def test_padding_never_changes_a_molecule(packed, index, other):
    records = MoleculeRecords(packed, "train")
    alone = records.batch(np.array([index]))
    size = int(alone.n_atoms_B)
    beside = records.batch(np.array([other, index]))
    torch.testing.assert_close(
        beside.positions_BN3[1, :size], alone.positions_BN3[0], rtol=0, atol=2e-6
    )
    assert torch.equal(beside.types_BN[1, :size], alone.types_BN[0])


def test_a_batch_moves_as_a_whole(packed):
    batch = MoleculeRecords(packed, "test").batch(np.array([0, 1])).to(torch.device("meta"))
    assert {t.device.type for t in vars(batch).values()} == {"meta"}


def test_a_batch_may_be_changed_without_changing_the_data(packed):
    records = MoleculeRecords(packed, "train")
    first = records.batch(np.array([1]))
    before = first.positions_BN3.clone()
    first.positions_BN3.zero_()
    assert torch.equal(records.batch(np.array([1])).positions_BN3, before)


def test_lengths_are_those_of_the_split(packed):
    data = splits(packed)
    assert data.description == "a test"
    assert np.asarray(data.train.lengths).tolist() == [3, 5, 7, 18]
    assert np.asarray(data.validation.lengths).tolist() == [1, 4, 2]
    assert np.asarray(data.test.lengths).tolist() == [29, 9, 2]
    assert [len(part) for part in (data.train, data.validation, data.test)] == [4, 3, 3]


def test_an_atom_outside_the_vocabulary_is_named_with_its_record(tmp_path):
    chlorine = pack(tmp_path, [2, 2], numbers=[6, 1, 1, 17])
    with pytest.raises(DataError, match="record 1001: atomic number 17 is not in the vocabulary"):
        splits(chlorine)


def test_the_size_histogram_counts_a_split(tmp_path):
    packed = pack(tmp_path, [3, 9, 9, 5, 9, 9, 3, 9, 9])
    sizes, probabilities = size_histogram(packed)
    assert sizes.tolist() == [3, 5]
    np.testing.assert_allclose(probabilities, [2 / 3, 1 / 3])
