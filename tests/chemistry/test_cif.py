"""Every CIF is read as it is meant; of a faulty one it is said why, and the rest is read."""

import csv
import gzip
import sys
import warnings
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.chemistry.crystal_formats import read_crystals
from assay.chemistry.files import Rejected
from assay.chemistry.lattices import lattice_to_parameters
from assay.errors import DataError, MachineError
from tests.chemistry.cells import CESIUM_CHLORIDE, pack
from tests.chemistry.crystal_files import SITES, SYMMETRIC, assert_same, cif, write_csv, written


def test_cif_holds_one_or_many_blocks_and_those_of_an_article_are_none(tmp_path):
    text = "# a comment\ndata_global\n_journal_name 'A'\n\n" + cif() + "\n" + cif()
    found, rejected = read_crystals(written(tmp_path, "a.cif", text))
    assert rejected == []
    assert_same(found, pack(CESIUM_CHLORIDE, CESIUM_CHLORIDE))


def test_symmetry_operations_are_applied(tmp_path):
    found, rejected = read_crystals(written(tmp_path, "a.cif", SYMMETRIC))
    assert rejected == []
    assert found.n_atoms.tolist() == [8]
    assert np.bincount(found.numbers)[[11, 17]].tolist() == [4, 4]
    core = pytest.importorskip("pymatgen.core", reason="pymatgen is not installed")
    expected = core.Structure.from_spacegroup(
        "Fm-3m", core.Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    assert sorted(map(tuple, found.frac_coords[found.numbers == 17].tolist())) == sorted(
        tuple(site.frac_coords.tolist()) for site in expected if site.specie.Z == 17
    )


def test_operations_in_the_file_go_before_the_name_of_the_group(tmp_path):
    inverted = cif(operation="x, y, z'\n  2  '-x, -y, -z")
    path = written(tmp_path, "a.cif", inverted.replace("0.5 0.5 0.5(1)", "0.25 0.25 0.25"))
    found, rejected = read_crystals(path)
    assert rejected == []
    assert np.bincount(found.numbers)[[55, 17]].tolist() == [1, 2]


def test_cif_may_name_images_of_the_atoms(tmp_path):
    images = "  Cs Cs0 1.0 -1e-8 0 1\n  Cl Cl1 -0.5 1.5 0.5 1"
    found, rejected = read_crystals(written(tmp_path, "a.cif", cif(sites=images)))
    assert rejected == []
    assert_same(found, CESIUM_CHLORIDE)


def test_symbols_may_be_charged_isotopes_or_missing(tmp_path):
    heavy = cif(sites="  D D0 0 0 0 1\n  F- F1 0.15 0.15 0.15 1")
    labelled = (
        cif().replace(" _atom_site_type_symbol\n", "").replace("Cs1+ ", "").replace("Cl1- ", "")
    )
    found, rejected = read_crystals(written(tmp_path, "a.cif", heavy + labelled))
    assert rejected == []
    assert found.numbers.tolist() == [1, 9, 55, 17]


def test_without_symmetry_the_sites_are_all_there_is(tmp_path):
    bare = cif().partition("loop_")[0].replace("'P 1'", "?") + "loop_\n _atom_site_type_symbol"
    text = bare + cif().partition("_atom_site_type_symbol")[2]
    found, rejected = read_crystals(written(tmp_path, "a.cif", text))
    assert rejected == []
    assert_same(found, CESIUM_CHLORIDE)


def test_more_sites_than_symmetry_can_be_applied_to_are_refused_at_once(tmp_path):
    sites = "\n".join(f"Na{k} {k / 200} 0 0" for k in range(200))
    crowd = SYMMETRIC.replace("Na1 0 0 0", sites)
    _, rejected = read_crystals(written(tmp_path, "a.cif", SYMMETRIC + crowd))
    reason = "its 201 sites have 192 symmetry operations: too many; list all atoms of the cell"
    assert rejected == [Rejected(2, reason)]


BAD_CIFS = {
    "site 'Cl1' is occupied to 0.5: partial occupancy": cif(
        sites=SITES.replace("(1) 1.0", " 0.5")
    ),
    "its CIF cannot be parsed (Occupancy 2.0 exceeded tolerance.)": SYMMETRIC.replace(
        "Cl1 0.5 0.5 -0.5", "Cl1 0.5 0.5 0.5"
    ).replace("_atom_site_fract_z", "_atom_site_fract_z\n_atom_site_occupancy").replace(
        "0 0 0\n", "0 0 0 ?\n"
    ).replace("0.5 0.5 0.5\n", "0.5 0.5 0.5 ?\nBr1 0.5 0.5 0.5 ?\n"),
    "unknown element 'Xy'": cif(sites="  Xy Xy0 0 0 0 1"),
    "unknown element 'Wat'": cif(sites="  Wat W0 0 0 0 1"),
    "its CIF lists no atoms (_atom_site_fract_x, _y, _z)": cif().partition("loop_\n _atom")[0],
    "its CIF cannot be parsed (a loop is empty or cut off)": cif(sites=""),
    "its CIF cannot be parsed (it lacks _cell_length_b)": cif().replace("_cell_length_b", "_b"),
    "site 'Cs0' is occupied to .: partial occupancy": cif(sites="  Cs Cs0 0 0 0 ."),
    "its CIF cannot be parsed (could not convert string to float: 'half')": cif(
        sites="  Cs Cs0 half 0 0 1"
    ),
    "fractional coordinate 7.5 lies outside [0, 1): wrap it into the cell": cif(
        sites="  Cs Cs0 7.5 0 0 1"
    ),
    "its cell has a volume of 0 Å³: singular": cif(a="0"),
    "its cell is not finite": cif(a="inf"),
    "two of its atoms are less than 0.01 Å apart": cif(sites="  Cs Cs0 0 0 0 1\n  F F0 0 0 0 1"),
    "1 coordinates are not finite": cif(sites="  Cs Cs0 0 0 nan 1"),
    "every atom is within 0.5 Å of another: looks like nanometres, expected Å": cif(
        a="0.4"
    ).replace("4.12", "0.4"),
    "no two atoms are nearer than 1.60 times their covalent radii: looks like Bohr, expected Å": (
        cif(a="7.8").replace("4.12", "7.8")
    ),
}  # fmt: skip


@pytest.mark.parametrize("reason", BAD_CIFS)
@pytest.mark.parametrize("name", ["a.csv", "a.cif"])
def test_a_faulty_cif_is_set_aside_and_the_others_are_read(reason, name, tmp_path):
    texts = [cif(), BAD_CIFS[reason], cif()]
    if name == "a.csv":
        path = write_csv(tmp_path / name, texts)
    else:
        path = written(tmp_path, name, "".join(texts))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pymatgen's warnings are no warnings of ours
        found, rejected = read_crystals(path)
    assert rejected == [Rejected(2, reason)]
    assert_same(found, pack(CESIUM_CHLORIDE, CESIUM_CHLORIDE))


def test_a_truncated_cif_loses_its_last_record_only(tmp_path):
    found, rejected = read_crystals(written(tmp_path, "a.cif", cif() + cif()[:-12]))
    assert len(found) == 1
    assert [entry.record for entry in rejected] == [2]
    assert "cannot be parsed" in rejected[0].reason


def test_hydrogens_without_coordinates_are_a_fault(tmp_path):
    text = cif().replace("_occupancy\n", "_occupancy\n _atom_site_attached_hydrogens\n")
    text = text.replace("0 0 0 1\n", "0 0 0 1 0\n").replace("(1) 1.0", "(1) 1.0 2")
    _, rejected = read_crystals(written(tmp_path, "a.cif", cif() + text))
    assert rejected == [Rejected(2, "site 'Cl1' has hydrogens without coordinates")]


def test_without_pymatgen_one_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pymatgen.io.cif", None)
    with pytest.raises(MachineError, match=r"pymatgen is not installed; run `pip install 'assay-"):
        read_crystals(written(tmp_path, "a.cif", cif()))


@given(st.text(alphabet="data_ \n'loop_xyz0.,\"#;cell", max_size=120))
@settings(max_examples=100, deadline=None)
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    path = written(tmp_path_factory.getbasetemp(), "any.cif", text)
    with suppress(DataError):
        crystals, rejected = read_crystals(path)
        assert len(crystals) > 0
        assert all("\n" not in entry.reason for entry in rejected)


@pytest.mark.data
def test_real_cifs_are_read_as_pymatgen_reads_them(assay_data):
    core = pytest.importorskip("pymatgen.core", reason="pymatgen is not installed")
    path = assay_data / "mp20" / "cif_sample_test.csv.gz"
    found, rejected = read_crystals(path)
    assert rejected == []
    assert len(found) == 142
    with gzip.open(path, "rt", newline="") as file:
        texts = [row["cif"] for row in csv.DictReader(file)]
    lengths, angles = lattice_to_parameters(torch.from_numpy(found.lattices))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k in range(0, 142, 4):
            structure = core.Structure.from_str(texts[k], fmt="cif")
            begin, end = found.offsets[k : k + 2]
            assert found.numbers[begin:end].tolist() == list(structure.atomic_numbers)
            np.testing.assert_allclose(lengths[k], structure.lattice.lengths, rtol=1e-5)
            np.testing.assert_allclose(angles[k], structure.lattice.angles, rtol=1e-5)
            # pymatgen rounds what is within 1e-4 of a third to it, symmetry or not.
            difference = found.frac_coords[begin:end] - structure.frac_coords
            np.testing.assert_allclose(difference - difference.round(), 0, atol=7e-5)


@pytest.mark.data
def test_images_in_published_cifs_are_wrapped(assay_data):
    found, rejected = read_crystals(assay_data / "crystals_small" / "carbon_24_val.csv.gz")
    assert len(found) == 2032
    assert rejected == []
