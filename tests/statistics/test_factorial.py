import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from assay.errors import DataError
from assay.statistics.factorial import factorial

ROWS, COLUMNS = ("gnn", "transformer", "pairformer"), ("flow", "diffusion")


def made(noise=0.1, seed=0):
    """Values of 3 × 2 cells and 4 seeds: μ = 5, rows -1 0 1, columns ±0.5, one interaction."""
    generator = np.random.default_rng(seed)
    values = 5 + np.array([-1, 0, 1])[:, None, None] + np.array([0.5, -0.5])[:, None]
    values = values + 0.2 * np.arange(4) + generator.normal(0, noise, (3, 2, 4))
    values[0, 0] += 0.8
    return values


def test_without_noise_effects_are_exact():
    found = factorial(
        ROWS, COLUMNS, made(noise=0.0) + 1e-9 * np.random.default_rng(0).random((3, 2, 4))
    )

    assert found.mean == pytest.approx(5 + 0.3 + 0.8 / 6)
    row_means = np.array([-1 + 0.4, 0, 1]) - 0.4 / 3
    assert [each.value for each in found.rows] == pytest.approx(row_means.tolist(), abs=1e-6)
    assert sum(each.value for each in found.interaction) == pytest.approx(0, abs=1e-9)
    assert found.noise < 1e-8


def test_the_table_is_that_of_the_textbook():
    """Montgomery, "Design and Analysis of Experiments", table 5.4: battery life (hours), three
    materials at three temperatures, four batteries of each; there without blocks, so that the
    sums of squares of factors and of their interaction agree."""
    life = [
        [[130, 155, 74, 180], [34, 40, 80, 75], [20, 70, 82, 58]],
        [[150, 188, 159, 126], [136, 122, 106, 115], [25, 70, 58, 45]],
        [[138, 110, 168, 160], [174, 120, 150, 139], [96, 104, 82, 60]],
    ]
    found = factorial(("1", "2", "3"), ("15", "70", "125"), np.array(life, float))

    squares = {source.name: source.squares for source in found.sources}
    assert squares["rows"] == pytest.approx(10683.72, abs=0.01)
    assert squares["columns"] == pytest.approx(39118.72, abs=0.01)
    assert squares["interaction"] == pytest.approx(9613.78, abs=0.01)
    assert squares["seeds"] + squares["residual"] == pytest.approx(18230.75, abs=0.01)


def test_intervals_hold_the_truth():
    held = 0
    for seed in range(200):
        found = factorial(ROWS, COLUMNS, made(seed=seed))
        held += found.columns[0].low <= 0.5 + 0.4 / 3 <= found.columns[0].high
    assert 180 <= held <= 198


def test_degrees_and_shares_add_up():
    found = factorial(ROWS, COLUMNS, made())

    assert [each.degrees for each in found.sources] == [2, 1, 2, 3, 15]
    assert sum(each.share for each in found.sources) == pytest.approx(1)
    assert found.sources[-1].p is None
    assert found.sources[2].p < 1e-4


def test_one_seed_blocks_and_all():
    frame = pd.DataFrame(
        [(i, j, s, made()[i, j, s]) for i in range(3) for j in range(2) for s in range(4)],
        columns=["i", "j", "s", "y"],
    )
    expected = anova_lm(ols("y ~ C(i) * C(j) + C(s)", frame).fit(), typ=1)

    found = {each.name: each for each in factorial(ROWS, COLUMNS, made()).sources}

    assert found["rows"].p == pytest.approx(expected.loc["C(i)", "PR(>F)"])
    assert found["seeds"].squares == pytest.approx(expected.loc["C(s)", "sum_sq"])


def test_a_design_with_a_hole_is_refused():
    values = made()
    values[1, 0, 2] = np.nan
    with pytest.raises(DataError, match=r"values are missing: transformer-flow \(run 3\)"):
        factorial(ROWS, COLUMNS, values)
    with pytest.raises(DataError, match="one seed"):
        factorial(ROWS, COLUMNS, made()[:, :, :1])
    with pytest.raises(DataError, match="values of 3 × 2 cells for 3 × 3 levels"):
        factorial(ROWS, ROWS, made())
    with pytest.raises(DataError, match="there is no noise to hold effects against"):
        factorial(ROWS, COLUMNS, made(noise=0.0))
    with pytest.raises(DataError, match="a factor with one level"):
        factorial(ROWS[:1], COLUMNS, made()[:1])
