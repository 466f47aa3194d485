"""MP-20 has everybody's crystals and everybody's split, wherever it comes from."""

import csv
import gzip
import hashlib
import http.server
import threading
import warnings
from functools import partial

import numpy as np
import pytest

from assay.chemistry.crystals import Crystals
from assay.errors import DataError
from assay.generation.data import mp20
from assay.generation.data.crystals import splits, vocabulary
from assay.generation.data.mp20_files import PARTS, Collection, material_id, number_of
from assay.generation.data.padding import size_histogram
from assay.store import sets
from tests.chemistry.cells import (
    CESIUM_CHLORIDE,
    COPPER,
    DIAMOND,
    EVERYTHING,
    GRAPHITE,
    PEROVSKITE,
    ROCK_SALT,
    pack,
    scaled,
)
from tests.chemistry.crystal_files import cif

IDS = np.array([-7, 149, 22, 3, 5, 8, 6])


def quiet(phase, fraction):
    pass


def digests(ids, split):
    parts = (np.sort(ids[split == code]).astype("<i8") for code in range(3))
    return tuple(hashlib.sha256(part.tobytes()).hexdigest() for part in parts)


@pytest.fixture
def published(monkeypatch, tmp_path):
    """A stand-in for the published ids: seven materials, four of them in training."""
    split = np.array([0, 0, 0, 0, 1, 1, 2], np.uint8)
    monkeypatch.setattr(mp20, "COUNTS", (4, 2, 1))
    monkeypatch.setattr(mp20, "IDS_SHA256", digests(IDS, split))
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    return split


def arrays(split, kept=slice(None), crystals=EVERYTHING):
    chosen = crystals.select(np.arange(len(crystals))[kept])
    return {
        "material_id": np.array([material_id(number) for number in IDS.tolist()])[kept],
        "split": split[kept],
        "source": np.array([2, 2, 0, 0, 0, 0, 0], np.uint8)[kept],
        "lattice": chosen.lattices,
        "offsets": chosen.offsets.astype(np.int32),
        "atomic_numbers": chosen.numbers,
        "frac_coords": chosen.frac_coords,
        "formation_energy_per_atom": np.arange(7, dtype=np.float32)[kept],
        "band_gap": np.arange(7, dtype=np.float32)[kept] / 2,
    }


def write_tables(folder, split, texts=None, ids=IDS):
    folder.mkdir(exist_ok=True)
    texts = texts or [cif(a=f"4.{k}") for k in range(7)]
    for code, name in enumerate(PARTS):
        with (folder / name).open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["", "material_id", "formation_energy_per_atom", "band_gap", "cif"])
            for k in np.flatnonzero(split == code).tolist():
                table.writerow([k, material_id(int(ids[k])), -0.5 * k, 0.25 * k, texts[k]])
    return folder


def test_ids_are_numbers_and_the_two_series_differ_in_sign():
    assert [number_of(each) for each in ("mp-149", "mvc-149")] == [149, -149]
    assert [material_id(number) for number in (149, -149)] == ["mp-149", "mvc-149"]
    for wrong in ("149", "mp-", "mp-0149", "oqmd-3", "mp-1 "):
        with pytest.raises(ValueError, match="is no id such as mp-149"):
            number_of(wrong)


def test_packed_arrays_are_read_reduced_and_labelled(published, tmp_path):
    np.savez(tmp_path / "mp20.npz", **arrays(published))
    for source in (tmp_path, tmp_path / "mp20.npz"):
        packed = sets.prepare("mp20", str(source))
        assert packed.ids.tolist() == IDS.tolist()
        assert packed.counts == (4, 2, 1)
        assert packed.arrays["formation_energy_per_atom"].tolist() == list(range(7))
        assert packed.arrays["band_gap"].dtype == np.float32
        np.testing.assert_allclose(packed.crystals.volumes, EVERYTHING.volumes, rtol=1e-5)
        assert packed.crystals_of("test").numbers.tolist() == [6] * 4
        assert packed.description == (
            "all 7 crystals of MP-20, primitive Niggli cells; 2 have coordinates relaxed anew by "
            "the Materials Project; CDVAE split 4 / 2 / 1 (train / validation / test)"
        )


def test_absent_training_crystals_are_said(published, tmp_path):
    np.savez(tmp_path / "mp20.npz", **arrays(published, slice(1, None)))
    packed = sets.prepare("mp20", str(tmp_path))
    assert packed.counts == (3, 2, 1)
    assert packed.description == (
        "6 of the 7 crystals of MP-20, primitive Niggli cells; 1 training crystals are absent; 1 "
        "have coordinates relaxed anew by the Materials Project; CDVAE split 3 / 2 / 1 (train / "
        "validation / test)"
    )


def test_cdvaes_tables_are_read(published, tmp_path):
    packed = sets.prepare("mp20", str(write_tables(tmp_path / "tables", published)))
    assert packed.ids.tolist() == IDS.tolist()
    assert packed.counts == (4, 2, 1)
    assert packed.arrays["formation_energy_per_atom"].tolist() == [-0.5 * k for k in range(7)]
    assert packed.arrays["band_gap"].tolist() == [0.25 * k for k in range(7)]
    expected = [(4 + k / 10) * 4.12**2 for k in range(7)]
    np.testing.assert_allclose(packed.crystals.volumes, expected, rtol=1e-5)
    assert packed.description.startswith("all 7 crystals of MP-20, Niggli cells; CDVAE split 4 /")


def test_a_folder_of_tables_on_the_web_is_fetched_once(published, tmp_path):
    write_tables(tmp_path / "tables", published)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = partial(Quiet, directory=str(tmp_path / "tables"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        assert sets.prepare("mp20", url).counts == (4, 2, 1)
        (tmp_path / "tables" / "val.csv").unlink()
        assert len(mp20.MP20.build(url, quiet).arrays["ids"]) == 7
        server.shutdown()


def test_what_was_downloaded_and_is_no_mp20_is_deleted(published, tmp_path):
    other = write_tables(tmp_path / "tables", published, ids=IDS + 1)
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(http.server.SimpleHTTPRequestHandler, directory=str(other))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(DataError, match="what was downloaded is deleted: try again"):
            mp20.MP20.build(f"http://127.0.0.1:{server.server_port}", quiet)
        server.shutdown()
    assert list((tmp_path / "cache" / "downloads").iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"material_id": np.array(["mp-1"] * 7)}, r"mp20\.npz: material mp-1 comes twice"),
        ({"material_id": np.array(["149"] * 7)}, r"mp20\.npz: '149' is no id such as mp-149"),
        ({"split": np.full(7, 3, np.uint8)}, r"mp20\.npz: split holds 3, expected 0, 1 or 2"),
        ({"split": np.zeros(6, np.uint8)}, r"mp20\.npz: the arrays do not fit together"),
        ({"offsets": EVERYTHING.offsets + 1}, "the arrays do not fit together"),
        ({"lattice": EVERYTHING.lattices.astype(float)}, "the arrays do not fit together"),
        (
            {"split": np.array([0, 0, 0, 0, 1, 2, 1], np.uint8)},
            r"mp20\.npz: its 2 validation crystals are not the 2 published ones; get it anew",
        ),
        (
            {"split": np.array([1, 1, 1, 1, 1, 1, 2], np.uint8)},
            "its 0 train crystals are not the 4 published ones",
        ),
    ],
)
def test_arrays_that_are_not_mp20_are_refused(published, tmp_path, changes, fault):
    np.savez(tmp_path / "mp20.npz", **{**arrays(published), **changes})
    with pytest.raises(DataError, match=fault):
        mp20.MP20.build(str(tmp_path), quiet)


@pytest.mark.parametrize(
    ("crystals", "fault"),
    [
        (pack(*[scaled(ROCK_SALT, -1)] * 7), "record -7: its cell is left-handed"),
        (pack(*[scaled(DIAMOND, 0.1)] * 7), "record -7: .* looks like nanometres, expected Å"),
        (
            pack(COPPER, *[PEROVSKITE] * 5, scaled(CESIUM_CHLORIDE, 1.89)),
            "record 6: .* looks like Bohr, expected Å",
        ),
    ],
)
def test_absurd_crystals_are_refused_with_file_and_record(published, tmp_path, crystals, fault):
    np.savez(tmp_path / "mp20.npz", **arrays(published, crystals=crystals))
    with pytest.raises(DataError, match=rf"mp20\.npz: {fault}"):
        mp20.MP20.build(str(tmp_path), quiet)


def test_a_faulty_cif_of_a_table_is_named(published, tmp_path):
    texts = [cif(), cif(), "data_x", *[cif()] * 4]
    with pytest.raises(DataError, match=r"train\.csv: record mp-22: its CIF lists no atoms"):
        mp20.MP20.build(str(write_tables(tmp_path / "tables", published, texts)), quiet)


def test_a_table_without_energies_is_refused(published, tmp_path):
    folder = write_tables(tmp_path / "tables", published)
    text = (folder / "val.csv").read_text().replace("band_gap", "gap")
    (folder / "val.csv").write_text(text)
    with pytest.raises(DataError, match=r"val\.csv: cannot be read as csv with material_id, form"):
        mp20.MP20.build(str(folder), quiet)


def test_a_damaged_file_and_a_source_of_no_known_form_are_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"expected mp20\.npz, or a folder with it or with train"):
        mp20.read(tmp_path, quiet)
    (tmp_path / "mp20.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"mp20\.npz: cannot be read"):
        mp20.read(tmp_path, quiet)


def test_the_whole_set_says_so():
    nothing = np.zeros(45_229)
    split = np.repeat([0, 1, 2], mp20.COUNTS).astype(np.uint8)
    whole = Collection(None, nothing, split, pack(GRAPHITE), nothing, nothing)
    assert mp20.describe(whole) == (
        "all 45,229 crystals of MP-20, Niggli cells; CDVAE split 27,136 / 9,047 / 9,046 (train / "
        "validation / test)"
    )


@pytest.fixture(scope="module")
def real(assay_data, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("ASSAY_DATA", str(assay_data))
        yield sets.prepare("mp20")


@pytest.mark.data
def test_the_pinned_ids_are_those_of_the_published_index(assay_data):
    codes = {"train": 0, "val": 1, "test": 2}
    with gzip.open(assay_data / "mp20" / "mp20_index.csv.gz", "rt", newline="") as file:
        rows = [
            (number_of(row["material_id"]), codes[row["split"]]) for row in csv.DictReader(file)
        ]
    ids, split = np.array(rows).T
    assert len(np.unique(ids)) == len(ids) == 45_229
    assert np.bincount(split).tolist() == list(mp20.COUNTS)
    assert digests(ids, split) == mp20.IDS_SHA256


@pytest.mark.data
def test_the_real_set_names_what_it_lacks(real):
    assert real.description == (
        "43,911 of the 45,229 crystals of MP-20, primitive Niggli cells; 1,318 training crystals "
        "are absent; 15,344 have coordinates relaxed anew by the Materials Project; CDVAE split "
        "25,818 / 9,047 / 9,046 (train / validation / test)"
    )
    assert real.digest == "73fc9321026bbdf9bc8d8a127b7a5320"
    assert len(np.unique(real.ids)) == len(real.crystals) == 43_911
    assert len(real.crystals.numbers) == 449_325
    assert (real.ids < 0).sum() == 154
    assert len(vocabulary(real)) == 88
    assert size_histogram(real)[0].tolist() == list(range(1, 21))
    assert splits(real).description.endswith(
        "; losses leave out 2 with elements that training lacks"
    )


@pytest.mark.data
def test_cells_are_reduced_right_handed_and_as_large_as_published(real, assay_data):
    lengths = np.linalg.norm(real.crystals.lattices, axis=-1)
    assert (np.diff(lengths, axis=1) > -2e-3).all()
    assert (real.crystals.volumes > 10).all()
    with gzip.open(assay_data / "mp20" / "mp20_index.csv.gz", "rt", newline="") as file:
        published = {
            number_of(row["material_id"]): float(row["volume"]) for row in csv.DictReader(file)
        }
    volumes = [published[number] for number in real.ids.tolist()]
    np.testing.assert_allclose(real.crystals.volumes, volumes, rtol=1e-3)


@pytest.mark.data
def test_packed_crystals_are_those_of_upstreams_cifs(real, assay_data):
    core = pytest.importorskip("pymatgen.core", reason="pymatgen is not installed")
    matching = pytest.importorskip("pymatgen.analysis.structure_matcher")
    # One in fifty of upstream's cells is a multiple of the primitive one.
    matcher = matching.StructureMatcher(primitive_cell=True, scale=False)
    compared = 0
    for part in ("train", "val", "test"):
        with gzip.open(assay_data / "mp20" / f"cif_sample_{part}.csv.gz", "rt", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows[:: len(rows) // 40]:
            found = np.flatnonzero(real.ids == number_of(row["material_id"]))
            if not len(found):
                continue
            (index,) = found
            ours: Crystals = real.crystals.select([index])
            packed = core.Structure(ours.lattices[0], ours.numbers, ours.frac_coords)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                upstream = core.Structure.from_str(row["cif"], fmt="cif")
                distance = matcher.get_rms_dist(packed, upstream)
            assert distance is not None, row["material_id"]
            # Of training, some coordinates are those of a later relaxation.
            assert distance[0] < (0.1 if part == "train" else 1e-3), row["material_id"]
            energy = real.arrays["formation_energy_per_atom"][index]
            assert energy == pytest.approx(float(row["formation_energy_per_atom"]), abs=1e-4)
            compared += 1
    assert compared >= 100
