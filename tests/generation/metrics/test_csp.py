import numpy as np
import pytest

from assay.errors import DataError
from assay.generation.metrics import csp
from assay.statistics.intervals import wilson
from tests.generation.metrics import crystal_samples as c

UNBALANCED = c.crystal(c.fcc(5.6), "Na Cl Cl", [c.ORIGIN, c.HALF, c.QUARTER])
WRONG = c.crystal(np.eye(3) * 3.5, "Na Cl", [c.ORIGIN, c.HALF])


def shifted(crystal, angstrom):
    """The last atom moved along x."""
    step = np.array([angstrom, 0, 0]) @ np.linalg.inv(crystal.lattices[0])
    moves = np.zeros_like(crystal.frac_coords)
    moves[-1] = step
    return c.remade(crystal, crystal.frac_coords + moves)


def scored(predictions, targets):
    found = csp.evaluate(predictions, targets)
    assert all(e.low <= e.value <= e.high for e in found.values())
    return {name.removeprefix("csp/"): estimate for name, estimate in found.items()}


def test_perfect_predictions():
    found = scored(c.other_cell(c.TEXTBOOK, np.random.default_rng(0)), c.TEXTBOOK)
    assert found["match_rate"].value == found["match_rate_cdvae"].value == 1
    assert found["rmse"].value == pytest.approx(0, abs=1e-4)
    assert found["crmse"].value == pytest.approx(0, abs=1e-4)
    assert [found[name].better for name in ("match_rate", "rmse")] == ["higher", "lower"]


def test_a_miss_counts_half_in_crmse_and_not_at_all_in_rmse():
    predictions = c.pack(shifted(c.ROCK_SALT, 0.3), WRONG)
    found = scored(predictions, c.pack(c.ROCK_SALT, c.ROCK_SALT))
    distance = 0.15 / (5.640**3 / 8) ** (1 / 3)
    assert (found["match_rate"].low, found["match_rate"].high) == wilson(1, 2)
    assert found["rmse"].value == pytest.approx(distance, abs=1e-4)
    assert found["crmse"].value == pytest.approx((distance + 0.5) / 2, abs=1e-4)
    assert (found["rmse"].n, found["crmse"].n) == (1, 2)


def test_the_conventions_differ_where_the_target_is_not_valid():
    """An unbalanced target: the prediction, of the same formula, is as little valid."""
    found = scored(c.pack(UNBALANCED, c.DIAMOND), c.pack(UNBALANCED, c.DIAMOND))
    assert found["match_rate"].value == found["match_rate_cdvae"].value == 0.5
    near = c.crystal(np.eye(3) * 4, "Na Cl", [c.ORIGIN, (0.12, 0, 0)])
    apart = c.crystal(np.eye(3) * 4, "Na Cl", [c.ORIGIN, (0.15, 0, 0)])
    found = scored(apart, near)
    assert (found["match_rate"].value, found["match_rate_cdvae"].value) == (0, 1)
    assert "rmse" not in found
    assert found["crmse"].value == 0.5


def test_the_best_of_several_predictions_counts():
    predictions = c.pack(WRONG, shifted(c.ROCK_SALT, 0.5), shifted(c.ROCK_SALT, 0.3))
    found = scored(c.pack(predictions, c.DIAMOND, WRONG, WRONG), c.pack(c.ROCK_SALT, c.DIAMOND))
    assert found["match_rate"].value == 1
    assert found["rmse"].value == pytest.approx(0.15 / (5.640**3 / 8) ** (1 / 3) / 2, abs=1e-4)
    assert found["rmse"].n == 2
    matches = csp.match(predictions, c.ROCK_SALT)
    assert np.isnan(matches.distances_TK).tolist() == [[True, False, False]]


def test_predictions_belong_to_the_targets_in_order():
    """Two a target: those of the second begin at the third place."""
    predictions = c.pack(c.DIAMOND, c.DIAMOND, c.ROCK_SALT, c.ROCK_SALT)
    assert scored(predictions, c.pack(c.DIAMOND, c.ROCK_SALT))["match_rate"].value == 1
    assert scored(predictions, c.pack(c.ROCK_SALT, c.DIAMOND))["match_rate"].value == 0


@pytest.mark.parametrize(("predictions", "targets"), [(3, 2), (0, 2), (2, 0)])
def test_counts_that_do_not_fit_are_refused(predictions, targets):
    with pytest.raises(DataError, match=f"{predictions} predictions cannot be those of {targets}"):
        csp.evaluate(c.TEXTBOOK.select(range(predictions)), c.TEXTBOOK.select(range(targets)))


def test_an_element_is_no_valid_prediction_of_a_crystal_with_atoms_too_near():
    crowded = c.crystal(np.eye(3) * 4, "C C", [c.ORIGIN, (0.1, 0, 0)])
    assert scored(crowded, crowded)["match_rate_cdvae"].value == 0


def test_equal_distances_are_not_taken_for_certain():
    found = scored(c.pack(c.ROCK_SALT, c.DIAMOND), c.pack(c.ROCK_SALT, c.DIAMOND))
    expected = 0.5 * wilson(0, 2)[1]
    assert (found["rmse"].low, found["rmse"].high) == pytest.approx((0, expected), abs=1e-4)
