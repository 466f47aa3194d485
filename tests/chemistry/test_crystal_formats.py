"""Every file of crystals is read alike; of a faulty record it is said why."""

import gzip
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.chemistry import files
from assay.chemistry.crystal_formats import read_crystals, write_extxyz
from assay.chemistry.crystals import Crystals
from assay.chemistry.files import Rejected
from assay.chemistry.npz import write_npz
from assay.errors import DataError
from tests.chemistry.cells import (
    CESIUM_CHLORIDE,
    COPPER,
    DIAMOND,
    EVERYTHING,
    PEROVSKITE,
    ROCK_SALT,
    pack,
    scaled,
)
from tests.chemistry.crystal_files import SITES, assert_same, cif, write_csv, written


@st.composite
def plausible_crystals(draw):
    """Random atoms about 2 Å apart, in cells of any shape and orientation."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_atoms = generator.integers(1, 7, size=draw(st.integers(1, 5)))
    lattices = generator.normal(0, 0.4, (len(n_atoms), 3, 3)) + 2.6 * np.eye(3)
    lattices *= np.cbrt(n_atoms)[:, None, None]
    frac = generator.uniform(0, 1, (n_atoms.sum(), 3)).astype(np.float32)
    numbers = generator.choice([6, 8, 14, 26], len(frac)).astype(np.uint8)
    return Crystals(frac, numbers, n_atoms, lattices.astype(np.float32))


def test_npz_that_is_written_is_read_back_exactly(tmp_path):
    write_npz(tmp_path / "a.npz", EVERYTHING)
    found, rejected = read_crystals(tmp_path / "a.npz")
    assert rejected == []
    for name in ("frac_coords", "numbers", "n_atoms", "lattices"):
        np.testing.assert_array_equal(getattr(found, name), getattr(EVERYTHING, name))
        assert getattr(found, name).dtype == getattr(EVERYTHING, name).dtype


def test_extxyz_that_is_written_is_read_back(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "a.extxyz"

    @given(plausible_crystals())
    @settings(max_examples=30, deadline=None)
    def check(crystals):
        write_extxyz(path, crystals)
        with suppress(DataError):  # of random ones some coincide, or are all too dense
            found, rejected = read_crystals(path)
            kept = np.setdiff1d(np.arange(len(crystals)), [entry.record - 1 for entry in rejected])
            assert_same(found, crystals.select(kept))

    check()


def test_extxyz_is_written_and_read_as_ase_does(tmp_path):
    ase_io = pytest.importorskip("ase.io", reason="ASE is not installed")
    write_extxyz(tmp_path / "ours.extxyz", EVERYTHING)
    atoms = ase_io.read(tmp_path / "ours.extxyz", index=":")
    for one, lattice in zip(atoms, EVERYTHING.lattices, strict=True):
        np.testing.assert_allclose(one.cell, lattice, rtol=1e-6)
        assert one.pbc.all()
    found = np.concatenate([one.get_scaled_positions(wrap=False) for one in atoms])
    np.testing.assert_allclose(found, EVERYTHING.frac_coords, atol=1e-6)
    ase_io.write(tmp_path / "theirs.extxyz", atoms)
    assert_same(read_crystals(tmp_path / "theirs.extxyz")[0], EVERYTHING)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_csv_has_a_column_of_cif_strings(name, tmp_path):
    path = write_csv(tmp_path / name, [cif(), cif(sites=SITES.replace("0.5", "0.25"))])
    found, rejected = read_crystals(path)
    assert rejected == []
    assert found.n_atoms.tolist() == [2, 2]
    assert_same(found.select([0]), CESIUM_CHLORIDE)


def test_a_cell_of_csv_that_is_empty_or_holds_two_is_set_aside(tmp_path):
    _, rejected = read_crystals(write_csv(tmp_path / "a.csv", [cif(), "", cif() + cif()]))
    assert [entry.record for entry in rejected] == [2, 3]
    assert rejected[0].reason == "its cif has 0 data blocks, not one: ''"
    assert rejected[1].reason.startswith("its cif has 2 data blocks, not one: 'data_CsCl")


def frame(comment='Lattice="4 0 0 0 4 0 0 0 4" pbc="T T T"', atoms="Cs 0 0 0\nCl 2 2 2"):
    return f"2\n{comment}\n{atoms}\n"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (frame("no lattice"), 'it is not periodic in three directions (Lattice=…, pbc="T T T")'),
        (frame('Lattice="4 0 0 0 4 0 0 0 4" pbc="T T F"'), "not periodic in three directions"),
        (frame('pbc="T T T"'), "Lattice does not hold nine numbers"),
        (frame('Lattice="4 0 0 0 4 0 0 0"'), "Lattice does not hold nine numbers"),
        (frame('Lattice="4 0 0 0 four 0 0 0 4"'), "Lattice does not hold nine numbers"),
        (frame('Lattice="4 0 0 0 4 0 0 0 0"'), "its cell has a volume of 0 Å³: singular"),
        (frame('Lattice="4 0 0 0 4 0 0 0 nan"'), "its cell is not finite"),
        (frame('Lattice="0 4 0 4 0 0 0 0 4"'), "its cell is left-handed"),
        (frame('Lattice="4 0 0 0 4 0 0 0 4" cell_unit=nm'), "must be in angstrom"),
        (frame('Lattice="4 0 0 0 4 0 0 0 4" units=bohr'), "must be in angstrom"),
        (frame(atoms="Xy 0 0 0\nCl 2 2 2"), "unknown element 'Xy'"),
        (frame(atoms="Cs 0 0 0\nCl 2 2 inf"), "are not finite"),
        (frame(atoms="Cs 0 0 0\nCl 4 0 8"), "less than 0.01 Å apart"),
        (frame(atoms="Cs 0 0 0"), "announces 2 atoms, but 1 follow: truncated"),
        ("0\nLattice=\"4 0 0 0 4 0 0 0 4\"\n", "it has no atoms"),
    ],
)  # fmt: skip
def test_a_faulty_frame_is_set_aside_and_the_others_are_read(record, reason, tmp_path):
    found, rejected = read_crystals(written(tmp_path, "a.extxyz", frame() + record + frame()))
    assert found.n_atoms.tolist() == [2, 2]
    assert [entry.record for entry in rejected] == [2]
    assert reason in rejected[0].reason


def test_atoms_of_extxyz_may_lie_outside_the_cell(tmp_path):
    found, rejected = read_crystals(
        written(tmp_path, "a.extxyz", frame(atoms="Cs 8 -4 0\nCl -2 6 2"))
    )
    assert rejected == []
    np.testing.assert_allclose(found.frac_coords, [[0, 0, 0], [0.5, 0.5, 0.5]], atol=1e-7)


def arrays(**changes):
    names = ("frac_coords", "numbers", "n_atoms", "lattices")
    return {**{name: getattr(EVERYTHING, name) for name in names}, **changes}


def test_npz_records_are_set_aside_one_by_one(tmp_path):
    frac, numbers = EVERYTHING.frac_coords.copy(), EVERYTHING.numbers.astype(np.int64)
    lattices = EVERYTHING.lattices.astype(np.float64)
    frac[0, 0], numbers[2] = 1.5, 0
    lattices[2] *= -1
    n_atoms = np.append(EVERYTHING.n_atoms, 0).astype(np.uint64)
    lattices = np.concatenate([lattices, np.eye(3)[None]])
    np.savez(
        tmp_path / "a.npz", frac_coords=frac, numbers=numbers, n_atoms=n_atoms, lattices=lattices
    )
    found, rejected = read_crystals(tmp_path / "a.npz")
    assert rejected == [
        Rejected(1, "fractional coordinate 1.5 lies outside [0, 1): wrap it into the cell"),
        Rejected(2, "no element has number 0"),
        Rejected(3, "its cell is left-handed: swap two vectors, and their coordinates"),
        Rejected(8, "it has no atoms"),
    ]
    assert_same(found, EVERYTHING.select([3, 4, 5, 6]))


def test_npz_may_be_outside_the_cell_by_rounding(tmp_path):
    frac = np.array([[1.0, -1e-6, 0], [0.5, 0.5, 0.5]], np.float32)
    cell = CESIUM_CHLORIDE
    write_npz(tmp_path / "a.npz", Crystals(frac, cell.numbers, cell.n_atoms, cell.lattices))
    found, rejected = read_crystals(tmp_path / "a.npz")
    assert rejected == []
    assert_same(found, CESIUM_CHLORIDE, atol=2e-6)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"lattices": EVERYTHING.lattices[:-1]},
            r"lattices has shape \(6, 3, 3\), expected \(7, 3",
        ),
        ({"lattices": EVERYTHING.lattices.reshape(-1, 9)}, "lattices has shape"),
        ({"lattices": EVERYTHING.lattices.astype(int)}, "expected float"),
        ({"frac_coords": EVERYTHING.frac_coords[:-1]}, "frac_coords, numbers and n_atoms have"),
        ({"n_atoms": EVERYTHING.n_atoms[:-1]}, "sum to"),
        ({"numbers": np.int64(6)}, "have shapes"),
        ({"lattices": np.array([None])}, "cannot be read as npz"),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_one_error(changes, fault, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays(**changes))
    with pytest.raises(DataError, match=fault):
        read_crystals(tmp_path / "a.npz")


def test_npz_of_molecules_is_told_apart(tmp_path):
    np.savez(tmp_path / "a.npz", positions=np.zeros((1, 3)), numbers=[6], n_atoms=[1])
    with pytest.raises(DataError, match="has no array 'frac_coords'"):
        read_crystals(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.pdb", "", "unknown kind of file '.pdb'; give one of .csv, .csv.gz, .cif"),
        ("a.cif.gz", "", "unknown kind of file '.cif.gz'"),
        ("a.csv", "", "cannot be read as csv with a column 'cif'"),
        ("a.csv", "id,structure\n1,2\n", "cannot be read as csv with a column 'cif'"),
        ("a.csv", "cif\n", "holds no usable crystal"),
        ("a.cif", "nothing\n", "holds no usable crystal"),
        ("a.cif", "data_x\n_cell_length_a 3\n", "holds no usable crystal: record 1: its CIF lists"),
        ("a.extxyz", "", "holds no usable crystal"),
        ("a.csv.gz", "no gzip", "is not a whole gzip file"),
    ],
)
def test_a_file_of_no_use_is_one_sentence(name, content, fault, tmp_path):
    with pytest.raises(DataError, match=fault) as raised:
        read_crystals(written(tmp_path, name, content))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_missing_cut_off_or_not_text_is_one_sentence(tmp_path):
    for name in ("absent.cif", "absent.csv.gz", "absent.npz"):
        with pytest.raises(DataError, match="cannot be read"):
            read_crystals(tmp_path / name)
    whole = write_csv(tmp_path / "a.csv.gz", [cif()] * 50).read_bytes()
    (tmp_path / "a.csv.gz").write_bytes(whole[:-20])
    with pytest.raises(DataError, match="is not a whole gzip file"):
        read_crystals(tmp_path / "a.csv.gz")
    (tmp_path / "a.cif").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DataError, match="is not a text file"):
        read_crystals(tmp_path / "a.cif")


def test_a_few_kilobytes_that_unpack_to_more_than_the_memory_are_refused(tmp_path, monkeypatch):
    memory = type("Memory", (), {"available": 1_000_000})
    monkeypatch.setattr(files.psutil, "virtual_memory", lambda: memory)
    with gzip.open(tmp_path / "a.csv.gz", "wb") as file:
        file.write(b"0" * 3_000_000)
    assert (tmp_path / "a.csv.gz").stat().st_size < 10_000
    with pytest.raises(DataError, match=r"GiB of memory to read"):
        read_crystals(tmp_path / "a.csv.gz")


@pytest.mark.parametrize(
    ("factor", "unit"), [(0.1, "nanometres"), (1 / 0.529177, "Bohr"), (100.0, "expected Å")]
)
@pytest.mark.parametrize("write", [write_extxyz, write_npz])
def test_a_file_in_another_unit_is_refused(factor, unit, write, tmp_path):
    crystals = scaled(pack(ROCK_SALT, CESIUM_CHLORIDE, DIAMOND, COPPER, PEROVSKITE), factor)
    path = tmp_path / ("a.extxyz" if write is write_extxyz else "a.npz")
    write(path, crystals)
    with pytest.raises(DataError, match=f"{unit}.*; convert it to Å"):
        read_crystals(path)


def test_one_record_in_another_unit_is_set_aside(tmp_path):
    write_extxyz(tmp_path / "a.extxyz", pack(ROCK_SALT, scaled(PEROVSKITE, 0.1), DIAMOND))
    found, rejected = read_crystals(tmp_path / "a.extxyz")
    assert len(found) == 2
    assert [entry.record for entry in rejected] == [2]
    assert "nanometres" in rejected[0].reason


def test_a_sample_in_npz_may_be_as_poor_as_it_likes(tmp_path):
    write_npz(tmp_path / "a.npz", pack(ROCK_SALT, scaled(PEROVSKITE, 0.1), DIAMOND))
    found, rejected = read_crystals(tmp_path / "a.npz")
    assert (len(found), rejected) == (3, [])
