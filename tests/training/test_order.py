import hashlib
import itertools
from collections import deque

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from assay.errors import ConfigError
from assay.training.order import WINDOW, BatchOrder, BlockOrder


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


blocks_of = st.lists(st.integers(1, 40), min_size=1, max_size=15)


@settings(max_examples=60, deadline=None)
@given(blocks_of, st.integers(1, 12), st.integers(0, 2**31 - 1), st.booleans())
def test_an_epoch_over_blocks_visits_every_record_at_most_once(blocks, batch, seed, sized):
    blocks = np.array(blocks)
    n = int(blocks.sum())
    assume(n >= batch)
    order = BlockOrder(blocks, batch, seed, np.arange(n) % 17 if sized else None)

    for epoch in range(2):
        steps = range(epoch * order.batches_per_epoch, (epoch + 1) * order.batches_per_epoch)
        seen = np.concatenate([order.indices(step) for step in steps])
        assert len(seen) == len(set(seen)) == (n // batch) * batch
        assert set(seen) <= set(range(n))


@settings(max_examples=60, deadline=None)
@given(blocks_of, st.integers(1, 12), st.integers(0, 9))
def test_steps_need_the_blocks_in_the_sequence_that_is_said(blocks, batch, start):
    """With a window in memory and blocks dropped as they come, nothing is ever read twice."""
    blocks = np.array(blocks)
    assume(blocks.sum() >= batch)
    order = BlockOrder(blocks, batch, 5)
    upcoming, resident = order.blocks_from(start), deque(maxlen=WINDOW)
    owner = np.repeat(np.arange(len(blocks)), blocks)
    read = 0

    for step in range(start, start + 3 * order.batches_per_epoch):
        for block in dict.fromkeys(owner[order.indices(step)].tolist()):
            while block not in resident:
                resident.append(next(upcoming))
                read += 1
    assert read <= 5 * len(blocks)


def test_any_step_over_blocks_can_be_asked_for_in_any_order():
    blocks, lengths = np.array([30, 30, 30, 30, 30, 7]), np.arange(157) % 11
    ahead = BlockOrder(blocks, 8, 3, lengths)
    expected = {step: ahead.indices(step) for step in range(60)}

    for step in np.random.default_rng(0).permutation(60).tolist():
        fresh = BlockOrder(blocks, 8, 3, lengths)
        assert np.array_equal(fresh.indices(step), expected[step])
        assert np.array_equal(ahead.indices(step), expected[step])


def test_a_window_of_blocks_mixes_and_then_is_done_with():
    blocks = np.full(12, 40)
    order = BlockOrder(blocks, 8, 0)
    owner = np.repeat(np.arange(12), blocks)
    per_window = WINDOW * 40 // 8

    windows = [
        {int(b) for step in range(k, k + per_window) for b in owner[order.indices(step)]}
        for k in range(0, order.batches_per_epoch, per_window)
    ]

    assert [len(window) for window in windows] == [WINDOW] * 3
    assert set().union(*windows) == set(range(12))
    assert len(set(owner[order.indices(0)])) > 1


def test_batches_over_blocks_hold_like_sizes():
    lengths = np.random.default_rng(0).integers(3, 30, 20_000)
    sized = BlockOrder(np.full(10, 2000), 64, 0, lengths)

    padded = np.mean([lengths[sized.indices(k)].max() for k in range(200)])

    assert padded < lengths.mean() + 2


def test_epochs_and_seeds_differ_over_blocks_too():
    blocks = np.full(8, 16)
    order = BlockOrder(blocks, 16, 0)
    epochs = [list(itertools.islice(order.blocks_from(8 * epoch), 8)) for epoch in range(2)]

    assert epochs[0] != epochs[1]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(8))
    assert not np.array_equal(order.indices(0), BlockOrder(blocks, 16, 1).indices(0))


def test_workers_take_slices_of_the_same_batch():
    """A batch is a function of the step alone, so two workers' halves are the one worker's."""
    blocks = np.full(5, 9)
    one, two = BlockOrder(blocks, 8, 0), [BlockOrder(blocks, 8, 0) for _ in range(2)]

    for step in range(12):
        halves = [worker.indices(step)[4 * r : 4 * r + 4] for r, worker in enumerate(two)]
        assert np.array_equal(np.concatenate(halves), one.indices(step))


def test_the_orders_of_committed_results_do_not_change():
    lengths = np.arange(300) % 23
    plain = BatchOrder(300, 16, 7, lengths)
    blocks = BlockOrder(np.full(10, 30), 16, 7, lengths)

    def digest(order):
        rows = np.stack([order.indices(step) for step in range(40)]).astype("<i8")
        return hashlib.sha256(rows.tobytes()).hexdigest()[:16]

    assert digest(plain) == "cb61422b50b452df"
    assert digest(blocks) == "a19e7a573ecc5064"


def test_fewer_records_in_blocks_than_a_batch_is_refused():
    with pytest.raises(ConfigError, match="batch_size: 64 exceeds the 10 training records"):
        BlockOrder(np.array([6, 4]), 64, 0)
