import numpy as np
import pytest
import scipy.stats

from assay.chemistry.molecules import Molecules
from assay.generation.metrics import geometry, strain
from assay.generation.metrics.internal_coordinates import internal_coordinates, kind_of
from assay.generation.metrics.protocol import Scoring
from tests.chemistry import geometries as g
from tests.generation.metrics import held

TEXTS = ("CCO", "CCN", "COC", "CC=O", "C=C", "NCC#N", "C1CCOC1", "CC(C)O", "CCCO", "CNC")


def named(molecules, test=None, **options):
    reference = None if test is None else held.Held(g.WATER, g.WATER, test)
    found = geometry.Geometry().evaluate(Scoring(molecules, reference, **options))
    return {name.removeprefix("geometry/"): estimate for name, estimate in found.items()}


def stretched(molecules, factor):
    return Molecules(molecules.positions * np.float32(factor), molecules.numbers, molecules.n_atoms)


def test_the_reference_is_at_no_distance_from_itself():
    test = held.embedded(*TEXTS)
    found = named(test, test)
    for family in geometry.TYPES:
        assert found[f"{family}_mmd"].value == pytest.approx(0, abs=1e-9)
        assert found[f"{family}_wasserstein"].value == pytest.approx(0, abs=1e-9)
        assert found[f"{family}_mmd"].better == "lower"


def test_longer_bonds_are_as_much_further_as_they_are_longer():
    """1 % longer: all distances of the mean length of each type, and no angle."""
    test = held.embedded(*TEXTS)
    found = named(stretched(test, 1.01), test)
    lengths, _, _ = internal_coordinates(test)
    kinds = [kind_of(label) for label in geometry.TYPES["bond_length"]]
    means = [lengths.value[lengths.kind == k].mean() for k in kinds if (lengths.kind == k).any()]
    assert found["bond_length_wasserstein"].value == pytest.approx(0.01 * np.mean(means), rel=1e-3)
    assert found["bond_angle_wasserstein"].value == pytest.approx(0, abs=1e-3)


def test_a_type_that_samples_lack_is_as_far_as_can_be():
    """Of three O-H lengths in the reference and none here, not of the types in neither."""
    test = held.embedded("CCO", "CC(C)O", "CO", "CC")
    found = named(held.embedded("CC", "CCC"), test)
    lengths, _, _ = internal_coordinates(test)
    expected = []
    mine, _, _ = internal_coordinates(held.embedded("CC", "CCC"))
    for label in geometry.TYPES["bond_length"]:
        theirs = lengths.value[lengths.kind == kind_of(label)]
        ours = mine.value[mine.kind == kind_of(label)]
        if len(theirs):
            worst = max(theirs.mean(), theirs.max() - theirs.mean())
            near = len(ours) and scipy.stats.wasserstein_distance(ours, theirs)
            expected.append(near if len(ours) else worst)
    assert len(expected) == 4
    assert found["bond_length_wasserstein"].value == pytest.approx(np.mean(expected))
    assert found["bond_length_mmd"].value > 0.5


def test_n_counts_molecules_that_have_such_values():
    samples = g.pack(held.embedded("CC", "CO"), g.HYDROGEN, g.CARBON_MONOXIDE)
    found = named(samples, held.embedded(*TEXTS))
    assert found["bond_length_mmd"].n == 2
    assert found["mmff_typed"].n == 4


def test_without_any_such_value_a_family_is_left_out():
    found = named(g.HYDROGEN, held.embedded(*TEXTS))
    assert {name: e.value for name, e in found.items()} == {"mmff_typed": 0}


def test_a_relaxed_molecule_has_no_strain_and_a_disturbed_one_has():
    relaxed = held.embedded(*TEXTS)
    energies = strain.strain_energies(relaxed)
    assert np.isfinite(energies).all()
    assert (energies > -1e-4).all()
    assert energies.max() < 0.05
    disturbed = strain.strain_energies(g.disturbed(relaxed, 0.02, np.random.default_rng(0)))
    known = np.isfinite(disturbed)
    assert (disturbed[known] > 1).all()
    assert 3 < np.nanmedian(disturbed) < 5


def test_a_stretched_bond_costs_what_mmff_says():
    """Methane, C-H longer by 0.05 Å: ½ 143.9325 k Δ² (1 - 2Δ + 7/12 · 4 Δ²) each, k = 4.766."""
    relaxed = held.embedded("C")
    factor = 1 + 0.05 / 1.092
    k, length = 4.766, 1.093
    bonds = np.linalg.norm(relaxed.positions[1:] - relaxed.positions[0], axis=1) * factor
    change = bonds - length
    stretch = (71.96625 * k * change**2 * (1 - 2 * change + 7 / 3 * change**2)).sum()
    (energy,) = strain.strain_energies(stretched(relaxed, factor))
    assert energy == pytest.approx(stretch, rel=0.05)


def test_what_is_not_strictly_valid_has_no_strain_energy():
    molecules = g.pack(held.embedded("CCO"), held.bad_molecules(), g.BENZENE)
    energies = strain.strain_energies(molecules)
    assert np.isfinite(energies).tolist() == [True] + [False] * 9


def test_processes_do_not_matter(monkeypatch):
    monkeypatch.setattr(strain, "_MOLECULES_AT_ONCE", 4)
    molecules = held.embedded(*TEXTS)
    one, two = strain.strain_energies(molecules), strain.strain_energies(molecules, processes=2)
    np.testing.assert_array_equal(one, two)


def test_at_most_so_many_are_relaxed(monkeypatch):
    monkeypatch.setattr(geometry, "STRAINED", 3)
    found = named(held.embedded(*TEXTS), rejected=4)
    assert found["mmff_typed"].n == 3
    assert named(held.embedded(*TEXTS), rejected=4) == found
