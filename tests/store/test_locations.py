"""Where data is looked for."""

import errno
from pathlib import Path

import pytest

from assay.errors import DataError, MachineError
from assay.store.locations import cache_root, source_root, writing


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.delenv("ASSAY_CACHE")
    assert cache_root() == Path.home() / ".cache" / "assay"


def test_no_environment_no_source(monkeypatch):
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    assert source_root("qm9") is None


def test_a_relative_folder_is_named_absolutely(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_DATA", "data")
    with pytest.raises(DataError, match=f"ASSAY_DATA: {tmp_path}/data is not a folder"):
        source_root("qm9")
    (tmp_path / "data" / "qm9").mkdir(parents=True)
    assert source_root("qm9") == tmp_path / "data" / "qm9"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [(errno.ENOSPC, "no space left"), (errno.EROFS, "may not be written")],
)
def test_faults_of_the_disk_are_sentences(code, sentence):
    with pytest.raises(MachineError, match=f"/somewhere: {sentence}"), writing(Path("/somewhere")):
        raise OSError(code, "why")


def test_other_faults_pass():
    with pytest.raises(FileNotFoundError), writing(Path("/somewhere")):
        raise FileNotFoundError
