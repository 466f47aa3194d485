"""Training from shards: the same molecules as from memory, few shards at a time, in any company."""

import numpy as np
import pytest
import torch

from assay.errors import DataError
from assay.generation.data.molecules import ShardedMolecules, splits
from assay.generation.data.padding import size_histogram
from assay.generation.metrics import known
from assay.generation.metrics.known import known_smiles
from assay.generation.task import GenerationTask
from assay.store import sets
from assay.store.shards_window import reading_ahead
from assay.training.order import WINDOW, order_of, read_ahead
from tests.generation.sharded import NAME, losses, make, records_of, tiny_cell
from tests.store.s3_for_tests import BUCKET, local_s3

TENSORS = ("record_ids", "positions_BN3", "types_BN", "mask_BN")


@pytest.fixture(scope="module")
def place(prepared_mini, tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(prepared_mini))
        patch.delenv("ASSAY_DATA", raising=False)
        make(str(folder))
    return folder


@pytest.fixture
def sharded(mini, place, monkeypatch):
    monkeypatch.setenv("ASSAY_SHARDS", str(place))
    return sets.prepare(NAME)


@pytest.fixture
def train(sharded) -> ShardedMolecules:
    return splits(sharded).train


@pytest.fixture
def reads(monkeypatch):
    """The shards that are read, in order."""
    from assay.store.shards import ShardedSet

    read, shard = [], ShardedSet.shard

    def note(self, number, content=None):
        read.append(number)
        return shard(self, number, content)

    monkeypatch.setattr(ShardedSet, "shard", note)
    return read


class Ahead:
    """Reads ahead as Ray Data does, and keeps the names that it was asked for."""

    def __init__(self):
        self.names = []

    def __call__(self, place, names, bytes_ahead):
        for name in names:
            self.names.append(name)
            yield place.read(name)


def test_batches_are_those_of_the_whole_set(sharded, train):
    whole = splits(sets.open_set("mini")).train
    place_of = {int(r): k for k, r in enumerate(whole.batch(np.arange(len(whole))).record_ids)}
    order = order_of(train, 64, 0)

    for step in range(order.batches_per_epoch + 3):
        ours = train.batch(order.indices(step))
        theirs = whole.batch(np.array([place_of[r] for r in ours.record_ids.tolist()]))
        assert all(torch.equal(getattr(ours, name), getattr(theirs, name)) for name in TENSORS)


def test_an_epoch_sees_every_record_once(train):
    order = order_of(train, 44, 3)  # 44 × 44 = 1,936, the whole split
    seen = [r for step in range(44) for r in records_of(train, order.indices(step))]

    assert sorted(seen) == sets.open_packed("mini").split_indices("train").tolist()


def test_few_shards_are_in_memory_and_each_is_read_once_an_epoch(train, reads):
    order = order_of(train, 64, 0)
    for step in range(order.batches_per_epoch):
        train.batch(order.indices(step))
        assert len(train.window.resident) <= WINDOW

    assert sorted(reads) == list(range(31))


def test_a_batch_does_not_depend_on_what_is_in_memory(sharded):
    order = order_of(splits(sharded).train, 64, 0)
    passing, jumping = splits(sharded).train, splits(sharded).train

    expected = [records_of(passing, order.indices(step)) for step in range(40)]

    for step in np.random.default_rng(0).permutation(40).tolist():
        assert records_of(jumping, order.indices(step)) == expected[step]


def test_micro_batches_and_workers_slices_are_parts_of_the_batch(sharded, train, reads):
    order = order_of(train, 48, 0)
    others = [splits(sharded).train for _ in range(2)]
    for step in range(order.batches_per_epoch):
        whole = train.batch(order.indices(step))
        halves = [other.batch(order.indices(step)[r::2]) for r, other in enumerate(others)]
        for r, half in enumerate(halves):
            assert torch.equal(half.record_ids, whole.record_ids[r::2])

    assert len(reads) <= 3 * 31


@pytest.mark.parametrize("begin", [0, 7, 29, 30, 100])
def test_reading_ahead_begins_where_training_does(train, reads, begin):
    ahead = Ahead()
    order = order_of(train, 64, 0)
    with reading_ahead(ahead):
        read_ahead(train, order, begin)
    for step in range(begin, begin + 40):
        train.batch(order.indices(step))
        assert len(train.window.resident) <= WINDOW

    upcoming = order.blocks_from(begin)
    assert reads == [next(upcoming) for _ in reads]
    assert ahead.names == [f"train-{number:05d}.safetensors" for number in reads]


def test_a_step_that_is_redone_after_its_shards_have_gone_is_the_same(train):
    order = order_of(train, 60, 0)
    with reading_ahead(Ahead()):
        read_ahead(train, order, 0)
    for step in range(50):
        first = records_of(train, order.indices(step))
        assert records_of(train, order.indices(step)) == first
        assert len(records_of(train, order.indices(max(0, step - 9)))) == 60


def test_what_the_model_learns_of_the_whole_split_is_the_same(sharded):
    whole = sets.open_set("mini")
    for ours, theirs in zip(size_histogram(sharded), size_histogram(whole), strict=True):
        assert np.array_equal(ours, theirs)
    assert np.array_equal(sharded.train_number_counts, whole.train_number_counts)


def test_known_smiles_are_the_same(sharded):
    ours, theirs = known_smiles(sharded, 1), known_smiles(sets.open_set("mini"), 1)

    assert all(text in ours for text in theirs)
    assert len(ours.keys) == len(theirs)
    assert not any(text in ours for text in ("[He]", "", "C" * 30))


def test_known_smiles_of_another_protocol_are_not_used(sharded, monkeypatch):
    monkeypatch.setattr(known, "ABOUT_TRAIN", "edm_0_smiles")
    with pytest.raises(DataError, match="run `assay data shard` again"):
        known_smiles(sharded, 1)


def test_an_atom_outside_the_vocabulary_is_refused_without_reading_a_shard(sharded, reads):
    counts = sharded.kept.arrays["train_number_counts"].copy()
    counts[17] = 1
    sharded.kept.arrays["train_number_counts"] = counts
    with pytest.raises(DataError, match="atomic number 17 of the training split is not in"):
        splits(sharded)
    assert not reads


def test_a_shard_that_goes_missing_stops_training_with_its_name(mini, tmp_path, monkeypatch):
    make(str(tmp_path))
    monkeypatch.setenv("ASSAY_SHARDS", str(tmp_path))
    cell = tiny_cell()
    (tmp_path / NAME / "train-00017.safetensors").unlink()
    with pytest.raises(DataError, match=r"train-00017\.safetensors: is missing"):
        losses(cell, 0, 61)


def test_losses_from_a_folder_a_bucket_and_read_ahead_are_equal(sharded, monkeypatch):
    cell = tiny_cell()
    folder = losses(cell, 0, 24)
    with reading_ahead(Ahead()):
        ahead = losses(cell, 0, 24)
    with local_s3():
        make(f"{BUCKET}/sets")
        monkeypatch.setenv("ASSAY_SHARDS", f"{BUCKET}/sets")
        assert tiny_cell() == cell
        bucket = losses(cell, 0, 24)
        resumed = losses(cell, 11, 24)

    assert folder == ahead == bucket
    assert resumed == folder[11:]


def test_the_data_row_of_shards_is_that_of_the_set(sharded):
    cell = tiny_cell()
    whole = cell.model_copy(update={"data": cell.data.model_copy(update={"name": "mini"})})
    ours, theirs = (GenerationTask(one) for one in (cell, whole))

    assert ours.reference(ours.data()) == theirs.reference(theirs.data())
