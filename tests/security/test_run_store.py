"""Who can write where Assay keeps its state, and where Ray Tune keeps its pickles."""

import os
import stat
import types

import pytest

from assay.cluster import storage
from assay.cluster.storage import open_to_everyone, private_folder
from assay.errors import MachineError


def test_tune_gets_a_new_folder_that_nobody_else_can_enter(tmp_path):
    tmp_path.chmod(0o777)
    with private_folder(tmp_path) as first, private_folder(tmp_path) as second:
        assert first != second
        for path in (first, second):
            assert path.parent == tmp_path
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
            assert path.stat().st_uid == os.geteuid()
        (first / "state.pkl").write_bytes(b"of this process")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_removed_after_a_fault_too(tmp_path):
    with pytest.raises(ZeroDivisionError), private_folder(tmp_path):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "owner", "sentence"),
    [
        (0o40755, os.geteuid(), r"lets others in \(mode 0755\)"),
        (0o120700, os.geteuid(), "lets others in"),
        (0o40700, 12345, "belongs to user 12345"),
    ],
    ids=["mode", "a link", "owner"],
)
def test_a_file_system_that_does_not_keep_it_private_is_refused(
    tmp_path, monkeypatch, mode, owner, sentence
):
    found = types.SimpleNamespace(st_mode=mode, st_uid=owner)
    monkeypatch.setattr(storage.Path, "lstat", lambda path: found)
    with pytest.raises(MachineError, match=sentence), private_folder(tmp_path):
        pytest.fail("let in")


@pytest.mark.parametrize(
    ("mode", "said"), [(0o755, False), (0o775, False), (0o777, True), (0o1777, False)]
)
def test_a_group_may_share_a_run_store_but_not_everyone(tmp_path, mode, said):
    tmp_path.chmod(mode)
    sentence = open_to_everyone(tmp_path)
    assert (sentence is not None) is said
    if sentence:
        assert f"chmod o-w {tmp_path}" in sentence
