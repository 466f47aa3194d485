"""What the doctor says of Ray and of the run store; Ray is started by the slow test alone."""

import contextlib
import errno
import json
import os
import socket
import stat
import subprocess
import sys
import types

import pytest

from assay.cluster import doctor
from assay.errors import MachineError

SECRET = "c0ffee" * 8


@pytest.fixture(autouse=True)
def _no_ray_of_the_users(tmp_path, monkeypatch):
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "ASSAY_RUNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / ".ray" / "auth_token"
    path.parent.mkdir()
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


@pytest.fixture
def listener():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_token_of_ones_own_is_fine_and_is_not_shown(token_file):
    found = doctor.token()
    assert (found.state, found.mend) == ("ok", "")
    assert SECRET not in str(found)


def test_a_token_that_others_can_read_is_broken(token_file):
    token_file.chmod(0o644)
    found = doctor.token()
    assert (found.state, found.mend) == ("broken", f"chmod 600 {token_file}")
    assert "mode 0644" in found.found
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o644  # the doctor looks, it does not mend


def test_a_readable_token_in_a_folder_that_no_other_user_enters_is_fine(tmp_path, monkeypatch):
    # As docker/secrets.sh makes it: containers get single files, so these must be readable.
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    path = folder / "ray_token"
    path.write_text(SECRET)
    path.chmod(0o444)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    assert (doctor.token().state, doctor.token().mend) == ("ok", "")
    folder.chmod(0o755)
    assert doctor.token().state == "broken"


def test_a_token_file_that_is_mounted_into_a_container_is_fine(token_file, monkeypatch):
    token_file.chmod(0o444)
    monkeypatch.setattr("os.path.ismount", lambda path: path == token_file)
    assert (doctor.token().state, doctor.token().mend) == ("ok", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_token_of_another_user_is_broken(token_file):
    os.chown(token_file, 12345, -1)
    found = doctor.token()
    assert found.state == "broken"
    assert "belongs to user 12345" in found.found


def test_a_token_that_was_named_but_is_not_there_is_broken(tmp_path, monkeypatch):
    assert doctor.token().state == "ok"  # none yet: it is made at the first start
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "nowhere"))
    assert doctor.token().state == "broken"
    monkeypatch.setenv("RAY_AUTH_TOKEN", SECRET)
    assert doctor.token().state == "ok"


def test_authentication_that_is_turned_off_is_broken(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    found = doctor.token()
    assert (found.state, found.mend) == ("broken", "export RAY_AUTH_MODE=token")
    assert "anyone who reaches" in found.found


def test_a_ray_that_runs_here_is_pointed_at(listener, monkeypatch):
    monkeypatch.setattr(doctor, "USUAL_PORTS", {listener: "dashboard"})
    found = doctor.ports()
    assert (found.state, found.mend) == ("ok", "export RAY_ADDRESS=auto")
    assert f"{listener} (dashboard)" in found.found


def test_without_an_address_ray_is_left_alone():
    (found,) = doctor.cluster(deep=False)
    assert (found.state, found.mend) == ("off", "assay doctor --deep")


@pytest.mark.parametrize("kind", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_an_address_where_nothing_answers_is_broken_at_once(kind, listener, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", kind.format(free.getsockname()[1]))
        (found,) = doctor.cluster(deep=False)
    assert found.state == "broken"
    assert "nothing answers there" in found.found


def test_a_job_server_that_cannot_be_reached_is_shown_without_its_password(monkeypatch):
    address = f"http://ada:{SECRET}@127.0.0.1:9"

    def refuse(given: str):
        raise ConnectionError(f"Failed to connect to Ray at address: {given}.")

    monkeypatch.setattr("ray.job_submission.JobSubmissionClient", refuse)
    monkeypatch.setenv("RAY_ADDRESS", address)
    (found,) = doctor.cluster(deep=False)
    assert (found.name, found.state) == ("job server", "broken")
    assert "***@127.0.0.1:9" in found.found
    assert SECRET not in str(found)


def test_a_run_store_that_works_is_left_as_it_was(tmp_path):
    findings = doctor.run_store(tmp_path / "a" / "runs")
    assert [each.state for each in findings] == ["ok", "ok", "ok"]
    assert not (tmp_path / "a").exists()
    doctor.run_store(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_store_that_cannot_be_written_is_one_finding(tmp_path):
    (tmp_path / "file").write_text("")
    (found,) = doctor.run_store(tmp_path / "file" / "runs")
    assert found.state == "broken"


def test_a_run_store_that_cannot_be_checked_is_one_finding_and_leaves_no_folder(
    tmp_path, monkeypatch
):
    def full(**where):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(doctor.tempfile, "TemporaryDirectory", full)
    (found,) = doctor.run_store(tmp_path / "a" / "runs")
    assert found.state == "broken"
    assert "No space left on device" in found.found
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_made_for_a_refused_run_store_are_removed(tmp_path, monkeypatch):
    def refuse(folder):
        folder.mkdir(parents=True)
        raise MachineError(f"{folder}: cannot be written")

    monkeypatch.setattr(doctor, "require_writable", refuse)
    (found,) = doctor.run_store(tmp_path / "a" / "runs")
    assert found.state == "broken"
    assert list(tmp_path.iterdir()) == []


def test_a_run_store_open_to_everyone_is_said(tmp_path):
    tmp_path.chmod(0o777)
    found = doctor.store_folder(tmp_path)
    assert (found.state, found.mend) == ("missing", f"chmod o-w {tmp_path}")


def test_locks_that_are_given_twice_are_broken(tmp_path, monkeypatch):
    class Paper:
        """A lock that does not lock."""

        def __init__(self, path):
            pass

        def acquire(self, timeout):
            return contextlib.nullcontext()

    monkeypatch.setattr(doctor, "FileLock", Paper)
    found = doctor.locks(tmp_path)
    assert found.state == "broken"
    assert "given twice" in found.found


def test_locks_of_a_network_file_system_are_vouched_for_on_this_host_alone(tmp_path, monkeypatch):
    mount = types.SimpleNamespace(mountpoint="/", fstype="nfs4", opts="rw,local_lock=none")
    monkeypatch.setattr(doctor.psutil, "disk_partitions", lambda all: [mount])
    found = doctor.locks(tmp_path)
    assert found.state == "ok"
    assert "on this host (nfs4)" in found.found


def test_locks_that_cannot_be_tried_are_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "TAKE_LOCK", "raise OSError('No locks available')")
    found = doctor.locks(tmp_path)
    assert found.state == "broken"
    assert "No locks available" in found.found


def test_locks_within_one_host_only_are_said(tmp_path, monkeypatch):
    mount = types.SimpleNamespace(mountpoint="/", fstype="nfs4", opts="rw,local_lock=all")
    monkeypatch.setattr(doctor.psutil, "disk_partitions", lambda all: [mount])
    found = doctor.locks(tmp_path)
    assert found.state == "missing"
    assert "within one host only" in found.found


def test_a_store_whose_clock_differs_is_said(tmp_path, monkeypatch):
    now = doctor.time.time()
    monkeypatch.setattr(doctor.time, "time", lambda: now - 3600)
    found = doctor.store_clock(tmp_path)
    assert found.state == "missing"
    assert "+3,6" in found.found


@pytest.mark.slow
def test_deep_starts_ray_and_asks_it(tmp_path, mini):
    # In a process of its own, since Ray keeps the first token that a process has seen.
    command = [sys.executable, "-m", "assay.cli", "doctor", "--deep", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    rows = json.loads(done.stdout)["findings"]
    found = {row["name"]: row for row in rows if row["section"] == "Ray"}
    assert {found[name]["state"] for name in ("cluster", "State API", "nodes")} == {"ok"}, found
    assert "dashboard http://127.0.0.1:" in found["cluster"]["found"]
    token = (tmp_path / ".ray" / "auth_token").read_text()
    assert token not in done.stdout + done.stderr
