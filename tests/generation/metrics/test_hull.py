import numpy as np
import pytest

from assay.generation.metrics.hull import Hull
from tests.generation.metrics import crystal_samples as c

A = c.crystal(np.eye(3) * 3, "Na", [c.ORIGIN])
B = c.crystal(np.eye(3) * 3, "Cl", [c.ORIGIN])
AB = c.crystal(np.eye(3) * 4, "Na Cl", [c.ORIGIN, c.HALF])
A3B = c.crystal(np.eye(3) * 5, "Na Na Na Cl", [c.ORIGIN, c.HALF, c.QUARTER, (0.5, 0, 0)])
HULL = Hull(c.pack(A, B, AB), np.array([-1.0, -2.0, -2.5]))
"""Of formation, AB has -1 eV an atom."""


def test_energies_are_above_the_line_between_neighbours():
    # A3B lies half-way from A (-1) to AB (-2.5): the hull is at -1.75 eV an atom.
    above = HULL.above(c.pack(A3B, A3B, AB, B), np.array([-1.6, -1.75, -2.5, -1.0]))

    assert above == pytest.approx([0.15, 0.0, 0.0, 1.0], abs=1e-9)


def test_what_would_lower_the_hull_is_below_it():
    assert HULL.above(c.pack(AB, A3B), np.array([-2.7, -2.0])) == pytest.approx([-0.2, -0.25])


def test_there_is_no_hull_of_an_element_that_is_not_known_alone():
    oxide = c.crystal(np.eye(3) * 4, "Na O", [c.ORIGIN, c.HALF])

    assert np.isnan(HULL.above(c.pack(oxide, AB), np.array([-9.0, -2.5]))).tolist() == [True, False]
    without_b = Hull(c.pack(A, B, AB), np.array([-1.0, np.nan, -2.5]))
    assert np.isnan(without_b.above(AB, np.array([-2.5]))).all()


def test_what_has_no_energy_is_not_judged():
    above = HULL.above(c.pack(AB, A), np.array([np.nan, -1.0]))

    assert np.isnan(above[0])
    assert above[1] == pytest.approx(0)


def test_the_hull_of_a_system_is_of_its_crystals_alone():
    other = c.crystal(np.eye(3) * 4, "Na O", [c.ORIGIN, c.HALF])
    wider = Hull(c.pack(A, B, AB, other), np.array([-1.0, -2.0, -2.5, -99.0]))

    assert wider.above(A3B, np.array([-1.6])) == pytest.approx([0.15])
