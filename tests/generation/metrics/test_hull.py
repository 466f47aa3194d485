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


def test_it_is_that_of_pymatgens_phase_diagram():
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    draw = np.random.default_rng(0)
    symbols = ["Na Na Cl O", "Na O", "Cl O O", "Na Cl", "Na Na O O", "Na", "Cl", "O", "Na Cl Cl O"]
    corners = [c.ORIGIN, c.HALF, c.QUARTER, (0.5, 0, 0)]
    crystals = c.pack(*(c.crystal(np.eye(3) * 6, s, corners[: len(s.split())]) for s in symbols))
    energies = draw.normal(-3, 1, len(symbols))
    entries = [
        PDEntry(Composition(s.replace(" ", "")), e * len(s.split()))
        for s, e in zip(symbols, energies, strict=True)
    ]
    diagram = PhaseDiagram(entries[2:])
    expected = [
        diagram.get_decomp_and_e_above_hull(entry, allow_negative=True)[1] for entry in entries
    ]

    hull = Hull(crystals.select(np.arange(2, len(symbols))), energies[2:])
    assert hull.above(crystals, energies) == pytest.approx(expected, abs=1e-7)


def test_a_crystal_of_many_elements_has_a_height():
    symbols = [*"HBCNOFPSKIVWYU", "Li", "Be"]
    places = np.stack(np.meshgrid([0, 0.5], [0, 0.5], [0, 0.25, 0.5, 0.75]), -1).reshape(-1, 3)
    corners = [c.crystal(np.eye(3) * 3, symbol, [c.ORIGIN]) for symbol in symbols]
    of_all = c.crystal(np.eye(3) * 9, " ".join(symbols), places.tolist())

    hull = Hull(c.pack(*corners), -np.arange(16.0))
    assert hull.above(of_all, np.array([-7.0])) == pytest.approx([0.5])
