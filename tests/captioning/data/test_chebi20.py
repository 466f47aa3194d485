"""The real files, where ASSAY_DATA is set; malformed copies of them anywhere."""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from assay.captioning.data import chebi20, chebi20_files
from assay.captioning.data.captions import CaptionRecords, pack
from assay.captioning.data.captions_pool import CAPTIONS_POOL
from assay.captioning.data.chebi20 import CHEBI20
from assay.captioning.data.chebi20_files import POOL, pairs_of, pool_of, read_pool, read_split
from assay.errors import DataError
from assay.store import sets
from assay.store.texts import Texts

HEADER = "CID\tSMILES\tdescription\n"
ROWS = {
    "train": "1\tCCN\tThe molecule is an amine.\n4\tCCS\tThe molecule is a thiol.\n",
    "validation": '2\tCCO\tThe molecule is an "alcohol.\n',
    "test": "3\tC/C=C\\\\C\tThe molecule is an olefin.\n",
}


def nobody(phase, fraction):
    """Watch nothing."""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder as upstream's, of four molecules, taken for the real one."""
    for split, rows in ROWS.items():
        (tmp_path / chebi20_files.FILES[split]).write_text(HEADER + rows)
    line = json.dumps({"smiles": "CCCl", "caption": "The molecule is a chloride."})
    (tmp_path / POOL).write_bytes(gzip.compress(f"{line}\n".encode()))
    monkeypatch.setattr(chebi20_files, "SHA256", {})
    monkeypatch.setattr(chebi20_files, "POOL_SHA256", None)
    counts = {split: rows.count("\n") for split, rows in ROWS.items()}
    monkeypatch.setattr(chebi20_files, "RECORDS", counts)
    return tmp_path


def zipped(path: Path) -> None:
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def test_upstreams_split_with_its_training_captions(small):
    built = CHEBI20.build(str(small), nobody)

    assert built.arrays["ids"].tolist() == [1, 4, 2, 3]
    assert built.arrays["split"].tolist() == [0, 0, 1, 2]
    assert "split 2 / 1 / 1 (train / validation / test)" in built.description
    assert "lacks" not in built.description
    assert bytes(built.arrays["smiles"]).decode() == "CCNCCSCCOC/C=C\\C"  # one backslash
    assert b'an "alcohol' in bytes(built.arrays["captions"])  # quotes mean nothing


def test_gzipped_files_make_the_same_set(small):
    plain = CHEBI20.build(str(small), nobody)
    for name in chebi20_files.FILES.values():
        zipped(small / name)

    packed = CHEBI20.build(str(small), nobody)

    assert packed.description == plain.description
    assert all((packed.arrays[key] == plain.arrays[key]).all() for key in plain.arrays)


def test_a_source_without_training_captions_says_so(small):
    (small / "train.txt").unlink()

    built = CHEBI20.build(str(small), nobody)

    assert "split 0 / 1 / 1" in built.description
    assert built.description.endswith("without the captions for training, which this source lacks")


@pytest.fixture
def asked(small, monkeypatch, tmp_path):
    """The addresses that were asked for, with the small folder in place of the network."""
    found = []

    def fetch(url, sha256, destination, watch):
        found.append((url, sha256))
        destination.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(small / destination.name, destination))

    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(chebi20, "fetch", fetch)
    monkeypatch.setattr(chebi20, "SHA256", {"test": "abc"})
    return found


def test_a_url_is_downloaded(asked):
    built = CHEBI20.build("https://example.invalid/data/?key=1", nobody)

    assert asked == [
        ("https://example.invalid/data/train.txt?key=1", None),
        ("https://example.invalid/data/validation.txt?key=1", None),
        ("https://example.invalid/data/test.txt?key=1", "abc"),
    ]
    assert "split 2 / 1 / 1" in built.description


def test_a_download_that_is_something_else_is_deleted(asked, small):
    (small / "train.txt").write_text("<html>")

    with pytest.raises(DataError, match=r"train\.txt: its columns are <html>.*deleted: try again"):
        CHEBI20.build("https://example.invalid/data", nobody)

    assert list((small / "cache" / "downloads").iterdir()) == []


def test_the_pool_is_trained_on_with_most_of_validation(small, monkeypatch):
    """Of 40 molecules of validation, a few are held out to choose weights by."""
    rows = "".join(f"{k}\t{'C' * k}O\tThe molecule is long.\n" for k in range(10, 50))
    (small / "validation.txt").write_text(HEADER + rows)
    monkeypatch.setattr(chebi20_files, "RECORDS", {**chebi20_files.RECORDS, "validation": 40})

    built = CAPTIONS_POOL.build(str(small), nobody)
    train, validation, test = (built.arrays["ids"][built.arrays["split"] == k] for k in range(3))

    assert train[0] == -1  # of the pool by its line, of ChEBI-20 by CID
    assert sorted([*train[1:], *validation]) == list(range(10, 50))
    assert 1 <= len(validation) <= 8
    assert test.tolist() == [3]
    assert built.description.startswith("1 pairs of PubChem324k and PCdes and nine tenths")


def test_chebi20s_files_may_be_beside_the_pool_or_in_its_folder(small):
    expected = CAPTIONS_POOL.build(str(small), nobody)
    beside, folder = small / "chebi20", small / "captions_extra"
    beside.mkdir()
    folder.mkdir()
    (small / POOL).rename(folder / POOL)
    for split in ("validation", "test"):
        name = chebi20_files.FILES[split]
        (small / name).rename(beside / name)

    found = CAPTIONS_POOL.build(str(folder), nobody)
    for split in ("validation", "test"):
        name = chebi20_files.FILES[split]
        (beside / name).rename(folder / name)

    assert found.arrays["ids"].tolist() == expected.arrays["ids"].tolist()
    assert CAPTIONS_POOL.build(str(folder), nobody).description == expected.description


def test_the_pool_is_published_nowhere():
    with pytest.raises(DataError, match="captions_pool: is published nowhere as it is"):
        CAPTIONS_POOL.build("https://example.invalid/pool", nobody)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("CID\tSMILES\n1\tC\n", "its columns are CID, SMILES, not CID, SMILES, description"),
        ("", "its columns are none, not CID"),
        (HEADER + "1\tC\tA.\n2\tCC\n", "record 2: has not three columns"),
        (HEADER + "1\tC\tA.\tB.\n", "record 1: has not three columns"),
        (HEADER + "a1\tC\tA.\n", "record 1: 'a1' is no CID, which is a whole number"),
        (HEADER + "²\tC\tA.\n", "record 1: '²' is no CID"),
        (HEADER + f"{'9' * 30}\tC\tA.\n", "record 1: '9{30}' is no CID"),
        (HEADER + f"1\tC\t{'A' * 140_000}\n", "line 2: cannot be read .*field larger"),
        ("x" * 140_000, "line 1: cannot be read"),
    ],
)
def test_a_malformed_table_is_one_sentence(content, said):
    with pytest.raises(DataError, match=rf"a\.txt.*{said}"):
        pairs_of(content.encode(), Path("a.txt"), "train")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"smiles": "C"', "record 1: is no JSON"),
        ('{"smiles": "C", "caption": "A."}\n[1]', "record 2: is no JSON object"),
        ('{"smiles": "C"}', "record 1: smiles and caption must be texts"),
    ],
)
def test_a_malformed_line_of_the_pool_is_one_sentence(content, said):
    with pytest.raises(DataError, match=rf"a\.jsonl, {said}"):
        pool_of(content.encode(), Path("a.jsonl"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "test.txt").unlink(), r"holds no test\.txt or test\.txt\.gz"),
        (lambda f: (f / "test.txt").write_bytes(b"\xff"), r"test\.txt: is not UTF-8"),
        (lambda f: (f / "test.txt").write_text(HEADER), "has 0 records, ChEBI-20's has 1"),
    ],
    ids=["missing", "no text", "cut off"],
)
def test_another_file_is_refused(small, spoil, said):
    spoil(small)

    with pytest.raises(DataError, match=said):
        read_split(small, "test")


@pytest.mark.parametrize("keep", [3, 40])
def test_a_damaged_archive_is_one_sentence(small, keep):
    zipped(small / "test.txt")
    path = small / "test.txt.gz"
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(DataError, match=r"test\.txt\.gz: cannot be read .*; get it anew"):
        read_split(small, "test")


def test_another_content_is_refused(tmp_path):
    """Against the published checksums."""
    (tmp_path / "test.txt").write_text(HEADER + ROWS["test"])
    (tmp_path / POOL).write_bytes(gzip.compress(b"{}"))

    with pytest.raises(DataError, match=r"test\.txt: SHA-256 of its content is .*, expected"):
        read_split(tmp_path, "test")
    with pytest.raises(DataError, match=rf"{POOL}: SHA-256 of its content is .*, expected"):
        read_pool(tmp_path)
    with pytest.raises(DataError, match=f"holds no {POOL}; copy it there"):
        read_pool(tmp_path / "elsewhere")


@pytest.mark.data
def test_the_published_files_are_read_and_packed(assay_data):
    """All are read, and the first 300 packed."""
    published = {
        split: read_split(assay_data / "chebi20", split) for split in ("validation", "test")
    }
    pool = read_pool(assay_data / "captions_extra")
    some = [pair for pairs in (pool, *published.values()) for pair in pairs[:100]]

    packed = pack(some, nobody)

    assert [len(pairs) for pairs in (pool, *published.values())] == [6_443, 3_301, 3_300]
    assert all(pair.caption.startswith("The molecule is") for pair in published["test"])
    assert not any("\\\\" in pair.smiles for pair in published["test"])
    texts = Texts(packed["captions"], packed["captions_offsets"])
    assert [texts[k] for k in range(300)] == [pair.caption for pair in some]
    assert np.bincount(packed["split"]).tolist() == [100, 100, 100]


@pytest.mark.slow
@pytest.mark.data
def test_the_published_captions_and_how_to_train_without_them(assay_data, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_DATA", str(assay_data))
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    published = read_split(assay_data / "chebi20", "test")
    pool = sets.prepare("captions_pool")
    train, validation, test = (
        CaptionRecords(pool, split) for split in ("train", "validation", "test")
    )

    assert pool.counts == (9_411, 333, 3_300)
    assert test.captions == [pair.caption for pair in published]
    held_out = {Chem.CanonSmiles(smiles) for smiles in test.smiles}
    assert len(held_out) == 3_300
    assert not held_out & {*train.smiles, *validation.smiles}  # the pool's are canonical
    assert not {*pool.ids[pool.split_indices("test")]} & {*pool.ids[:-3_300]}
