import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.captioning.metrics.resampling import Resamples
from assay.statistics.intervals import bootstrap, wilson


def test_every_resample_draws_as_many_pairs_as_there_are():
    counts = Resamples(7, resamples=50).counts_RS

    assert counts.shape == (50, 7)
    assert np.array_equal(counts.sum(axis=1), np.full(50, 7))


def test_the_mean_has_the_interval_of_an_ordinary_bootstrap():
    values = np.random.default_rng(1).beta(2, 3, size=400)

    found = Resamples(400).mean(values, "1")
    low, high = bootstrap(values, lambda drawn: drawn.mean(axis=-1))

    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.003)
    assert (found.n, found.version, found.better) == (400, "1", "higher")


def test_a_figure_of_sums_is_made_of_the_sums_of_a_resample():
    """One generator, written down slowly."""
    statistics = np.random.default_rng(0).integers(1, 9, size=(5, 2))
    resamples = Resamples(5, resamples=100)
    slow = []
    for counts in resamples.counts_RS:
        drawn = np.repeat(statistics, counts, axis=0)
        slow.append(drawn[:, 0].sum() / drawn[:, 1].sum())

    found = resamples.estimate(statistics, lambda sums: sums[:, 0] / sums[:, 1], "1", n=31)

    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])))
    assert found.n == 31


@pytest.mark.parametrize(("pairs", "value"), [(1, 0.4), (20, 1.0), (20, 0.0), (7, 0.3), (300, 0.1)])
def test_where_no_spread_is_seen_each_pair_is_a_trial(pairs, value):
    found = Resamples(pairs).mean(np.full(pairs, value), "1")

    assert found.value == pytest.approx(value)
    assert (found.low, found.high) == pytest.approx(wilson(value * pairs, pairs))


def test_what_is_not_defined_is_none():
    assert Resamples(3).estimate(np.zeros(3), lambda sums: sums[:, 0] * np.nan, "1") is None


def test_resamples_without_a_value_are_left_out():
    """Only the first of three pairs says something: a quarter of the resamples do not have it."""
    statistics = np.array([[1.0, 2.0], [0.0, 0.0], [0.0, 0.0]])

    with np.errstate(invalid="ignore"):
        found = Resamples(3).estimate(statistics, lambda sums: sums[:, 0] / sums[:, 1], "1")

    assert found.value == 0.5
    assert 0 <= found.low < 0.5 < found.high <= 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(max_examples=25, deadline=None)
def test_the_interval_holds_the_value(values):
    found = Resamples(len(values), resamples=200).mean(np.array(values), "1")

    assert found.low <= found.value <= found.high


def test_counts_may_exceed_1():
    found = Resamples(50).count(np.arange(50), "1")

    assert found.value == 24.5
    assert 1 < found.low < 24.5 < found.high
