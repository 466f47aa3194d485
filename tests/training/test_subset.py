import numpy as np
import pytest

from assay.errors import ConfigError
from assay.training.subset import Subset, that_are_used
from tests.training.toy import Line, ToyTask, toy_cell


def of(records, seed=0):
    cell = toy_cell(seed=seed, training={"records": records})
    return that_are_used(ToyTask(cell).data(), cell)


def ids(records):
    return records.batch(np.arange(len(records))).record_ids.tolist()


def test_all_are_used_unless_a_number_is_given():
    cell = toy_cell()
    splits = ToyTask(cell).data()

    assert that_are_used(splits, cell) is splits


def test_a_smaller_part_is_among_a_larger_one_and_the_other_splits_stay():
    small, large = of(16), of(64)

    assert len(small.train) == 16
    assert set(ids(small.train)) < set(ids(large.train))
    assert ids(large.train) == sorted(ids(large.train))
    assert len(small.validation) == 64
    assert small.description == "a line; 16 of 256 training records are used"


def test_another_seed_has_other_records():
    assert ids(of(64).train) != ids(of(64, seed=1).train)


def test_more_than_there_are_is_refused():
    with pytest.raises(ConfigError, match=r"training\.records 300: the training split of line has"):
        of(300)


def test_lengths_are_those_of_the_part():
    part = Subset(Line(5, np.array([3, 1, 4, 1, 5])), np.array([4, 0]))

    assert part.lengths.tolist() == [5, 3]
    assert ids(part) == [4, 0]
