import pytest
from scipy import stats

from assay.statistics.seeds import mean_over_seeds


def test_the_interval_is_that_of_students_t():
    values = [0.61, 0.55, 0.70, 0.58]

    mean, interval = mean_over_seeds(values)

    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert mean == pytest.approx(0.61)
    assert interval == pytest.approx((expected.low, expected.high))


def test_seeds_that_agree_know_no_spread_and_one_knows_nothing():
    assert mean_over_seeds([0.5, 0.5]) == (0.5, None)
    assert mean_over_seeds([0.1 + 0.2, 0.3])[1] is None
    assert mean_over_seeds([0.5, 0.5001])[1] is not None
    assert mean_over_seeds([0.5]) == (0.5, None)
