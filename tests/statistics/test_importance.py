import numpy as np
import pytest
from scipy.stats import qmc

from assay.errors import DataError
from assay.statistics.importance import of_reaching_the_front, of_variance

UNIT = (0.0, 1.0)


def uniform(*names, trials=64):
    """Settings that are spread evenly."""
    drawn = qmc.Sobol(len(names), rng=0).random_base2(6)[:trials]
    return dict(zip(names, drawn.T, strict=True))


def shares(found):
    assert sum(each.share for each in found) == pytest.approx(1)
    assert all(0 <= each.low <= each.high <= 1 for each in found)
    assert [each.share for each in found] == sorted((each.share for each in found), reverse=True)
    return {each.name: each for each in found}


def test_shares_of_variance_are_those_of_a_sum():
    """Of 2 x + y, with x and y uniform: variances 4/12 and 1/12."""
    settings = uniform("x", "y", "idle")

    found = shares(
        of_variance(settings, dict.fromkeys(settings, UNIT), 2 * settings["x"] + settings["y"], 2)
    )

    assert found["x"].share == pytest.approx(0.8, abs=0.1)
    assert found["y"].share == pytest.approx(0.2, abs=0.1)
    assert found["idle"].share < 0.05
    assert found["x"].low > found["y"].high


def test_a_share_counts_over_the_whole_range_not_where_trials_lie():
    """x matters only in its upper half, where a tenth of the trials lie."""
    generator = np.random.default_rng(1)
    x = np.concatenate([generator.uniform(0, 0.5, 45), generator.uniform(0.5, 1, 5)])
    settings = {"x": x, "y": generator.uniform(size=50)}

    found = shares(of_variance(settings, {"x": UNIT, "y": UNIT}, 2 * (x > 0.5) + settings["y"], 1))

    # Variances 4/4 and 1/12.
    assert found["x"].share == pytest.approx(12 / 13, abs=0.1)


def test_what_leads_to_the_front_is_told_from_what_moves_along_it():
    """x costs both objectives; y trades one for the other."""
    settings = uniform("x", "y")
    x, y = settings["x"], settings["y"]
    losses = np.stack([3 * x + y, 3 * x + (1 - y)], axis=1)

    found = shares(of_reaching_the_front(settings, dict.fromkeys(settings, UNIT), losses, 20))

    assert found["x"].share > 0.8
    assert found["x"].low > found["y"].high


def test_the_same_trials_have_the_same_shares():
    settings = uniform("x", "y", trials=12)
    figure = settings["x"]
    one, other = (of_variance(settings, dict.fromkeys(settings, UNIT), figure, 2) for _ in "ab")
    assert one == other


@pytest.mark.parametrize(
    ("figure", "sentence"),
    [
        (np.arange(7.0), "7 complete trials: what matters can be told from 8"),
        (np.ones(0), "0 complete trials"),
        (np.ones(9), "the same in all trials"),
        (np.array([*range(8), np.inf]), "not finite"),
    ],
)
def test_trials_that_tell_nothing_are_refused(figure, sentence):
    settings = uniform("x", "y", trials=len(figure))
    ranges = dict.fromkeys(settings, UNIT)
    with pytest.raises(DataError, match=sentence):
        of_variance(settings, ranges, figure)
    with pytest.raises(DataError, match=sentence):
        of_reaching_the_front(settings, ranges, figure[:, None])
