import numpy as np
import pytest

from assay.errors import DataError
from assay.statistics.ranks import ranking

AUC = np.array([
    [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
    [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
    [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
    [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
    [0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970],
])  # fmt: skip


def test_ranks_and_critical_difference_are_the_published_ones():
    """Demšar, JMLR 7 (2006) 1, table 6 and section 3.2.2: q = 2.569, CD = 1.25 on 14 data sets."""
    found = ranking(("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"), AUC)

    assert found.names == ("C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5")
    assert found.ranks_K.tolist() == pytest.approx([1.964, 2.000, 2.893, 3.143], abs=5e-4)
    assert found.critical_difference == pytest.approx(1.25, abs=5e-3)
    assert found.p < 0.05


def test_groups_are_the_longest_runs_that_do_not_differ():
    quality = np.array([[4.0, 3.0, 2.0, 1.0]] * 12)

    found = ranking(("a", "b", "c", "d"), quality)

    assert found.critical_difference == pytest.approx(1.354, abs=1e-3)
    assert found.groups == (("a", "b"), ("b", "c"), ("c", "d"))


def test_models_that_are_always_alike_do_not_differ():
    found = ranking(("a", "b", "c"), np.ones((4, 3)))

    assert found.p == 1
    assert found.groups == (("a", "b", "c"),)


def test_too_little_to_rank_is_refused():
    with pytest.raises(DataError, match="2 models on 3 tasks"):
        ranking(("a", "b"), np.ones((3, 2)))
    with pytest.raises(DataError, match="not finite"):
        ranking(("a", "b", "c"), np.full((3, 3), np.nan))
