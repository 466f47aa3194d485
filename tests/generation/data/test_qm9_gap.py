"""Gaps are read in eV wherever QM9 comes from, in a set of its own."""

import gzip

import numpy as np
import pytest

from assay.errors import DataError
from assay.generation.data import qm9
from assay.generation.data.qm9_files import read_gaps
from assay.generation.data.qm9_gap import GAPS, QM9_GAP
from assay.store import sets
from tests.generation.data.test_qm9 import EXCLUDED, quiet
from tests.generation.data.test_qm9_files import WATER, WATER_SDF, archive

TEXT = WATER.replace("6.47664", "6.47664*^-2")


@pytest.fixture
def published_list(monkeypatch):
    monkeypatch.setattr(qm9, "uncharacterised_ids", lambda folder, watch: EXCLUDED)


def table(path, *lines):
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(("gdb_id,gap_eV", *lines)) + "\n")
    return path


def test_the_archives_gap_is_converted_from_hartree(tmp_path, published_list):
    archive(tmp_path / qm9.ARCHIVE, {"dsgdb9nsd_000003.xyz": TEXT})

    built = QM9_GAP.build(str(tmp_path), quiet)

    np.testing.assert_allclose(built.arrays[GAPS], [0.3615 * 27.211386245988], rtol=1e-6)
    assert built.arrays[GAPS].dtype == np.float32
    assert built.description.endswith("; gap known of 1")


def test_qm9_itself_stays_what_it_is(tmp_path, published_list):
    archive(tmp_path / qm9.ARCHIVE, {"dsgdb9nsd_000003.xyz": TEXT})

    with_gaps, without = (each.build(str(tmp_path), quiet).arrays for each in (QM9_GAP, qm9.QM9))

    assert set(with_gaps) - set(without) == {GAPS}
    assert all(np.array_equal(with_gaps[name], array) for name, array in without.items())


def test_a_table_gives_the_gaps_it_has_in_any_order(tmp_path):
    path = table(tmp_path / "gaps.csv.gz", "7,9.5", "3,", "9", "5,6.25")

    np.testing.assert_array_equal(
        read_gaps(path, np.array([3, 5, 7, 9])), np.float32([np.nan, 6.25, 9.5, np.nan])
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("4,-0.2", "gdb_id 4: -0.2 is no gap in eV"),
        ("4,nan", "gdb_id 4: nan is no gap in eV"),
        ("4,250.0", "gdb_id 4: 250.0 is no gap in eV"),
        ("4,wide", "cannot be read as a table of gaps"),
        ("four,5", "cannot be read as a table of gaps"),
    ],
)
def test_what_is_no_gap_is_refused_with_file_and_record(tmp_path, line, sentence):
    path = table(tmp_path / "gaps.csv.gz", "3,9.0", line)

    with pytest.raises(DataError, match=rf"gaps\.csv\.gz: {sentence}"):
        read_gaps(path, np.array([3, 4]))


def test_a_damaged_table_is_refused(tmp_path):
    path = table(tmp_path / "gaps.csv.gz", "3,9.0")
    path.write_bytes(path.read_bytes()[:-9])

    with pytest.raises(DataError, match="cannot be read as a table of gaps"):
        read_gaps(path, np.array([3]))
    with gzip.open(path, "wt") as file:
        file.write("id,gap\n3,9.0\n")
    with pytest.raises(DataError, match="has no column 'gap_eV'"):
        read_gaps(path, np.array([3]))


def test_a_source_without_gaps_is_told_what_has_them(tmp_path, published_list):
    (tmp_path / "gdb9.sdf").write_text(WATER_SDF)

    with pytest.raises(DataError, match=r"gdb9\.sdf: has no gaps; take the archive dsgdb9nsd"):
        QM9_GAP.build(str(tmp_path), quiet)


@pytest.mark.data
def test_the_real_set_knows_26_079_gaps(assay_data, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    monkeypatch.setenv("ASSAY_DATA", str(assay_data))

    packed = sets.prepare("qm9_gap")

    gaps_R = packed.arrays[GAPS]
    assert np.isfinite(gaps_R).sum() == 26_079
    assert packed.description.endswith("; gap known of 26,079")
    assert gaps_R[packed.ids == 1] == pytest.approx(13.73631)  # methane
    assert packed.digest == "bb1a185004b44f0e41c1a1490abddb1a"
    assert sets.open_set("qm9_gap").digest == packed.digest
