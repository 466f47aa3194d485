"""QM9 has everybody's molecules and everybody's split, wherever it comes from."""

import re

import numpy as np
import pytest

from assay.chemistry.molecules import Molecules
from assay.errors import DataError
from assay.generation.data import qm9
from assay.generation.data.qm9_files import RECORDS, Collection
from assay.store import sets
from tests.generation.data.test_qm9_files import METHANE_SDF, WATER, WATER_SDF, archive

EXCLUDED = np.unique(np.random.default_rng(0).choice(np.arange(10, RECORDS), 3054, replace=False))


def quiet(phase, fraction):
    pass


@pytest.fixture
def published_list(monkeypatch):
    """A stand-in for the list of uncharacterised molecules, as long as the real one."""
    monkeypatch.setattr(qm9, "uncharacterised_ids", lambda folder, watch: EXCLUDED)


def test_the_split_is_numpys_permutation_cut_in_three():
    characterised = np.setdiff1d(np.arange(1, RECORDS + 1), EXCLUDED)
    np.random.seed(0)
    order = np.random.permutation(130_831)
    labels = qm9.edm_split(characterised, EXCLUDED)
    assert np.bincount(labels).tolist() == [100_000, 17_748, 13_083]
    np.testing.assert_array_equal(np.sort(order[:100_000]), np.flatnonzero(labels == 0))
    np.testing.assert_array_equal(np.sort(order[100_000:117_748]), np.flatnonzero(labels == 1))
    np.testing.assert_array_equal(np.sort(order[117_748:]), np.flatnonzero(labels == 2))


def test_a_subset_keeps_everybodys_labels():
    characterised = np.setdiff1d(np.arange(1, RECORDS + 1), EXCLUDED)
    some = np.arange(5, len(characterised), 1000)
    np.testing.assert_array_equal(
        qm9.edm_split(characterised[some], EXCLUDED), qm9.edm_split(characterised, EXCLUDED)[some]
    )


def test_uncharacterised_molecules_are_removed():
    numbers = np.array([8, 6, 7], np.uint8)
    molecules = Molecules(np.zeros((3, 3), np.float32), numbers, np.ones(3, np.int64))
    from_file = Collection("here", np.array([1, EXCLUDED[5], RECORDS]), molecules)
    labelled = qm9.label(from_file, EXCLUDED)
    assert labelled.gdb_ids.tolist() == [1, RECORDS]
    assert labelled.molecules.numbers.tolist() == [8, 7]
    only = Collection("here", EXCLUDED[:3], molecules)
    with pytest.raises(DataError, match="here: every molecule is on the list"):
        qm9.label(only, EXCLUDED)


def test_the_description_names_the_subset():
    molecules = Molecules(np.zeros((2, 3), np.float32), np.array([1, 6], np.uint8), np.ones(2))
    found = Collection("here", np.arange(2), molecules, np.array([0, 2], np.uint8))
    assert qm9.describe(found) == (
        "2 of the 130,831 characterised molecules of QM9; no nitrogen or oxygen or fluorine; "
        "EDM split 1 / 0 / 1 (train / validation / test)"
    )


def test_every_form_of_a_local_copy_is_recognised(tmp_path, published_list, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    text = WATER.replace("6.47664", "6.47664*^-2")
    folder, upstream, sdf = (tmp_path / name for name in ("xyz", "upstream", "sdf"))
    for each in (folder, upstream, sdf):
        each.mkdir()
    (folder / "dsgdb9nsd_000003.xyz").write_text(text)
    archive(upstream / qm9.ARCHIVE, {"dsgdb9nsd_000003.xyz": text})
    (sdf / "gdb9.sdf").write_text(WATER_SDF)
    from_xyz = sets.prepare("qm9", str(folder))
    assert from_xyz.ids.tolist() == [3]
    assert from_xyz.description.startswith("1 of the 130,831 characterised molecules of QM9; no ")
    for source in (upstream, upstream / qm9.ARCHIVE):
        assert sets.prepare("qm9", str(source)).digest == from_xyz.digest
    for source in (sdf, sdf / "gdb9.sdf"):
        rounded = sets.prepare("qm9", str(source))
        np.testing.assert_allclose(
            rounded.molecules.positions, from_xyz.molecules.positions, atol=6e-5
        )


@pytest.mark.parametrize(
    ("scale", "unit"), [(0.1, "looks like nanometres"), (1.8897, "looks like Bohr")]
)
def test_a_wrong_unit_is_refused_with_file_and_record(tmp_path, published_list, scale, unit):
    lines = METHANE_SDF.splitlines()
    for k in range(4, 9):
        xyz = [scale * float(value) for value in lines[k].split()[:3]]
        lines[k] = "".join(f"{value:10.4f}" for value in xyz) + lines[k][30:]
    path = tmp_path / "gdb9.sdf"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=f"{re.escape(str(path))}: record 1: .*{unit}, expected Å"):
        qm9.QM9.build(str(path), quiet)


def test_nan_coordinates_are_refused_with_file_and_record(tmp_path, published_list):
    path = tmp_path / "dsgdb9nsd_000003.xyz"
    path.write_text(WATER.replace("6.47664", "nan"))
    with pytest.raises(DataError, match=f"{tmp_path}: record 3: 1 coordinates are not finite"):
        qm9.QM9.build(str(tmp_path), quiet)


def test_a_source_of_no_known_form_is_told_what_would_do(tmp_path):
    with pytest.raises(DataError, match=r"holds neither dsgdb9nsd\.xyz\.tar\.bz2, dsgdb9nsd_"):
        qm9.read(tmp_path, quiet)
    (tmp_path / "qm9.csv").write_text("smiles")
    with pytest.raises(DataError, match=r"qm9\.csv: expected dsgdb9nsd\.xyz\.tar\.bz2"):
        qm9.read(tmp_path / "qm9.csv", quiet)


def test_a_list_that_is_not_the_published_one_is_refused(tmp_path):
    (tmp_path / "uncharacterized.txt").write_text("=====\n# Index\n=====\n   58  C  C  1.0\n====")
    with pytest.raises(
        DataError, match=r"uncharacterized\.txt: is not the published list of 3,054"
    ):
        qm9.uncharacterised_ids(tmp_path, quiet)


def test_without_list_and_network_one_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(qm9, "UNCHARACTERISED_URL", "http://127.0.0.1:9/list")
    with pytest.raises(DataError, match=r"cannot be reached .*or put uncharacterized\.txt into"):
        qm9.uncharacterised_ids(tmp_path, quiet)


@pytest.fixture(scope="module")
def real(assay_data, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("ASSAY_DATA", str(assay_data))
        yield sets.prepare("qm9")


@pytest.mark.data
def test_the_stored_labels_are_the_edm_split(real, assay_data):
    excluded = qm9.uncharacterised_ids(assay_data / "qm9", quiet)
    assert len(excluded) == 3054
    assert not np.isin(real.ids, excluded).any()
    np.testing.assert_array_equal(qm9.edm_split(real.ids, excluded), real.arrays["split"])
    assert real.counts == (98_412, 17_473, 12_859)


@pytest.mark.data
def test_the_published_list_is_read_from_its_original_text(tmp_path, assay_data):
    ids = qm9.uncharacterised_ids(assay_data / "qm9", quiet)
    rows = "\n".join(f"{gdb_id:8d}    N=C1NC=CO1    N=C1NC=CO1    1.588400" for gdb_id in ids)
    (tmp_path / "uncharacterized.txt").write_text(f"\n\nList of molecules\n=====\n{rows}\n=====\n")
    np.testing.assert_array_equal(qm9.uncharacterised_ids(tmp_path, quiet), ids)


@pytest.mark.data
def test_the_real_set_names_what_it_lacks(real):
    assert real.description == (
        "128,744 of the 130,831 characterised molecules of QM9; no fluorine; EDM split "
        "98,412 / 17,473 / 12,859 (train / validation / test)"
    )
    assert len(real.molecules) == 128_744
    assert len(real.molecules.numbers) == 2_330_532
    assert real.digest == "805bc5748dde92fb3645dd4fed146a37"


@pytest.mark.data
def test_benzene_is_where_it_was(real):
    index = int(np.searchsorted(real.ids, 214))
    benzene = real.molecules.select([index])
    carbons = benzene.positions[benzene.numbers == 6]
    distances = np.linalg.norm(carbons[:, None] - carbons[None], axis=-1) + 9 * np.eye(6)
    np.testing.assert_allclose(distances.min(1), 1.3935, atol=2e-4)
