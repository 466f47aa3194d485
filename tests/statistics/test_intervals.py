import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.statistics.intervals import bootstrap, clustered_fraction, linearised, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(successes, n, low, high):
    """Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3."""
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_without_trials_knows_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 10_000), st.data())
def test_wilson_holds_the_fraction_and_stays_inside_zero_and_one(n, data):
    successes = data.draw(st.integers(0, n))
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert low < high


@given(st.integers(1, 10_000), st.data())
def test_wilson_of_failures_is_the_mirror_image(n, data):
    successes = data.draw(st.integers(0, n))
    low, high = wilson(successes, n)
    assert wilson(n - successes, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_wilson_covers_as_often_as_it_says():
    generator = np.random.default_rng(0)
    for p in (0.05, 0.5, 0.95):
        counts = generator.binomial(200, p, size=2000)
        intervals = [wilson(int(count), 200) for count in counts]
        covered = np.mean([low <= p <= high for low, high in intervals])
        assert 0.93 < covered < 0.975


def test_bootstrap_of_a_mean_is_the_normal_interval():
    values = np.random.default_rng(0).normal(3.0, 2.0, size=400)
    half = 1.96 * values.std() / 20
    low, high = bootstrap(values, lambda x: x.mean(-1), resamples=4000, seed=1)
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_bootstrap_gives_as_many_statistics_as_resamples():
    seen = []

    def median(rows):
        seen.append(rows.shape)
        return np.median(rows, axis=-1)

    bootstrap(np.arange(3_000_000.0), median, resamples=3, seed=0)
    assert sum(rows for rows, _ in seen) == 3
    assert {size for _, size in seen} == {3_000_000}


def test_equal_seeds_give_equal_intervals():
    values = np.random.default_rng(0).normal(size=50)
    first, again, other = (bootstrap(values, lambda x: x.mean(-1), seed=s) for s in (3, 3, 4))
    assert first == again != other


def clusters(count=500, seed=0):
    generator = np.random.default_rng(seed)
    sizes = generator.integers(3, 30, size=count)
    return generator.binomial(sizes, generator.beta(8, 1, size=count)), sizes


def test_clustered_fraction_is_the_bootstrap_over_whole_clusters():
    successes, sizes = clusters()
    pairs = np.arange(len(sizes))
    slow = bootstrap(
        pairs, lambda k: successes[k].sum(-1) / sizes[k].sum(-1), resamples=10_000, seed=1
    )
    fast = clustered_fraction(successes, sizes, resamples=10_000, seed=2)
    assert fast == pytest.approx(slow, abs=0.04 * (slow[1] - slow[0]))


def test_clustered_fraction_agrees_with_the_linearised_variance():
    """Cochran, "Sampling Techniques" (1977), equation 6.13: ratio estimator."""
    successes, sizes = clusters()
    fraction = successes.sum() / sizes.sum()
    residuals = successes - fraction * sizes
    half = 1.96 * np.sqrt((residuals**2).sum()) / sizes.sum()
    low, high = clustered_fraction(successes, sizes, resamples=10_000)
    assert (high - low) / 2 == pytest.approx(half, rel=0.05)


def test_units_that_stand_or_fall_together_widen_the_interval():
    together = np.repeat([10, 0], [80, 20])
    low, high = clustered_fraction(together, np.full(100, 10), resamples=5000)
    apart_low, apart_high = wilson(800, 1000)
    assert high - low == pytest.approx(np.sqrt(10) * (apart_high - apart_low), rel=0.1)


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_where_clusters_do_not_differ_each_counts_as_one_trial(fraction):
    sizes = np.array([2, 4, 6, 8])
    assert clustered_fraction(fraction * sizes, sizes) == wilson(4 * fraction, 4)


def test_clustered_fraction_without_clusters_knows_nothing():
    assert clustered_fraction(np.zeros(0), np.zeros(0)) == (0.0, 1.0)


def test_linearised_is_the_bootstrap_of_the_influences_around_the_value():
    influence = np.random.default_rng(0).normal(5.0, 2.0, size=400)
    half = 1.96 * influence.std() / 20
    low, high = linearised(7.0, influence, resamples=4000)
    assert (low, high) == pytest.approx((7.0 - half, 7.0 + half), abs=0.1 * half)


def test_linearised_takes_no_notice_of_the_order_of_records():
    influence = np.random.default_rng(0).exponential(size=50)
    assert linearised(1.0, influence[::-1]) == linearised(1.0, influence)


def test_linearised_stays_within_what_the_statistic_can_be():
    influence = np.random.default_rng(0).normal(0, 9.0, size=30)
    assert linearised(0.5, influence, least=0.0, most=1.0) == (0.0, 1.0)


def test_linearised_covers_a_ratio_as_often_as_it_says():
    """The ratio of two means; its influence is (y - r x) / mean x."""
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(400):
        x, e = generator.gamma(4.0, size=100), generator.normal(size=100)
        y = 2 * x + x * e
        r = y.mean() / x.mean()
        low, high = linearised(r, (y - r * x) / x.mean(), resamples=400)
        covered.append(low <= 2 <= high)
    assert 0.91 < np.mean(covered) < 0.98
