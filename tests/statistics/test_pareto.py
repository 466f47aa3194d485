import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assay.errors import DataError
from assay.statistics.pareto import front


def test_a_model_that_is_worse_and_dearer_is_off_the_front():
    quality, seconds = np.array([0.9, 0.8, 0.85, 0.5]), np.array([10.0, 4.0, 12.0, 4.0])

    assert front(quality, seconds[:, None]).tolist() == [True, True, False, False]


def test_a_second_cost_can_bring_a_model_back():
    quality = np.array([0.9, 0.8])
    costs = np.array([[1.0, 100.0], [2.0, 10.0]])

    assert front(quality, costs[:, :1]).tolist() == [True, False]
    assert front(quality, costs).tolist() == [True, True]


@given(arrays(np.float64, (12, 3), elements=st.integers(0, 4).map(float)))
def test_every_model_off_the_front_is_beaten_by_one_on_it(points):
    on = front(points[:, 0], points[:, 1:])
    assert on.any()
    for model in np.flatnonzero(~on):
        beats = (points[on, 0] >= points[model, 0]) & (points[on, 1:] <= points[model, 1:]).all(1)
        assert beats.any()


def test_a_cost_that_is_not_known_is_refused():
    with pytest.raises(DataError, match="no place on a front"):
        front(np.array([0.5]), np.array([[np.nan]]))
