"""When reading ahead ends, and what its faults are, without a Ray."""

from collections.abc import Generator

import pytest
from ray.exceptions import ObjectLostError, ObjectStoreFullError

from assay.cluster import stream
from assay.errors import MachineError
from assay.generation.data.molecules import splits
from assay.store import sets
from assay.store.shards_place import Place
from assay.training.order import order_of, read_ahead
from tests.generation.sharded import NAME, make


@pytest.fixture
def opened(monkeypatch) -> list[Generator[bytes]]:
    """What reads ahead, in the order in which it began; the plain reader stands in for Ray's."""
    found: list[Generator[bytes]] = []

    def contents(place, names, count):
        for name in names:
            yield place.read(name)

    def remembered(place, names, count):
        found.append(contents(place, names, count))
        return found[-1]

    monkeypatch.setattr(stream, "_contents", remembered)
    return found


def is_over(contents: Generator[bytes]) -> bool:
    return contents.gi_frame is None


def test_reading_ahead_for_one_cell_ends_when_it_begins_for_the_next(
    mini, tmp_path, monkeypatch, opened
):
    monkeypatch.setenv("ASSAY_SHARDS", str(tmp_path))
    make(str(tmp_path))
    with stream.through_ray_data():
        for seed in range(3):  # a new window each, as the seeds and rungs of a search have
            train = splits(sets.prepare(NAME)).train
            order = order_of(train, 64, seed)
            read_ahead(train, order, 0)
            train.batch(order.indices(0))
            assert [is_over(each) for each in opened] == [True] * seed + [False]
    assert all(is_over(each) for each in opened)


def test_a_window_whose_reading_ahead_has_ended_reads_by_itself(
    mini, tmp_path, monkeypatch, opened
):
    monkeypatch.setenv("ASSAY_SHARDS", str(tmp_path))
    make(str(tmp_path))
    first, second = (splits(sets.prepare(NAME)).train for _ in range(2))
    order = order_of(first, 64, 0)
    with stream.through_ray_data():
        read_ahead(first, order, 0)
        read_ahead(second, order, 0)
        for step in range(30):
            indices = order.indices(step)
            assert (first.batch(indices).record_ids == second.batch(indices).record_ids).all()


@pytest.mark.parametrize(
    "fault", [ObjectLostError("0" * 56, "here", ""), ObjectStoreFullError("no room")]
)
def test_a_fault_of_ray_is_one_sentence(monkeypatch, fault):
    def fail(place, names):
        raise fault

    monkeypatch.setattr(stream, "_read_together", fail)
    with pytest.raises(MachineError, match=r"/sets: Ray cannot read shards ahead") as error:
        next(stream._contents(Place("/sets"), iter(["a", "b"]), 2))
    assert "\n" not in str(error.value)
