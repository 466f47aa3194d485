"""Packed crystals know their rows, their Cartesian coordinates and their volumes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.chemistry.packing import offsets_of, rows_of
from tests.chemistry.cells import COPPER, EVERYTHING, PEROVSKITE, ROCK_SALT, pack


def test_crystals_know_which_rows_are_theirs():
    three = pack(ROCK_SALT, COPPER, PEROVSKITE)
    assert len(three) == 3
    assert three.offsets.tolist() == [0, 2, 3, 8]
    assert three.owner.tolist() == [0, 0, 1, 2, 2, 2, 2, 2]


def test_positions_are_fractions_of_the_rows_of_the_lattice():
    np.testing.assert_allclose(ROCK_SALT.positions, [[0, 0, 0], [2.82, 2.82, 2.82]], rtol=1e-6)
    assert ROCK_SALT.positions.dtype == np.float32


def test_volumes_are_signed():
    assert PEROVSKITE.volumes.tolist() == [pytest.approx(3.905**3)]
    assert ROCK_SALT.volumes.tolist() == [pytest.approx(5.64**3 / 4)]
    swapped = type(ROCK_SALT)(
        ROCK_SALT.frac_coords,
        ROCK_SALT.numbers,
        ROCK_SALT.n_atoms,
        ROCK_SALT.lattices[:, [1, 0, 2]],
    )
    assert swapped.volumes.tolist() == [pytest.approx(-(5.64**3) / 4)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, len(EVERYTHING) - 1), max_size=12))
def test_selected_crystals_are_those_asked_for_in_that_order(indices):
    chosen = EVERYTHING.select(indices)
    expected = pack(*(EVERYTHING.select([index]) for index in indices))
    for name in ("frac_coords", "numbers", "n_atoms", "lattices"):
        np.testing.assert_array_equal(getattr(chosen, name), getattr(expected, name))


def test_nothing_may_be_selected():
    assert len(EVERYTHING.select([])) == 0
    assert EVERYTHING.select([]).positions.shape == (0, 3)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.data())
def test_rows_are_those_of_the_records_chosen(sizes, data):
    counts = np.array(sizes)
    chosen = data.draw(st.lists(st.integers(0, len(sizes) - 1), max_size=8))
    parts = np.split(np.arange(counts.sum()), np.cumsum(counts)[:-1])
    expected = np.concatenate([np.zeros(0, int), *(parts[index] for index in chosen)])
    np.testing.assert_array_equal(rows_of(counts, np.array(chosen, dtype=np.int64)), expected)
    assert offsets_of(counts).tolist() == [0, *np.cumsum(counts).tolist()]
