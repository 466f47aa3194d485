from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.chemistry.molecules import Molecules
from assay.generation.metrics import internal_coordinates as ic
from assay.generation.metrics.conformers import MOST_NEIGHBOURS, tractable
from tests.chemistry import geometries as g
from tests.generation.metrics import held

PEROXIDE = g.molecule(
    "HOOH",
    [
        (0.9 * np.sin(np.radians(100)), 0, 0.9 * np.cos(np.radians(100))),
        (0, 0, 0),
        (0, 0, 1.45),
        (
            0.9 * np.sin(np.radians(100)) * np.cos(np.radians(112)),
            0.9 * np.sin(np.radians(100)) * np.sin(np.radians(112)),
            1.45 - 0.9 * np.cos(np.radians(100)),
        ),
    ],
)
"""Hydrogen peroxide: O-O 1.45 Å, H-O-O 100°, dihedral angle 112°."""


def named(values, label):
    return values.value[values.kind == ic.kind_of(label)]


def test_a_molecule_is_measured_by_hand():
    lengths, angles, dihedrals = ic.internal_coordinates(PEROXIDE)
    np.testing.assert_allclose(named(lengths, "O1H"), [0.9, 0.9], atol=1e-6)
    np.testing.assert_allclose(named(lengths, "O1O"), [1.45], atol=1e-6)
    np.testing.assert_allclose(named(angles, "H1O-O1O"), [100, 100], atol=1e-4)
    assert abs(named(dihedrals, "H1O-O1O-O1H")[0]) == pytest.approx(112, abs=1e-4)
    assert (len(lengths.value), len(angles.value), len(dihedrals.value)) == (3, 2, 1)


def test_water_and_methane_have_their_textbook_angles():
    _, angles, dihedrals = ic.internal_coordinates(g.pack(g.WATER, g.METHANE))
    assert named(angles, "H1O-O1H") == pytest.approx([104.4], abs=0.2)
    np.testing.assert_allclose(named(angles, "H1C-C1H"), [109.47] * 6, atol=0.01)
    assert len(dihedrals.value) == 0
    assert Counter(angles.owner.tolist()) == {0: 1, 1: 6}


def test_a_type_reads_the_same_backwards():
    assert ic.kind_of("C1H") == ic.kind_of("H1C")
    assert ic.kind_of("H1C-C2O") == ic.kind_of("O2C-C1H")
    assert ic.kind_of("H1C-C1N-N1C") == ic.kind_of("C1N-N1C-C1H")
    labels = ["C1H", "C2H", "C1C", "C1C-C1H", "C1H-H1C", "C2C-C1H", "Cl1C", "C1C-C1C-C1H"]
    assert len({ic.kind_of(label) for label in labels}) == len(labels)


def test_a_ring_of_three_has_dihedral_angles_of_zero():
    _, _, dihedrals = ic.internal_coordinates(held.embedded("C1CC1"))
    np.testing.assert_allclose(named(dihedrals, "C1C-C1C-C1C"), [0, 0, 0], atol=1e-4)


def test_atoms_in_a_line_have_no_plane_and_a_dihedral_angle_of_zero():
    _, angles, dihedrals = ic.internal_coordinates(held.embedded("CC#CC"))
    assert np.isfinite(dihedrals.value).all()
    np.testing.assert_allclose(named(angles, "C1C-C3C"), [180, 180], atol=0.1)


def test_a_heap_has_lengths_and_nothing_else():
    heap = g.molecule("C" * 20, np.random.default_rng(0).uniform(0, 1.0, size=(20, 3)))
    lengths, angles, dihedrals = ic.internal_coordinates(heap)
    assert len(lengths.value) == 190
    assert len(angles.value) == len(dihedrals.value) == 0
    assert not tractable(heap).any()
    assert tractable(held.embedded("CCO")).all()
    assert MOST_NEIGHBOURS == 6


def test_parts_do_not_matter(monkeypatch):
    molecules = held.embedded(*held.TEST)
    whole = ic.internal_coordinates(molecules)
    monkeypatch.setattr(ic, "_MOLECULES_AT_ONCE", 3)
    for one, other in zip(ic.internal_coordinates(molecules), whole, strict=True):
        np.testing.assert_array_equal(one.value, other.value)
        np.testing.assert_array_equal(one.kind, other.kind)
        np.testing.assert_array_equal(one.owner, other.owner)


def test_molecules_without_atoms_or_bonds_have_no_values():
    nothing = Molecules(g.WATER.positions[:0], g.WATER.numbers[:0], np.array([0, 0]))
    for molecules in (nothing, g.pack(), g.molecule("H", [(0, 0, 0)])):
        for values in ic.internal_coordinates(molecules):
            assert len(values.value) == 0


@given(st.integers(0, 2**32))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_a_mirror_turns_the_sign_of_dihedral_angles_only(seed):
    generator = np.random.default_rng(seed)
    molecules = g.disturbed(held.embedded("CCO", "C1CCOC1", "CC(C)O"), 0.02, generator)
    mirrored = Molecules(molecules.positions * np.float32([1, 1, -1]), *vars_of(molecules))
    before, after = ic.internal_coordinates(molecules), ic.internal_coordinates(mirrored)
    np.testing.assert_allclose(after[0].value, before[0].value, atol=1e-5)
    np.testing.assert_allclose(after[1].value, before[1].value, atol=1e-3)
    np.testing.assert_allclose(after[2].value, -before[2].value, atol=1e-3)


def vars_of(molecules):
    return molecules.numbers, molecules.n_atoms
