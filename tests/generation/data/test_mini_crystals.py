"""The mini crystals are what their structure types say, neutral, and the same on every machine."""

import sys
import warnings

import numpy as np
import pytest

from assay.chemistry.elements import ATOMIC_NUMBERS
from assay.errors import ConfigError, MachineError
from assay.generation.data import mini_crystals
from assay.generation.data.crystals import holding_crystals, splits, vocabulary
from assay.generation.data.mini_crystals import STRUCTURE_TYPES, elements, fill, formula, ions
from assay.store import sets
from assay.store.shards_cutting import cut
from assay.store.shards_place import Place

pytest.importorskip("ase", reason="ASE is not installed")

TYPES = {each.name: each for each in STRUCTURE_TYPES}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("ASSAY_DATA", raising=False)
        patch.delenv("ASSAY_SHARDS", raising=False)
        yield sets.prepare("mini_crystals")


@pytest.fixture(scope="module")
def compounds():
    return {name: fill(each) for name, each in TYPES.items()}


def volume_of(compounds, name, wanted):
    return next(cell.volumes[0] for found, cell in compounds[name] if found == wanted)


def test_the_set_is_what_it_was(prepared):
    assert prepared.description == (
        "1,399 cells of 16 structure types and of elements, up to 14 atoms, ideal geometries, "
        "Niggli cells; split 1,131 / 135 / 133 (train / validation / test)"
    )
    assert prepared.digest == "187fde447498646b87c6e6d87a3198dc"
    assert holding_crystals(prepared) is prepared
    assert prepared.ids.tolist() == list(range(1, 1400))


def test_training_knows_every_element(prepared):
    numbers = np.unique(prepared.arrays["numbers"])
    assert vocabulary(prepared) == tuple(numbers.tolist())
    assert len(numbers) == 79
    assert splits(prepared).description == prepared.description


@pytest.mark.parametrize("name", TYPES)
def test_every_compound_has_the_space_group_of_its_structure_type(name, compounds):
    spglib = pytest.importorskip("spglib", reason="spglib is not installed")
    for _, cell in compounds[name][:: max(1, len(compounds[name]) // 8)]:
        given = (cell.lattices[0].astype(float), cell.frac_coords.astype(float), cell.numbers)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = spglib.get_spacegroup(given, symprec=1e-3)
        assert found is not None
        assert found.endswith(f"({TYPES[name].space_group})")


def test_the_ions_of_a_compound_touch(compounds):
    d = 1.02 + 1.81
    assert volume_of(compounds, "rock salt", "Cl1Na1") == pytest.approx(2 * d**3, rel=1e-4)
    d = 1.67 + 1.81
    expected = (2 * d / np.sqrt(3)) ** 3
    assert volume_of(compounds, "cesium chloride", "Cl1Cs1") == pytest.approx(expected, rel=1e-4)
    d = 1.00 + 1.33
    expected = (4 * d / np.sqrt(3)) ** 3 / 4
    assert volume_of(compounds, "fluorite", "Ca1F2") == pytest.approx(expected, rel=1e-4)
    d = 0.605 + 1.40
    assert volume_of(compounds, "perovskite", "O3Sr1Ti1") == pytest.approx((2 * d) ** 3, rel=1e-4)


def test_known_compounds_have_about_their_measured_volumes(compounds):
    """Å³ of the primitive cell, from the lattice constants of Wyckoff's Crystal Structures."""
    measured = [
        ("rock salt", "Mg1O1", 4.212**3 / 4),
        ("rutile", "O2Ti1", 4.594**2 * 2.959),
        ("spinel", "Al2Mg1O4", 8.083**3 / 4),
        ("corundum", "Al2O3", 4.759**2 * 12.99 * np.sqrt(3) / 2 / 3),
        ("sodium ferrite", "Fe1Na1O2", 3.02**2 * 16.1 * np.sqrt(3) / 2 / 3),
        ("potassium hexachloroplatinate", "Cl6K2Pt1", 9.755**3 / 4),
    ]
    for name, wanted, expected in measured:
        assert volume_of(compounds, name, wanted) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("name", TYPES)
def test_every_compound_is_neutral_and_held_once(name, compounds):
    formulas = [each for each, _ in compounds[name]]
    assert len(set(formulas)) == len(formulas)
    choices = list(TYPES[name].choices())
    assert len(choices) == len(formulas)
    # Of a compound whose ions differ: how many of each there are in the cell.
    k = next(k for k, ions in enumerate(choices) if len({ion.symbol for ion in ions}) == len(ions))
    numbers = compounds[name][k][1].numbers.tolist()
    counts = [numbers.count(ATOMIC_NUMBERS[ion.symbol]) for ion in choices[k]]
    for chosen in choices:
        assert sum(count * ion.charge for count, ion in zip(counts, chosen, strict=True)) == 0


def test_the_radii_are_shannons():
    core = pytest.importorskip("pymatgen.core", reason="pymatgen is not installed")
    for charge in (1, 2, 3, 4, 5, -1, -2, -3):
        for ion in ions(charge):
            coordination = "IV" if ion.symbol == "N" else "VI"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of ions that have one spin state only
                expected = core.Species(ion.symbol, charge).get_shannon_radius(
                    coordination, spin="High Spin"
                )
            assert ion.radius == expected, (ion.symbol, charge)


def test_elements_are_at_their_measured_constants():
    found = dict(elements())
    assert found["Cu"].volumes[0] == pytest.approx(3.61**3 / 4, rel=1e-4)
    assert found["Si"].n_atoms.tolist() == [2]
    assert found["Mg"].volumes[0] == pytest.approx(3.21**3 * 1.624 * np.sqrt(3) / 2, rel=1e-4)
    assert not {"Se", "Te", "Hg"} & found.keys()


def test_the_forms_of_a_compound_are_in_one_split(compounds):
    assert {formula(["Na", "Cl"]), formula(["Cl", "Na", "Na", "Cl"])} == {"Cl1Na1"}
    assert formula(["O", "Al", "O", "Al", "O"]) == "Al2O3"
    assert mini_crystals.split_code("Cu1") == mini_crystals.split_code("Cu") == 0
    codes = [mini_crystals.split_code(each) for found in compounds.values() for each, _ in found]
    shares = np.bincount(codes) / len(codes)
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.03)


def test_crystals_are_not_cut_into_shards(prepared, tmp_path):
    with pytest.raises(ConfigError, match="mini_crystals: holds no molecules; only sets of mol"):
        cut("mini_crystals", 100, Place.of(str(tmp_path)), lambda phase, fraction: None)


def test_without_ase_one_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ase.build", None)
    with pytest.raises(MachineError, match=r"ase is not installed; run `pip install 'assay-bench"):
        elements()
