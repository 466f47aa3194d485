from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from assay.chemistry.formats import Rejected, read_molecules, write_xyz
from assay.chemistry.molecules import Molecules
from assay.chemistry.npz import write_npz
from assay.errors import DataError
from tests.chemistry.geometries import EVERYTHING, METHANE, WATER, pack

WATER_XYZ = "3\nwater\nO 0 0 0.1173\nH 0 0.7572 -0.4692\nH 0 -0.7572 -0.4692\n"
HYDROGEN_XYZ = "2\nhydrogen\nH 0 0 0\nH 0 0 0.741\n"


def written(directory, name, content):
    path = directory / name
    path.write_text(content)
    return path


def assert_equal(found, expected):
    np.testing.assert_array_equal(found.positions, expected.positions)
    np.testing.assert_array_equal(found.numbers, expected.numbers)
    np.testing.assert_array_equal(found.n_atoms, expected.n_atoms)


@st.composite
def plausible_molecules(draw):
    """Chains of random elements with steps of about 1 Å, anywhere in space."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_atoms = generator.integers(1, 7, size=draw(st.integers(1, 5)))
    A = int(n_atoms.sum())
    steps = np.concatenate([np.arange(n) for n in n_atoms])
    positions = generator.uniform(-0.1, 0.1, size=(A, 3)) + draw(st.floats(-50, 50))
    positions[:, 0] += steps
    numbers = generator.integers(1, 119, size=A)
    return Molecules(positions.astype(np.float32), numbers.astype(np.uint8), n_atoms)


@pytest.mark.parametrize(("write", "name"), [(write_xyz, "a.extxyz"), (write_npz, "a.npz")])
def test_what_is_written_is_read_back_exactly(write, name, tmp_path_factory):
    directory = tmp_path_factory.mktemp("files")

    @given(plausible_molecules())
    @settings(max_examples=40, deadline=None)
    def check(molecules):
        write(directory / name, molecules)
        found, rejected = read_molecules(directory / name)
        assert rejected == []
        assert_equal(found, molecules)

    check()


def test_xyz_that_is_written_is_read_alike_by_ase(tmp_path):
    ase_io = pytest.importorskip("ase.io", reason="ASE is not installed")
    write_xyz(tmp_path / "a.extxyz", EVERYTHING)
    frames = ase_io.read(tmp_path / "a.extxyz", index=":")
    assert [len(frame) for frame in frames] == EVERYTHING.n_atoms.tolist()
    numbers = np.concatenate([frame.numbers for frame in frames])
    np.testing.assert_array_equal(numbers, EVERYTHING.numbers)
    positions = np.concatenate([frame.positions for frame in frames])
    np.testing.assert_array_equal(positions.astype(np.float32), EVERYTHING.positions)


def test_xyz_written_by_ase_is_read(tmp_path):
    ase = pytest.importorskip("ase", reason="ASE is not installed")
    ase_io = pytest.importorskip("ase.io", reason="ASE is not installed")
    atoms = ase.Atoms(numbers=METHANE.numbers, positions=METHANE.positions)
    atoms.arrays["forces"] = np.ones((5, 3))
    ase_io.write(tmp_path / "a.extxyz", [atoms, atoms])
    found, rejected = read_molecules(tmp_path / "a.extxyz")
    assert rejected == []
    np.testing.assert_allclose(found.positions, pack(METHANE, METHANE).positions, atol=1e-7)


def test_plain_xyz_may_have_more_columns_numbers_for_symbols_and_blank_lines(tmp_path):
    text = (
        "\n"
        + HYDROGEN_XYZ
        + "\n3\n\n8 0 0 0.1173 -0.4\n1 0 0.7572 -0.4692 0.2\nH 0 -0.7572 -0.4692\n\n"
    )
    found, rejected = read_molecules(written(tmp_path, "a.xyz", text))
    assert rejected == []
    assert found.n_atoms.tolist() == [2, 3]
    assert found.numbers.tolist() == [1, 1, 8, 1, 1]
    np.testing.assert_array_equal(found.positions[2:], WATER.positions)


def test_extxyz_columns_may_stand_in_any_order(tmp_path):
    text = (
        '2\nenergy=-1.0 Properties=forces:R:3:pos:R:3:tag:I:1:species:S:1 pbc="F F F"\n'
        "9 9 9 0 0 0 7 H\n9 9 9 0 0 0.741 7 F\n"
    )
    found, _ = read_molecules(written(tmp_path, "a.extxyz", text))
    assert found.numbers.tolist() == [1, 9]
    assert found.positions.tolist() == [[0, 0, 0], [0, 0, np.float32(0.741)]]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("2\n\nH 0 0 0\nXy 0 0 1\n", "unknown element 'Xy'"),
        ("2\n\nH 0 0 0\n119 0 0 1\n", "unknown element '119'"),
        ("2\n\nH 0 0 0\nH 0 0\n", "has 3 columns, not 4"),
        ("2\n\nH 0 0 0\nH 0 zero 1\n", "not a number"),
        ("2\n\nH 0 0 0\nH 0 nan 1\n", "not finite"),
        ("2\n\nH 0 0 0\nH 0 1e99 1\n", "not finite"),
        ("0\n\n", "no atoms"),
        ("2\n\nH 0 0 0\nH 0 0 0\n", "less than 0.01 Å apart"),
        ("2\nunits=bohr\nH 0 0 0\nH 0 0 1\n", "must be in angstrom"),
        ('2\nLattice="5 0 0 0 5 0 0 0 5"\nH 0 0 0\nH 0 0 1\n', "periodic"),
        ('2\npbc="F F T"\nH 0 0 0\nH 0 0 1\n', "periodic"),
        ("2\nProperties=species:S:1\nH\nH\n", "lacks species:S:1 or pos:R:3"),
        ("2\nProperties=pos:R:3\n0 0 0\n0 0 1\n", "lacks species:S:1 or pos:R:3"),
        ("2\nProperties=species:S:one:pos:R:3\nH 0 0 0\nH 0 0 1\n", "lacks species:S:1"),
        ("2\nProperties=species:S:1:pos:R:3\nH 0 0 0 5\nH 0 0 1 5\n", "has 5 columns, not 4"),
        ("3\n\nH 0 0 0\nH 0 0 0.7\n", "announces 3 atoms, but 2 follow"),
        ("two\n\n", "should give the number of atoms"),
        ("-2\n\n", "should give the number of atoms"),
    ],
)
def test_a_faulty_xyz_record_is_set_aside_and_the_others_are_read(record, reason, tmp_path):
    path = written(tmp_path, "a.xyz", HYDROGEN_XYZ + record + WATER_XYZ)
    found, rejected = read_molecules(path)
    assert found.n_atoms.tolist() == [2, 3]
    assert [entry.record for entry in rejected] == [2]
    assert reason in rejected[0].reason


def test_a_count_that_is_too_small_leaves_the_rest_of_the_frame_aside(tmp_path):
    text = HYDROGEN_XYZ + "2\n\nO 0 0 0.1173\nH 0 0.7572 -0.4692\nH 0 -0.7572 -0.4692\n" + WATER_XYZ
    found, rejected = read_molecules(written(tmp_path, "a.xyz", text))
    assert found.n_atoms.tolist() == [2, 2, 3]
    reason = "line 9 should give the number of atoms, but is 'H 0 -0.7572 -0.4692'"
    assert rejected == [Rejected(3, reason)]


@pytest.mark.parametrize("lines", range(4, 8))
def test_a_truncated_file_loses_its_last_record_only(lines, tmp_path):
    text = "".join((HYDROGEN_XYZ + WATER_XYZ).splitlines(keepends=True)[: lines + 1])
    found, rejected = read_molecules(written(tmp_path, "a.xyz", text))
    assert found.n_atoms.tolist() == [2]
    assert [entry.record for entry in rejected] == [2]
    assert "truncated" in rejected[0].reason


def sdf_block(molecule, dimensions="3D"):
    editable = Chem.RWMol()
    for number in molecule.numbers.tolist():
        editable.AddAtom(Chem.Atom(number))
    conformer = Chem.Conformer(len(molecule.numbers))
    conformer.SetPositions(molecule.positions.astype(float))
    editable.AddConformer(conformer)
    lines = Chem.MolToMolBlock(editable).splitlines()
    lines[1] = f"{'':20}{dimensions}"
    return "\n".join([*lines, "> <energy>", "-1.0", "", "$$$$", ""])


def test_sdf_is_read_with_its_hydrogens_and_none_are_added(tmp_path):
    carbon = Molecules(METHANE.positions[:1], METHANE.numbers[:1], np.array([1]))
    text = sdf_block(WATER) + sdf_block(carbon)
    found, rejected = read_molecules(written(tmp_path, "a.sdf", text))
    assert rejected == []
    assert found.numbers.tolist() == [8, 1, 1, 6]
    np.testing.assert_allclose(found.positions[:3], WATER.positions, atol=1e-4)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (sdf_block(METHANE, "2D"), "two dimensions"),
        (sdf_block(METHANE).replace("C  ", "Xy "), "RDKit cannot parse"),
        (sdf_block(METHANE).replace("C  ", "*  "), "unknown element '*'"),
        ("garbage\n$$$$\n", "RDKit cannot parse"),
        ("\n" * 3 + "  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n$$$$\n", "no atoms"),
    ],
)
def test_a_faulty_sdf_record_is_set_aside_and_the_others_are_read(record, reason, tmp_path, capfd):
    path = written(tmp_path, "a.sdf", sdf_block(WATER) + record + sdf_block(WATER))
    found, rejected = read_molecules(path)
    assert found.n_atoms.tolist() == [3, 3]
    assert [entry.record for entry in rejected] == [2]
    assert reason in rejected[0].reason
    assert capfd.readouterr().err == ""


def test_a_truncated_sdf_loses_its_last_record_only(tmp_path):
    text = sdf_block(WATER) + sdf_block(METHANE)[:150]
    found, rejected = read_molecules(written(tmp_path, "a.sdf", text))
    assert found.n_atoms.tolist() == [3]
    assert [entry.record for entry in rejected] == [2]


def arrays(**changes):
    given = {
        "positions": EVERYTHING.positions,
        "numbers": EVERYTHING.numbers,
        "n_atoms": EVERYTHING.n_atoms,
    }
    return {**given, **changes}


def test_npz_records_are_set_aside_one_by_one(tmp_path):
    positions, numbers = EVERYTHING.positions.copy(), EVERYTHING.numbers.astype(np.int64)
    positions[0] = np.nan
    numbers[5] = 0
    n_atoms = np.append(EVERYTHING.n_atoms, 0).astype(np.uint64)
    np.savez(tmp_path / "a.npz", positions=positions, numbers=numbers, n_atoms=n_atoms)
    found, rejected = read_molecules(tmp_path / "a.npz")
    assert len(found) == len(EVERYTHING) - 2
    assert [entry.record for entry in rejected] == [1, 2, len(EVERYTHING) + 1]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"positions": EVERYTHING.positions[:-1]}, "have shapes"),
        ({"positions": EVERYTHING.positions.astype(int)}, "expected float"),
        ({"numbers": EVERYTHING.numbers.astype(float)}, "expected int"),
        ({"numbers": np.full(len(EVERYTHING.numbers), 300)}, "atomic numbers"),
        ({"n_atoms": EVERYTHING.n_atoms[:-1]}, "sum to"),
        ({"n_atoms": EVERYTHING.n_atoms * [-1, *[1] * 11]}, "sum to"),
        ({"n_atoms": np.array([[1]])}, "have shapes"),
        ({"numbers": np.array([None])}, "cannot be read as npz"),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_one_error(changes, fault, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays(**changes))
    with pytest.raises(DataError, match=fault):
        read_molecules(tmp_path / "a.npz")


def test_an_array_that_is_missing_is_named(tmp_path):
    np.savez(tmp_path / "a.npz", positions=EVERYTHING.positions, numbers=EVERYTHING.numbers)
    with pytest.raises(DataError, match="has no array 'n_atoms'"):
        read_molecules(tmp_path / "a.npz")


def test_damaged_npz_is_one_error(tmp_path):
    path = tmp_path / "a.npz"
    write_npz(path, EVERYTHING)
    whole = path.read_bytes()
    middle = len(whole) // 3
    for damaged in (
        whole[:-40],
        whole[:middle] + b"\xff" * 40 + whole[middle + 40 :],
        b"",
        b"text",
    ):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="cannot be read as npz"):
            read_molecules(path)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.pdb", "", "unknown kind of file '.pdb'"),
        ("a.xyz", "", "holds no usable molecule"),
        ("a.sdf", "\n", "holds no usable molecule"),
        ("a.xyz", "3\nwater\nO 0 0 0\n", "holds no usable molecule: record 1: .* truncated"),
        ("a.xyz", "not a molecule\n", "holds no usable molecule: record 1: line 1 should give"),
    ],
)
def test_a_file_of_no_use_is_one_sentence(name, content, fault, tmp_path):
    with pytest.raises(DataError, match=fault) as raised:
        read_molecules(written(tmp_path, name, content))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_missing_or_not_text_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_molecules(tmp_path / "absent.xyz")
    with pytest.raises(DataError, match="cannot be read"):
        read_molecules(tmp_path / "absent.npz")
    (tmp_path / "a.xyz").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DataError, match="is not a text file"):
        read_molecules(tmp_path / "a.xyz")


@pytest.mark.parametrize(
    ("scale", "unit"), [(0.1, "nanometres"), (1 / 0.529177, "Bohr"), (100.0, "Å")]
)
@pytest.mark.parametrize("write", [write_xyz, write_npz])
def test_a_file_in_another_unit_is_refused(scale, unit, write, tmp_path):
    positions = EVERYTHING.positions * np.float32(scale)
    molecules = Molecules(positions, EVERYTHING.numbers, EVERYTHING.n_atoms)
    with_hydrogen = molecules.select([0, 1, 2, 3, 10, 11])
    path = tmp_path / ("a.xyz" if write is write_xyz else "a.npz")
    write(path, with_hydrogen)
    with pytest.raises(DataError, match=unit):
        read_molecules(path)


METHANE_IN_BOHR = (
    "5\n\nC 0 0 0\nH 1.19 1.19 1.19\nH -1.19 -1.19 1.19\nH -1.19 1.19 -1.19\nH 1.19 -1.19 -1.19\n"
)


def test_one_record_in_another_unit_is_set_aside(tmp_path):
    text = HYDROGEN_XYZ + METHANE_IN_BOHR + WATER_XYZ
    found, rejected = read_molecules(written(tmp_path, "a.xyz", text))

    assert found.n_atoms.tolist() == [2, 3]
    assert rejected == [Rejected(2, "its atoms are bound as in Bohr, and none as in Å")]


def test_a_sample_in_npz_may_be_as_poor_as_it_likes(tmp_path):
    positions = EVERYTHING.positions.copy()
    rows = slice(*EVERYTHING.offsets[1:3])
    positions[rows] /= np.float32(0.529177)
    write_npz(tmp_path / "a.npz", Molecules(positions, EVERYTHING.numbers, EVERYTHING.n_atoms))

    found, rejected = read_molecules(tmp_path / "a.npz")

    assert (len(found), rejected) == (len(EVERYTHING), [])


def test_ten_thousand_atoms_are_one_sentence_and_the_rest_is_read(tmp_path):
    many = "10000\n\n" + "".join(f"C {2 * k} 0 0\n" for k in range(10_000))
    found, rejected = read_molecules(written(tmp_path, "a.xyz", many + WATER_XYZ))

    assert found.n_atoms.tolist() == [3]
    assert rejected == [Rejected(1, "it has 10,000 atoms, at most 999")]


@given(st.text(alphabet='0123 \nCHOx.-=:"', max_size=120))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    path = written(tmp_path_factory.getbasetemp(), "any.xyz", text)
    with suppress(DataError):
        molecules, rejected = read_molecules(path)
        assert len(molecules) > 0
        assert all("\n" not in entry.reason for entry in rejected)
