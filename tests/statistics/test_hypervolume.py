import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assay.errors import DataError
from assay.statistics.hypervolume import hypervolume


def volume(points, reference):
    return hypervolume(np.array(points, dtype=float), np.array(reference, dtype=float))


def test_one_model_commands_the_box_between_it_and_the_reference():
    assert volume([[1, 2, 3, 4]], [3, 3, 5, 5]) == 2 * 1 * 2 * 1


def test_what_two_models_share_counts_once():
    assert volume([[0, 2], [1, 1]], [3, 3]) == 3 + 4 - 2


def test_a_staircase_in_three_objectives():
    # 3 boxes of 1·1·3 and such overlap in [2, 3]³ only, pairwise and all together.
    assert volume([[2, 2, 0], [2, 0, 2], [0, 2, 2]], [3, 3, 3]) == 3 * 3 - 3 * 1 + 1


@pytest.mark.parametrize("beyond", [[3, 0], [4, 4], [0, 9]])
def test_who_is_not_better_than_the_reference_in_all_adds_nothing(beyond):
    assert volume([[1, 1], beyond], [3, 3]) == volume([[1, 1]], [3, 3]) == 4
    assert volume([beyond], [3, 3]) == 0


@given(arrays(np.float64, (6, 3), elements=st.integers(0, 4).map(float)))
def test_it_counts_the_cells_that_some_model_beats(points):
    lower_corners = np.stack(np.meshgrid(*3 * [np.arange(5)], indexing="ij"), -1).reshape(-1, 1, 3)
    beaten = (points[None] <= lower_corners).all(-1).any(-1)
    assert hypervolume(points, np.full(3, 5.0)) == pytest.approx(beaten.sum())


def test_values_that_are_not_finite_or_of_other_objectives_are_refused():
    with pytest.raises(DataError, match="not finite"):
        volume([[np.nan, 1]], [3, 3])
    with pytest.raises(DataError, match="3 objectives"):
        volume([[1, 1]], [3, 3, 3])
