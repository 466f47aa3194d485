import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from assay.errors import DataError
from assay.statistics.aggregate import interquartile_mean, probability_of_improvement


def test_the_interquartile_mean_leaves_out_a_quarter_at_either_end():
    scores = np.arange(8.0).reshape(4, 2)
    scores[0, 0] = -1000.0

    value, (low, high) = interquartile_mean(scores)

    assert value == pytest.approx((2 + 3 + 4 + 5) / 4)
    assert low <= value <= high


def test_the_middle_half_of_three_scores_is_all_of_them():
    assert interquartile_mean(np.array([[0.0], [1.0], [5.0]]))[0] == pytest.approx(2.0)
    assert interquartile_mean(np.array([[0.0], [1.0], [2.0], [9.0]]))[0] == pytest.approx(1.5)


def test_a_probability_of_improvement_is_the_statistic_of_mann_and_whitney():
    generator = np.random.default_rng(0)
    ours, theirs = generator.normal(0.5, 1, (6, 3)), generator.normal(0, 1, (5, 3))

    value, (low, high) = probability_of_improvement(ours, theirs)

    expected = np.mean([mannwhitneyu(ours[:, t], theirs[:, t]).statistic / 30 for t in range(3)])
    assert value == pytest.approx(expected)
    assert low < value < high


def test_ties_count_one_half_and_the_two_sides_add_up():
    ours, theirs = np.array([[1.0], [2.0]]), np.array([[1.0], [1.0]])

    assert probability_of_improvement(ours, theirs)[0] == 0.75
    assert probability_of_improvement(theirs, ours)[0] == 0.25


def test_seeds_are_resampled_within_their_task():
    """Tasks of very different levels, without spread within one: nothing to resample."""
    scores = np.tile(np.array([0.0, 10.0, 1000.0, 5.0]), (3, 1))

    value, ends = interquartile_mean(scores)

    assert ends == (value, value)


def test_one_seed_is_refused():
    with pytest.raises(DataError, match="one seed"):
        interquartile_mean(np.ones((1, 4)))
    with pytest.raises(DataError, match="2 tasks beside 3"):
        probability_of_improvement(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.raises(DataError, match="not finite"):
        interquartile_mean(np.full((2, 2), np.inf))
