"""The files that QM9 comes in are read exactly, and refused in one sentence when malformed."""

import io
import tarfile

import numpy as np
import pytest

from assay.errors import DataError
from assay.generation.data.qm9_files import (
    parse_xyz,
    read_archive,
    read_arrays,
    read_sdf,
    read_xyz_folder,
)

PROPERTIES = (
    "799.58812\t437.90386\t282.94545\t1.8511\t6.31\t-0.2928\t0.0687\t0.3615\t19.0002\t"
    "0.021375\t-76.404702\t-76.401867\t-76.400922\t-76.422349\t6.002"
)
WATER = f"""3
gdb 3\t{PROPERTIES}
O\t-0.0343604951\t 0.9775395708\t 7.6*^-3\t-0.589706
H\t 6.47664\t 2.05721*^-2\t 1.5346*^-3\t 0.294853
H\t 0.8717903737\t 1.3007924048\t 0.0069\t 0.294853
1671.4222\t3803.6305\t3907.698
O\tO\t
InChI=1S/H2O/h1H2\tInChI=1S/H2O/h1H2
"""

METHANE_SDF = """gdb_1
  made for a test

  5  4  0  0  0  0  0  0  0  0999 V2000
   -0.0127    1.0858    0.0080 C   0  0  0  0  0  0  0  0  0  0  0  0
    0.0022   -0.0060    0.0020 H   0  0  0  0  0  0  0  0  0  0  0  0
    1.0117    1.4638    0.0003 H   0  0  0  0  0  0  0  0  0  0  0  0
   -0.5408    1.4475   -0.8766 H   0  0  0  0  0  0  0  0  0  0  0  0
   -0.5238    1.4379    0.9064 H   0  0  0  0  0  0  0  0  0  0  0  0
  1  2  1  0
  1  3  1  0
  1  4  1  0
  1  5  1  0
M  END
$$$$
"""
WATER_SDF = """gdb_3
  made for a test

  3  2  0  0  0  0  0  0  0  0999 V2000
   -0.0344    0.9775    0.0076 O   0  0  0  0  0  0  0  0  0  0  0  0
    0.0648    0.0206    0.0015 H   0  0  0  0  0  0  0  0  0  0  0  0
    0.8718    1.3008    0.0069 H   0  0  0  0  0  0  0  0  0  0  0  0
  1  2  1  0
  1  3  1  0
M  END
$$$$
"""


def quiet(phase, fraction):
    pass


def test_the_original_dialect_is_read_exactly():
    record = parse_xyz(WATER, "water.xyz")
    assert record.gdb_id == 3
    assert record.numbers.tolist() == [8, 1, 1]
    assert record.positions.tolist() == [
        [-0.0343604951, 0.9775395708, 7.6e-3],
        [6.47664, 2.05721e-2, 1.5346e-3],
        [0.8717903737, 1.3007924048, 0.0069],
    ]


def without_line(number):
    lines = WATER.splitlines()
    return "\n".join(lines[: number - 1] + lines[number:]) + "\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1 is '', expected the number of atoms"),
        ("\n".join(WATER.splitlines()[:4]), "4 lines, expected 8 for 3 atoms: cut off"),
        (WATER[: WATER.index("InChI")], "7 lines, expected 8 for 3 atoms: cut off"),
        (without_line(4), "7 lines, expected 8"),
        (WATER.replace("3\n", "0\n", 1), "has no atoms"),
        (WATER.replace("3\n", "-3\n", 1), "line 1 is '-3'"),
        (WATER.replace("gdb 3", "gdb x"), "line 2 is not `gdb`, an id and 15 properties"),
        (WATER.replace("\t6.002", ""), "line 2 is not"),
        (WATER.replace("H\t 6", "Xx\t 6"), "element 'Xx' is not one of H C N O F"),
        (WATER.replace("H\t 6", "Cl\t 6"), "element 'Cl' is not one of"),
        (WATER.replace("\t-0.589706", ""), "line 3 has 4 fields, expected 5"),
        (WATER.replace("6.47664", "6.4.7664"), "a coordinate is not a number"),
        (WATER.replace("O\tO\t", "O"), "does not end with two SMILES and two InChI"),
        (WATER.replace("InChI=", "", 1), "does not end with two SMILES and two InChI"),
    ],
)
def test_a_malformed_xyz_is_one_sentence(text, fault):
    with pytest.raises(DataError, match=r"^w\.xyz: ") as error:
        parse_xyz(text, "w.xyz")
    assert fault in str(error.value)
    assert "\n" not in str(error.value)


def other_water(gdb_id):
    return WATER.replace("gdb 3", f"gdb {gdb_id}")


def archive(path, texts):
    with tarfile.open(path, "w:bz2") as tar:
        for name, text in texts.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


def test_an_archive_and_a_folder_are_the_same_in_any_order(tmp_path):
    texts = {f"dsgdb9nsd_{k:06d}.xyz": other_water(k) for k in (9, 3, 27)}
    packed = archive(tmp_path / "a.tar.bz2", {**texts, "readme.txt": "not a molecule"})
    folder = tmp_path / "xyz"
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "readme.txt").write_text("not a molecule")
    for found in (read_archive(packed, quiet), read_xyz_folder(folder, quiet)):
        assert found.gdb_ids.tolist() == [3, 9, 27]
        assert found.molecules.n_atoms.tolist() == [3, 3, 3]
        assert found.molecules.positions.dtype == np.float32
        assert found.molecules.positions[4, 2] == np.float32(1.5346e-3)
        assert found.split is None


def test_a_malformed_member_is_named(tmp_path):
    texts = {"dsgdb9nsd_000003.xyz": WATER, "dsgdb9nsd_000004.xyz": WATER[:90]}
    with pytest.raises(DataError, match=r"a\.tar\.bz2: dsgdb9nsd_000004\.xyz: .*cut off"):
        read_archive(archive(tmp_path / "a.tar.bz2", texts), quiet)


@pytest.mark.parametrize(
    ("second", "fault"),
    [(3, "record 2: id 3 comes twice"), (133_886, "record 2: QM9 has no id 133886")],
)
def test_ids_are_those_of_qm9_and_come_once(tmp_path, second, fault):
    texts = {"dsgdb9nsd_000003.xyz": WATER, "dsgdb9nsd_000004.xyz": other_water(second)}
    with pytest.raises(DataError, match=fault):
        read_archive(archive(tmp_path / "a.tar.bz2", texts), quiet)


def test_an_archive_of_other_things_holds_no_molecules(tmp_path):
    with pytest.raises(DataError, match="holds no molecules"):
        read_archive(archive(tmp_path / "a.tar.bz2", {"readme.txt": "hello"}), quiet)


def test_sdf_is_read_with_its_hydrogens(tmp_path):
    path = tmp_path / "gdb9.sdf"
    path.write_text(WATER_SDF + METHANE_SDF)
    found = read_sdf(path, quiet)
    assert found.gdb_ids.tolist() == [1, 3]
    assert found.molecules.numbers.tolist() == [6, 1, 1, 1, 1, 8, 1, 1]
    assert found.molecules.positions[0].tolist() == pytest.approx([-0.0127, 1.0858, 0.0080])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (METHANE_SDF + WATER_SDF[:160], "record 2: cannot be read as V2000"),
        (METHANE_SDF.replace("gdb_1", "methane"), "record 1: its title is not `gdb_<id>`"),
        (METHANE_SDF.replace("0.0080 C", "0.0080 Cl"), "record 1: element 'Cl' is not one of"),
        (METHANE_SDF.replace("1.0858", "1.0x58"), "record 1: cannot be read as V2000"),
        ("", "holds no molecules"),
    ],
    ids=["truncated", "title", "element", "number", "empty"],
)
def test_a_malformed_sdf_is_one_sentence(tmp_path, text, fault):
    path = tmp_path / "gdb9.sdf"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        read_sdf(path, quiet)
    assert fault in str(error.value)
    assert str(path) in str(error.value)


def test_files_that_are_missing_are_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"x\.sdf: cannot be read \(No such file"):
        read_sdf(tmp_path / "x.sdf", quiet)
    with pytest.raises(DataError, match=r"qm9_structures\.npz: cannot be read"):
        read_arrays(tmp_path)


def arrays():
    return {
        "gdb_id": np.array([9, 3], np.int32),
        "n_atoms": np.array([1, 3], np.uint8),
        "positions": np.arange(12, dtype=np.float32).reshape(4, 3),
        "atomic_numbers": np.array([6, 8, 1, 1], np.uint8),
        "edm_split": np.array([2, 0], np.uint8),
    }


def test_packed_arrays_are_put_in_the_order_of_their_ids(tmp_path):
    np.savez(tmp_path / "qm9_structures.npz", **arrays())
    found = read_arrays(tmp_path)
    assert found.gdb_ids.tolist() == [3, 9]
    assert found.molecules.numbers.tolist() == [8, 1, 1, 6]
    assert found.split.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"n_atoms": np.array([1, 4], np.uint8)}, "do not fit together"),
        ({"edm_split": np.array([0, 3], np.uint8)}, "edm_split holds 3"),
        ({"edm_split": np.array([0], np.uint8)}, "do not fit together"),
        ({"positions": np.zeros((4, 3))}, "do not fit together"),
        ({"gdb_id": np.array([object(), None])}, "cannot be read"),
    ],
)
def test_packed_arrays_that_do_not_fit_are_refused(tmp_path, change, fault):
    np.savez(tmp_path / "qm9_structures.npz", **{**arrays(), **change})
    with pytest.raises(DataError, match=fault):
        read_arrays(tmp_path)


def test_a_truncated_npz_is_refused(tmp_path):
    path = tmp_path / "qm9_structures.npz"
    np.savez(path, **arrays())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="cannot be read"):
        read_arrays(tmp_path)
