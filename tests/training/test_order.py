import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import ConfigError
from assay.training.order import BatchOrder


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 500), st.integers(1, 10), st.integers(0, 2**31 - 1), st.booleans())
def test_an_epoch_visits_every_record_at_most_once(n, batch, seed, sized):
    lengths = np.arange(n) % 17 if sized else None
    order = BatchOrder(n, batch, seed, lengths)

    seen = np.concatenate([order.indices(k) for k in range(order.batches_per_epoch)])

    assert len(seen) == len(set(seen)) == (n // batch) * batch
    assert set(seen) <= set(range(n))


def test_any_step_can_be_asked_for_in_any_order():
    forward, backward = BatchOrder(100, 8, 3), BatchOrder(100, 8, 3)
    steps = range(40)

    ahead = {step: forward.indices(step) for step in steps}

    for step in reversed(steps):
        assert np.array_equal(backward.indices(step), ahead[step])


def test_epochs_differ_and_seeds_differ():
    order = BatchOrder(64, 64, 0)

    assert not np.array_equal(order.indices(0), order.indices(1))
    assert not np.array_equal(order.indices(0), BatchOrder(64, 64, 1).indices(0))


def test_batches_hold_like_sizes():
    lengths = np.random.default_rng(0).integers(3, 30, 20_000)
    sized, unsized = BatchOrder(20_000, 64, 0, lengths), BatchOrder(20_000, 64, 0)

    def padded(order):
        return np.mean([lengths[order.indices(k)].max() for k in range(200)])

    assert padded(sized) < lengths.mean() + 2 < padded(unsized)


def test_fewer_records_than_a_batch_is_refused():
    with pytest.raises(ConfigError, match="batch_size: 64 exceeds the 10 training records"):
        BatchOrder(10, 64, 0)
