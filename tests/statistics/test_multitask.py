import numpy as np
import pytest

from assay.errors import DataError
from assay.statistics.multitask import delta_m


def test_it_is_the_mean_relative_loss_over_tasks():
    # 0.8 → 0.72 is 10 % worse; 0.5 → 0.4 is 20 % better, as lower is better there.
    value, interval = delta_m(np.array([[0.72, 0.4]]), np.array([[0.8, 0.5]]), ["higher", "lower"])

    assert value == pytest.approx((0.1 - 0.2) / 2)
    assert interval is None


def test_its_interval_is_students_over_seeds_in_units_of_the_mean():
    single, ours = np.array([[0.8], [1.2]]), np.array([[0.7], [1.3]])

    value, interval = delta_m(ours, single, ["higher"])

    # Seeds: +0.1 and -0.1; t of one degree of freedom is 12.706, over √2, of a deviation 0.1 √2.
    assert value == pytest.approx(0, abs=1e-12)
    assert interval == pytest.approx((-1.2706, 1.2706), abs=1e-4)


def test_who_equals_the_single_tasks_loses_nothing():
    figures = np.random.default_rng(0).uniform(0.1, 1, (3, 4))
    assert delta_m(figures, figures, ["higher", "lower"] * 2) == (0.0, None)


def test_nothing_is_relative_to_a_figure_that_is_not_above_0():
    with pytest.raises(DataError, match=r"single-task figure 2 is -0\.1 in the mean"):
        delta_m(np.ones((2, 2)), np.array([[1, -0.3], [1, 0.1]]), ["higher", "higher"])


@pytest.mark.parametrize(
    ("ours", "sentence"), [(np.ones((2, 1)), "same seeds"), (np.full((3, 1), np.inf), "not finite")]
)
def test_figures_that_cannot_be_compared_are_refused(ours, sentence):
    with pytest.raises(DataError, match=sentence):
        delta_m(ours, np.ones((3, 1)), ["higher"])
