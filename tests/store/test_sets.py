"""A data set is prepared once, and never taken for that of another source."""

import multiprocessing
import os
import re

import pytest

from assay import catalog
from assay.errors import ConfigError, DataError, MachineError
from assay.store import sets
from assay.store.packed import PackedSet
from tests.store.sets_for_tests import TOY


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    monkeypatch.setattr(catalog, "DATA_SETS", {"toy": "tests.store.sets_for_tests:TOY"})
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path):
    return make_source(tmp_path / "here", 1)


def make_source(folder, first_id):
    folder.mkdir(parents=True)
    (folder / "first_id").write_text(str(first_id))
    return folder / "first_id"


def builds(source):
    return len((source.parent / "builds").read_text().splitlines())


def test_preparing_twice_builds_once(source):
    first = sets.prepare("toy", str(source))
    second = sets.prepare("toy", str(source))
    assert builds(source) == 1
    assert (
        first.digest == second.digest == sets.prepare("toy").digest == sets.open_set("toy").digest
    )


def test_preparing_is_watched(source):
    seen = []
    sets.prepare("toy", str(source), lambda phase, fraction: seen.append((phase, fraction)))
    assert seen == [("read", 1.0)]


def test_what_is_not_prepared_is_not_opened():
    with pytest.raises(DataError, match="toy: not prepared; run `assay data prepare toy`"):
        sets.open_set("toy")


def test_an_unknown_name_meets_the_nearest():
    with pytest.raises(ConfigError, match="unknown data set 'tyo'; did you mean 'toy'"):
        sets.prepare("tyo")


def test_a_source_that_is_missing_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: cannot be read \(No such file"):
        sets.prepare("toy", str(tmp_path / "nowhere"))


def test_assay_data_comes_before_what_was_prepared_last(tmp_path, source, monkeypatch):
    local = sets.prepare("toy", str(source))
    theirs = make_source(tmp_path / "data" / "toy", 100)
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path / "data"))
    with pytest.raises(DataError, match=f"not prepared from {re.escape(str(theirs.parent))}"):
        sets.open_set("toy")
    shared = sets.prepare("toy")
    assert shared.ids[0] == 107
    assert shared.digest != local.digest
    assert shared.manifest.source == str(theirs.parent)
    assert sets.open_set("toy").digest == shared.digest
    assert sets.prepare("toy", str(source)).digest == local.digest
    assert builds(source) == 1


def test_a_source_that_changed_is_read_again(source):
    before = sets.prepare("toy", str(source))
    source.write_text("20")
    assert sets.prepare("toy", str(source)).ids[0] == 27
    assert sets.open_set("toy").digest != before.digest


def test_a_new_version_of_the_reader_is_not_answered_by_the_old_ones_set(source, monkeypatch):
    sets.prepare("toy", str(source))
    monkeypatch.setattr(TOY, "version", 2)
    with pytest.raises(DataError, match="not prepared"):
        sets.open_set("toy")
    sets.prepare("toy", str(source))
    assert builds(source) == 2


@pytest.mark.parametrize("inside", [False, True])
def test_assay_data_that_is_set_but_missing_names_the_path(tmp_path, monkeypatch, inside):
    root = tmp_path / "data"
    if inside:
        root.mkdir()
    monkeypatch.setenv("ASSAY_DATA", str(root))
    looked_at = root / "toy" if inside else root
    for ask in (sets.prepare, sets.open_set):
        with pytest.raises(DataError, match=f"{re.escape(str(looked_at))} is not a folder"):
            ask("toy")


def test_a_set_that_was_deleted_is_prepared_again(source):
    packed = sets.prepare("toy", str(source))
    for file in packed.directory.iterdir():
        file.unlink()
    packed.directory.rmdir()
    sets.prepare("toy", str(source)).verify()
    assert builds(source) == 2


def test_what_a_killed_preparation_left_is_cleared(cache, source):
    abandoned = cache / "toy" / ".building-x"
    abandoned.mkdir(parents=True)
    (abandoned / "positions.npy").write_bytes(b"part")
    sets.prepare("toy", str(source))
    assert not abandoned.exists()


def test_verify_hashes_again(source):
    packed = sets.prepare("toy", str(source))
    assert sets.verify("toy").digest == packed.digest
    path = packed.directory / "ids.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(DataError, match="run `assay data prepare toy`"):
        sets.verify("toy")


def test_a_cell_of_other_data_is_refused(source):
    packed = sets.prepare("toy", str(source))
    sets.require_digest(packed, packed.digest)
    sets.require_digest(packed, packed.digest[:16])
    with pytest.raises(DataError, match="the cell was made for ffff"):
        sets.require_digest(packed, "ffff" * 4)


def test_the_catalogue_says_what_is_prepared(source, tmp_path, monkeypatch):
    (row,) = sets.catalogued()
    assert (row.name, row.title, row.licence) == ("toy", "toy: three molecules", "CC0-1.0")
    assert row.digest is None
    assert row.counts is None
    packed = sets.prepare("toy", str(source))
    (row,) = sets.catalogued()
    assert (row.digest, row.counts) == (packed.digest, (1, 1, 1))
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path / "data"))
    (row,) = sets.catalogued()
    assert row.digest is None


def test_a_set_made_by_rules_takes_no_source(source, monkeypatch):
    monkeypatch.setattr(TOY, "upstream", None)
    with pytest.raises(ConfigError, match="toy: is made by rules"):
        sets.prepare("toy", str(source))


def test_a_cache_that_cannot_be_written_is_one_sentence(source, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refused)
    with pytest.raises(MachineError, match="may not be written"):
        sets.prepare("toy", str(source))


def prepare_in_a_process(environment, source, answers):
    os.environ.update(environment)
    catalog.DATA_SETS = {"toy": "tests.store.sets_for_tests:TOY"}  # pyright: ignore
    answers.put(sets.prepare("toy", source).digest)


def test_two_processes_prepare_at_once_and_build_once(cache, source):
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    environment = {"ASSAY_CACHE": str(cache)}
    given = (environment, str(source), answers)
    processes = [context.Process(target=prepare_in_a_process, args=given) for _ in range(2)]
    for process in processes:
        process.start()
    digests = {answers.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert len(digests) == 1
    assert builds(source) == 1
    PackedSet.open(cache / "toy" / digests.pop()).verify()
