from pathlib import Path

import pytest

from assay.cluster import storage
from assay.cluster.storage import require_writable, resolve_storage
from assay.errors import MachineError

IN_A_JOB = Path("/tmp/ray/session_1/runtime_resources/working_dir_files/_ray_pkg_0123")


@pytest.fixture(autouse=True)
def _no_assay_runs(monkeypatch):
    monkeypatch.delenv("ASSAY_RUNS", raising=False)


def test_the_option_goes_before_the_environment_and_that_before_the_default(tmp_path, monkeypatch):
    assert resolve_storage(None, tmp_path) == (tmp_path / "runs", None)
    monkeypatch.setenv("ASSAY_RUNS", "/elsewhere")
    assert resolve_storage(None, tmp_path) == (Path("/elsewhere"), None)
    assert resolve_storage(Path("here"), tmp_path) == (tmp_path / "here", None)


def test_a_job_does_not_write_into_the_copy_that_ray_deletes(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    path, remark = resolve_storage(None, IN_A_JOB)
    assert path == Path("/home/ada/assay/runs")
    assert "/home/ada/assay/runs" in remark
    with pytest.raises(MachineError, match="absolute path"):
        resolve_storage(Path("runs"), IN_A_JOB)


def test_a_store_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match=r"cannot be written .* another --storage"):
        require_writable(tmp_path / "file" / "runs")


def test_no_space_left_is_told_before_anything_runs(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 10 * 1024**2})
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(MachineError, match=r"no space left \(10 MiB free"):
        require_writable(tmp_path / "runs")


def test_a_writable_store_is_left_without_a_trace(tmp_path):
    require_writable(tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []
