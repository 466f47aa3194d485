import numpy as np
import pytest
from scipy import stats

from assay.errors import DataError
from assay.statistics.paired import all_pairs


def test_a_difference_is_that_of_students_paired_test():
    """Student 1908, table of hours of sleep gained by two drugs: t = -4.0621, p = 0.00283."""
    one = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    other = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])

    (found,) = all_pairs({"dextro": one, "laevo": other})

    assert found.mean == pytest.approx(-1.58)
    assert (found.low, found.high) == pytest.approx((-2.4598858, -0.7001142), abs=1e-6)
    assert found.p == pytest.approx(0.002832890, abs=1e-8)
    assert found.p_adjusted == found.p


def test_holm_multiplies_the_least_p_by_the_number_of_differences():
    generator = np.random.default_rng(0)
    values = {name: generator.normal(k, 1, 8) for k, name in enumerate("abc")}

    found = sorted(all_pairs(values), key=lambda each: each.p)

    assert found[0].p_adjusted == pytest.approx(3 * found[0].p)
    assert found[2].p_adjusted == pytest.approx(max(found[2].p, 2 * found[1].p, 3 * found[0].p))
    expected = stats.ttest_rel(values[found[0].one], values[found[0].other]).pvalue
    assert found[0].p == pytest.approx(expected)


def test_models_that_never_differ_are_equal_and_a_constant_gap_is_as_likely_as_its_signs():
    same = np.array([0.5, 0.7, 0.6])
    equal, gap = all_pairs({"a": same, "b": same})[0], all_pairs({"a": same, "b": same - 0.25})[0]

    assert (equal.mean, equal.p) == (0, 1)
    assert (gap.mean, gap.low, gap.high) == (pytest.approx(0.25), None, None)
    # Of the eight ways in which three signs fall, two have all alike.
    assert gap.p == 1 / 4
    # One stable molecule of 64, at both seeds, against none.
    assert all_pairs({"a": np.full(2, 1 / 64), "b": np.zeros(2)})[0].p_adjusted == 1 / 2


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"a": np.ones(3), "b": np.ones(2)}, "different numbers of seeds"),
        ({"a": np.ones(1), "b": np.ones(1)}, "one seed a model"),
        ({"a": np.array([1, np.nan]), "b": np.ones(2)}, "a: a value is not finite"),
    ],
)
def test_what_is_not_paired_is_refused(values, sentence):
    with pytest.raises(DataError, match=sentence):
        all_pairs(values)
