import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assay.generation.metrics import distances
from assay.statistics.intervals import linearised

NUMBERS = arrays(
    float, st.integers(1, 30), elements=st.integers(-100_000, 100_000).map(lambda n: n / 1000)
)
"""Of which none is so small that it is lost beside another."""


def derivative(compare, values, k, often=400):
    """How much the value moves, times the number of values, as value k gains weight."""
    repeated = np.repeat(values, often)
    more = compare(np.append(repeated, values[k]))
    return (len(repeated) + 1) * (more - compare(repeated))


@given(NUMBERS, NUMBERS)
def test_wasserstein_is_scipys(values, reference):
    found = distances.wasserstein(values, reference)
    expected = scipy.stats.wasserstein_distance(values, reference)
    assert found.value == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert found.influence.mean() == pytest.approx(0, abs=1e-9)


def test_wasserstein_of_a_shift_is_the_shift():
    values = np.random.default_rng(0).normal(size=50)
    found = distances.wasserstein(values + 2.5, values)
    assert found.value == pytest.approx(2.5)
    np.testing.assert_allclose(found.influence, values - values.mean(), atol=1e-12)


def test_the_influence_on_wasserstein_is_its_derivative():
    generator = np.random.default_rng(1)
    values, reference = generator.normal(size=19), generator.normal(0.7, 2.0, size=31)
    found = distances.wasserstein(values, reference)
    for k in range(19):
        expected = derivative(lambda x: distances.wasserstein(x, reference).value, values, k)
        assert found.influence[k] == pytest.approx(expected, abs=0.02)


@given(NUMBERS, NUMBERS)
@settings(max_examples=50, deadline=None)
def test_discrepancy_is_never_negative_and_sees_neither_order_nor_origin(values, reference):
    found = distances.mean_discrepancy(values, reference)
    again = distances.mean_discrepancy(values[::-1] + 3.0, reference[::-1] + 3.0)
    assert 0 <= found.value < 10
    assert again.value == pytest.approx(found.value, rel=1e-3, abs=1e-6)


def test_equal_sets_have_no_discrepancy():
    values = np.random.default_rng(0).normal(size=100)
    assert distances.mean_discrepancy(values, values).value == pytest.approx(0, abs=1e-12)
    assert distances.mean_discrepancy(np.ones(3), np.ones(5)).value == 0


def test_nothing_is_further_from_the_reference_than_anything():
    """What remains is the reference's own mean kernel, below 5; a single value has all of it."""
    reference = np.random.default_rng(0).normal(size=200)
    nothing = distances.mean_discrepancy(np.zeros(0), reference)
    assert 1 < nothing.value < 5
    assert nothing.value > distances.mean_discrepancy(reference + 0.5, reference).value
    assert distances.mean_discrepancy(np.zeros(0), np.ones(4)).value == 5
    assert len(nothing.influence) == 0


@pytest.mark.parametrize(
    ("name", "shift", "least"),
    [
        ("wasserstein", 0.0, 0.93),
        ("wasserstein", 0.4, 0.92),
        ("mean_discrepancy", 0.0, 0.87),
        ("mean_discrepancy", 0.4, 0.89),
    ],
)
def test_the_interval_covers_the_values_of_fresh_samples(name, shift, least):
    """The reference is fixed; without a shift the samples come from its own distribution.

    There the discrepancy is quadratic in what is left of it, and its interval a little narrow.
    """
    compare = getattr(distances, name)
    generator = np.random.default_rng(2)
    reference = generator.normal(size=1000)
    drawn = [compare(generator.normal(shift, 1.0, size=200), reference) for _ in range(200)]
    middle = np.mean([one.value for one in drawn])
    intervals = [linearised(one.value, one.influence, resamples=300) for one in drawn]
    assert np.mean([low <= middle <= high for low, high in intervals]) > least


def test_cosine_of_counts_is_worked_out_by_hand():
    """Samples count (2, 1, 0), the reference (1, 0, 1): 2 / (√5 √2)."""
    rows, kinds = np.array([0, 0, 1]), np.array([0, 1, 0])
    found = distances.cosine(rows, kinds, 2, np.array([1, 0, 1]))
    assert found.value == pytest.approx(2 / np.sqrt(10))


def test_the_influence_on_the_cosine_is_its_derivative():
    generator = np.random.default_rng(3)
    rows, kinds = np.repeat(np.arange(40), 3), generator.integers(6, size=120)
    reference = generator.integers(1, 50, size=6)
    found = distances.cosine(rows, kinds, 40, reference)
    assert found.influence.mean() == pytest.approx(0, abs=1e-12)
    for k in range(5):
        often = np.tile(kinds, 500)
        more = np.concatenate([often, kinds[rows == k]])
        value = distances.cosine(np.zeros(len(more), int), more, 1, reference).value
        assert 20_000 * (value - found.value) == pytest.approx(found.influence[k], abs=0.01)


def test_counts_without_anything_in_common_are_not_alike():
    nothing = distances.cosine(np.zeros(0, int), np.zeros(0, int), 3, np.array([1, 2]))
    assert nothing.value == 0
    assert nothing.influence.tolist() == [0, 0, 0]
    apart = distances.cosine(np.array([0]), np.array([1]), 1, np.array([4, 0]))
    assert apart.value == 0


def test_similarities_are_worked_out_by_hand():
    bits = np.array([[1, 1, 0, 0], [0, 0, 0, 0]], dtype=np.uint8)
    reference = np.array([[1, 1, 1, 0], [0, 0, 1, 1]], dtype=np.uint8)
    assert distances.nearest_similarities(bits, reference).tolist() == pytest.approx([2 / 3, 0])
    diversity = distances.internal_diversity(bits)
    assert diversity.value == pytest.approx(1 - (1 + 0 + 0 + 1) / 4)


def test_many_samples_are_compared_in_parts(monkeypatch):
    bits = np.random.default_rng(4).integers(2, size=(50, 64), dtype=np.uint8)
    whole = distances.internal_diversity(bits), distances.nearest_similarities(bits, bits[::3])
    monkeypatch.setattr(distances, "_ROWS_AT_ONCE", 7)
    assert distances.internal_diversity(bits).value == pytest.approx(whole[0].value, rel=1e-12)
    np.testing.assert_array_equal(distances.nearest_similarities(bits, bits[::3]), whole[1])
