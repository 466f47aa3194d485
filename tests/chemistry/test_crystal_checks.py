"""What cannot be meant is refused, with its record and the reason; what is merely odd passes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.chemistry import crystal_checks as module
from assay.chemistry.checks import unanimous
from assay.chemistry.crystal_checks import (
    absurd_records,
    check_crystals,
    nearest_neighbours,
    suspect_units,
)
from assay.chemistry.crystals import Crystals
from assay.errors import DataError
from tests.chemistry.cells import (
    ARGON,
    CESIUM_CHLORIDE,
    COPPER,
    DIAMOND,
    EVERYTHING,
    GRAPHITE,
    PEROVSKITE,
    ROCK_SALT,
    crystal,
    pack,
    scaled,
)


def wrong_unit(crystals):
    return unanimous(suspect_units(crystals), len(crystals), "crystals")


CUBE = 4.0 * np.eye(3)
EMPTY = crystal([], [], CUBE)


def test_real_crystals_pass():
    assert absurd_records(EVERYTHING) == []
    assert suspect_units(EVERYTHING) == []
    check_crystals(EVERYTHING, np.arange(len(EVERYTHING)), "here")


def numbered(numbers):
    cell = pack(CESIUM_CHLORIDE)
    return Crystals(cell.frac_coords, np.array(numbers, np.uint8), cell.n_atoms, cell.lattices)


ABSURD = {
    "it has no atoms": EMPTY,
    "it has 10,000 atoms, at most 9,999": crystal(
        ["C"] * 10_000, np.random.default_rng(0).random((10_000, 3)), 100 * np.eye(3)
    ),
    "2 coordinates are not finite": crystal(["Na"], [[np.nan, 0, -np.inf]], CUBE),
    "its cell is not finite": crystal(["Na"], [[0, 0, 0]], [[4, 0, 0], [0, np.inf, 0], [0, 0, 4]]),
    "no element has number 0": numbered([0, 17]),
    "no element has number 119": numbered([119, 17]),
    "its cell has a volume of 0 Å³: singular": crystal(["Na"], [[0, 0, 0]], np.ones((3, 3))),
    "its cell is left-handed: swap two vectors, and their coordinates": crystal(
        ["Na"], [[0, 0, 0]], CUBE[[1, 0, 2]]
    ),
    "fractional coordinate -0.25 lies outside [0, 1): wrap it into the cell": crystal(
        ["Na"], [[0, -0.25, 0]], CUBE
    ),
    "fractional coordinate 1 lies outside [0, 1): wrap it into the cell": crystal(
        ["Na"], [[0, 0, 1.0]], CUBE
    ),
    "two of its atoms are less than 0.01 Å apart": crystal(
        ["Na", "Cl"], [[0, 0, 0.001], [0, 0, 0.9995]], CUBE
    ),
}


@pytest.mark.parametrize("reason", ABSURD)
def test_each_absurdity_is_named_with_its_record(reason):
    assert absurd_records(pack(ROCK_SALT, ABSURD[reason], DIAMOND)) == [(1, reason)]


def test_every_absurd_record_is_named_once_and_in_order():
    found = absurd_records(pack(ROCK_SALT, *ABSURD.values()))
    assert found == list(enumerate(ABSURD, start=1))


def test_a_refusal_names_file_record_and_reason():
    crystals = pack(ROCK_SALT, crystal(["Na"], [[np.nan, 0, 0]], CUBE), EMPTY)
    with pytest.raises(DataError) as error:
        check_crystals(crystals, np.array([10, 4211, 30]), "mp20.npz")
    assert str(error.value) == (
        "mp20.npz: record 4211: 1 coordinates are not finite (1 more records are at fault)"
    )


@pytest.mark.parametrize(
    ("factor", "sentence"),
    [
        (0.1, "looks like nanometres, expected Å"),
        (1 / 0.529177, "looks like Bohr, expected Å"),
        (100.0, "times their covalent radii: expected Å"),
    ],
    ids=["nanometres", "Bohr", "picometres"],
)
def test_a_wrong_unit_is_recognised(factor, sentence):
    crystals = scaled(pack(ROCK_SALT, CESIUM_CHLORIDE, DIAMOND, COPPER, PEROVSKITE), factor)
    assert absurd_records(crystals) == []
    assert [index for index, _ in suspect_units(crystals)] == [0, 1, 2, 3, 4]
    assert sentence in str(wrong_unit(crystals))
    with pytest.raises(DataError, match=f"here: record 5: .*{sentence}"):
        check_crystals(crystals, np.array([5, 6, 7, 8, 9]), "here")


def test_one_crystal_in_another_unit_is_no_wrong_unit_of_the_file_but_is_suspect():
    crystals = pack(*[ROCK_SALT] * 5, scaled(ROCK_SALT, 1.89))
    assert wrong_unit(crystals) is None
    ((index, reason),) = suspect_units(crystals)
    assert index == 5
    assert reason == (
        "no two atoms are nearer than 1.99 times their covalent radii: looks like Bohr, expected Å"
    )


def test_noble_gases_may_be_as_far_apart_as_they_like():
    assert suspect_units(scaled(ARGON, 1.5)) == []


def test_nothing_is_no_wrong_unit():
    assert wrong_unit(pack()) is None
    assert absurd_records(pack()) == suspect_units(pack()) == []
    assert suspect_units(pack(EMPTY, ROCK_SALT, EMPTY)) == []


def test_nearest_neighbours_are_the_textbook_ones_through_the_faces_of_the_cell():
    distances, ratios = nearest_neighbours(EVERYTHING)
    first = EVERYTHING.offsets[:-1]
    expected = [
        5.64 / 2,
        4.12 * np.sqrt(3) / 2,
        3.567 * np.sqrt(3) / 4,
        3.61 / np.sqrt(2),
        5.26 / np.sqrt(2),
        3.905 * np.sqrt(2) / 2,
        2.46 / np.sqrt(3),
    ]
    np.testing.assert_allclose(distances[first], expected, rtol=1e-4)
    assert ratios[first][3] == pytest.approx(expected[3] / (2 * 1.32), rel=1e-4)  # copper


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 2**31))
def test_large_cells_are_judged_as_small_ones_are(sizes, seed):
    random = np.random.default_rng(seed)
    crystals = pack(
        *(crystal(["C"] * n, random.random((n, 3)), 5 * np.eye(3) + random.random((3, 3)))
          for n in sizes)
    )  # fmt: skip
    expected = nearest_neighbours(crystals)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_DENSE", 0)
        found = nearest_neighbours(crystals)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_large_cell_is_searched_by_a_tree():
    """Of 8,000 atoms all pairs would be 64 million, with their images 1.7 billion."""
    side = np.stack(np.meshgrid(*[np.arange(20)] * 3), -1).reshape(-1, 3) / 20
    grid = crystal(["Cu"] * 8000, side, 50 * np.eye(3))
    np.testing.assert_allclose(nearest_neighbours(grid)[0], 2.5, rtol=1e-4)


def test_graphite_is_bound_within_its_layers_and_not_between_them():
    assert suspect_units(GRAPHITE) == []
