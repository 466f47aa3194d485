"""A sharded set holds every training record once, is named by its content, and is checked."""

import json
import shutil

import numpy as np
import pytest

from assay import catalog
from assay.errors import ConfigError, DataError, MachineError
from assay.store import sets, shards
from assay.store.shards import ShardedSet
from assay.store.shards_cutting import cut
from assay.store.shards_place import Place, chosen_place
from tests.store import sets_for_tests
from tests.store.s3_for_tests import BUCKET, local_s3

SIZE = 16
NAME = f"many@{SIZE}"


def nobody(phase: str, fraction: float) -> None:
    pass


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ASSAY_SHARDS", str(tmp_path / "place"))
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    monkeypatch.setattr(catalog, "DATA_SETS", {"many": "tests.store.sets_for_tests:MANY"})
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    cut("many", SIZE, Place.of(str(tmp_path / "place")), nobody)
    return tmp_path / "place" / NAME


@pytest.fixture
def sharded(folder) -> ShardedSet:
    found = sets.prepare(NAME)
    assert isinstance(found, ShardedSet)
    return found


def test_every_training_molecule_lies_in_one_shard_unchanged(sharded):
    packed = sets.open_packed("many")
    shards = [sharded.shard(k) for k in range(len(sharded.blocks))]

    records = np.concatenate([shard.records for shard in shards])
    assert sorted(records) == packed.split_indices("train").tolist()
    assert [len(shard.records) for shard in shards] == sharded.blocks.tolist()
    assert set(sharded.blocks[:-1]) == {SIZE}
    for shard in shards:
        same = packed.select(shard.records)
        assert np.array_equal(shard.molecules.positions, same.positions)
        assert np.array_equal(shard.molecules.numbers, same.numbers)
        assert np.array_equal(shard.molecules.n_atoms, same.n_atoms)


def test_shards_of_a_sorted_set_are_alike(sharded):
    """The source lies sorted by size; a window of few shards must still see all sizes."""
    means = [sharded.shard(k).molecules.n_atoms.mean() for k in range(len(sharded.blocks) - 1)]

    assert max(means) - min(means) < 3


def test_what_is_known_of_the_training_split_is_that_of_the_whole_set(sharded):
    packed = sets.open_packed("many")
    dealt = np.concatenate([sharded.shard(k).records for k in range(len(sharded.blocks))])

    assert np.array_equal(sharded.train_lengths, packed.molecules.n_atoms[dealt])
    assert np.array_equal(sharded.train_number_counts, packed.train_number_counts)
    assert sharded.kept.arrays["train_first_ids"].tolist() == [100, 101, 102]
    assert sharded.counts == packed.counts


@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_small_splits_are_kept_here(sharded, split):
    packed, kept = sets.open_packed("many"), sharded.kept

    same = packed.molecules_of(split)
    assert np.array_equal(sharded.molecules_of(split).positions, same.positions)
    rows = kept.split_indices(split)
    assert kept.records[rows].tolist() == packed.split_indices(split).tolist()
    assert kept.ids[rows].tolist() == packed.ids[packed.split_indices(split)].tolist()


def test_training_shards_are_never_cached(sharded, cache):
    sharded.shard(0)
    assert not list((cache / NAME).rglob("*train-*"))


def test_the_digest_is_of_content_and_shard_size_not_of_place(folder, tmp_path):
    there = cut("many", SIZE, Place.of(str(tmp_path / "elsewhere")), nobody)
    smaller = cut("many", SIZE // 2, Place.of(str(tmp_path / "place")), nobody)
    with local_s3():
        in_bucket = cut("many", SIZE, Place.of(BUCKET), nobody)

    assert sets.prepare(NAME).digest == there.digest == in_bucket.digest
    assert smaller.digest != there.digest
    assert sets.open_packed("many").digest not in (there.digest, smaller.digest)


def test_a_set_in_a_bucket_is_the_same_set(folder, monkeypatch):
    local = sets.prepare(NAME)
    with local_s3():
        cut("many", SIZE, Place.of(f"{BUCKET}/sets"), nobody)
        monkeypatch.setenv("ASSAY_SHARDS", f"{BUCKET}/sets")
        remote = sets.prepare(NAME)

        assert isinstance(local, ShardedSet)
        assert isinstance(remote, ShardedSet)
        assert remote.source == f"{BUCKET}/sets/{NAME}"
        assert remote.index == local.index
        for number in range(len(local.blocks)):
            ours, theirs = local.shard(number), remote.shard(number)
            assert np.array_equal(ours.molecules.positions, theirs.molecules.positions)
        sets.verify(NAME)


def test_opening_does_not_fetch(folder):
    with pytest.raises(sets.NotPreparedError, match=f"run `assay data prepare {NAME}`"):
        sets.open_set(NAME)
    sets.prepare(NAME)
    assert sets.open_set(NAME).digest == sets.prepare(NAME).digest


def test_a_family_may_need_the_whole_set(folder):
    sets.prepare(NAME)
    with pytest.raises(ConfigError, match="name one without @"):
        sets.open_packed(NAME)


def test_a_digest_is_required_of_a_sharded_set_too(sharded):
    sets.require_digest(sharded, sharded.digest[:16])
    with pytest.raises(DataError, match=f"{NAME}: the data prepared from .*place/{NAME} has"):
        sets.require_digest(sharded, "ffff" * 4)


def test_an_interrupted_cut_is_no_set_and_is_completed(tmp_path, monkeypatch):
    place = Place.of(str(tmp_path / "place"))

    def full(self, name, content):
        raise MachineError("no space left")

    with monkeypatch.context() as patch:
        write = Place.write
        patch.setattr(
            Place, "write", lambda self, name, c: (full if "3" in name else write)(self, name, c)
        )
        with pytest.raises(MachineError):
            cut("many", SIZE, place, nobody)
    assert (tmp_path / "place" / NAME / "train-00000.safetensors").exists()
    with pytest.raises(DataError, match=r"index\.json: is missing; `assay data list` shows"):
        sets.prepare(NAME)
    assert "index.json: is missing" in sets.catalogued()[-1].title

    cut("many", SIZE, place, nobody)
    sets.verify(NAME)


def test_a_different_set_is_not_overwritten(folder, tmp_path, monkeypatch, cache):
    before = (folder / "index.json").read_bytes()
    shutil.rmtree(cache)
    monkeypatch.setattr(sets_for_tests.Many, "seed", 1)
    with pytest.raises(DataError, match=rf"{folder}: holds shards of many with digest .* --to"):
        cut("many", SIZE, Place.of(str(tmp_path / "place")), nobody)
    assert (folder / "index.json").read_bytes() == before


def test_cutting_again_mends_a_damaged_shard(folder, tmp_path):
    damaged = folder / "train-00002.safetensors"
    whole = damaged.read_bytes()
    damaged.write_bytes(b"")
    cut("many", SIZE, Place.of(str(tmp_path / "place")), nobody)
    assert damaged.read_bytes() == whole
    assert sets.verify(NAME).name == NAME


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda path: path.unlink(), r"train-00001\.safetensors: is missing; "),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), r"bytes, the index says"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\xff"),
            r"train-00001\.safetensors: its SHA-256 is not that of the index; make the set again",
        ),
    ],
)
def test_a_damaged_shard_is_named(sharded, folder, damage, sentence):
    damage(folder / "train-00001.safetensors")
    sharded.shard(0)
    for ask in (lambda: sharded.shard(1), lambda: sets.verify(NAME)):
        with pytest.raises(DataError, match=sentence):
            ask()


def test_what_a_killed_process_left_half_written_is_removed(folder, cache):
    shelf = shards._shelf(shards.read_index(chosen_place() / NAME))
    (shelf / ".building-x").mkdir(parents=True)
    sets.prepare(NAME)
    assert not list(shelf.glob(".building-*"))


def test_a_damaged_kept_file_is_not_prepared(folder):
    (path,) = folder.glob("kept-*")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"kept-.*bytes, the index says"):
        sets.prepare(NAME)


@pytest.mark.parametrize(
    "edit",
    [
        lambda index: {**index, "format": "assay-shards-9"},
        lambda index: {**index, "train": index["train"][1:]},
        lambda index: {**index, "train": []},
        lambda index: {**index, "name": "many@17"},
        lambda index: {**index, "train": [{**index["train"][0], "name": "../../etc/passwd"}]},
        lambda index: ["not", "an", "index"],
    ],
)
def test_an_index_that_is_not_ours_is_refused(folder, edit):
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(edit(index)))
    with pytest.raises(DataError, match=r"index\.json: .*; make the set again with `assay data sh"):
        sets.prepare(NAME)


def test_names_and_sizes_that_make_no_sense_are_refused(folder, tmp_path):
    place = Place.of(str(tmp_path / "place"))
    with pytest.raises(ConfigError, match="1,000 records a shard: many has 104 training records"):
        cut("many", 1000, place, nobody)
    with pytest.raises(ConfigError, match="lies in shards already"):
        cut(NAME, 8, place, nobody)
    with pytest.raises(ConfigError, match="leave out --source"):
        sets.prepare(NAME, "somewhere")
    with pytest.raises(ConfigError, match="mny"):
        sets.prepare("mny@16")
    with pytest.raises(ConfigError, match="many@x"):
        sets.prepare("many@x")
    with pytest.raises(DataError, match=r"many@99/index\.json: is missing"):
        sets.prepare("many@99")


def test_the_list_shows_what_lies_at_the_place(folder):
    (row,) = sets.catalogued()[1:]
    assert (row.name, row.digest, row.counts) == (NAME, None, (104, 13, 13))
    assert row.title == f"7 shards at {folder.parent}"

    digest = sets.prepare(NAME).digest
    assert sets.catalogued()[-1].digest == digest
