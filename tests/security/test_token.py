"""A Ray that Assay starts answers nobody without its token."""

import os
import stat
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray.tune.execution.class_cache import _ActorClassCache

from assay.cluster import doctor, session
from assay.errors import MachineError

HOLDER = """
import re, sys
from assay.cluster import session
with session.connect() as sentence:
    print(re.search("http://[0-9.:]+", sentence)[0], flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[str, str]]:
    """A Ray that `session.connect` started in another process: its dashboard and its token."""
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "MLFLOW_"))}
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**kept, "HOME": folder, "RAY_TMPDIR": folder},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), url
            yield url, (Path(folder) / ".ray" / "auth_token").read_text()
        finally:
            process.stdin.close()
            process.wait(60)


def status(url: str, token: str | None) -> int:
    request = urllib.request.Request(url)
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("path", ["/api/jobs/", "/api/v0/nodes", "/api/cluster_status"])
def test_a_request_without_the_token_or_with_another_is_refused(running, path):
    url, token = running
    assert status(url + path, None) == 401
    assert status(url + path, "0" * 64) == 403
    assert status(url + path, token) == 200


def test_a_job_without_the_token_is_not_run(running, tmp_path):
    url, _ = running
    body = f'{{"entrypoint": "touch {tmp_path}/run"}}'.encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/api/jobs/", body, headers, method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert refused.value.code == 401
    assert not (tmp_path / "run").exists()


def test_a_token_file_that_others_can_read_is_closed_and_said_to_have_been_open(home, capsys):
    path = home / ".ray" / "auth_token"
    path.parent.mkdir()
    path.write_text("c0ffee")
    path.chmod(0o644)  # as `ray get-auth-token --generate` writes it
    session.ensure_token()
    said = capsys.readouterr().err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "could be read by other users" in said
    assert "c0ffee" not in said
    assert path.read_text() == "c0ffee"

    session.ensure_token()
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_token_file_of_another_user_is_refused(home):
    path = home / ".ray" / "auth_token"
    path.parent.mkdir()
    path.write_text("c0ffee")
    os.chown(path, 12345, -1)
    with pytest.raises(MachineError, match="belongs to user 12345"):
        session.ensure_token()


@pytest.mark.parametrize(("folder", "mode"), [(0o755, 0o600), (0o755, 0o644), (0o700, 0o644)])
@pytest.mark.parametrize("owner", [os.geteuid(), 0, 12345])
def test_the_doctor_says_of_a_token_file_what_a_start_does(home, monkeypatch, folder, mode, owner):
    path = home / ".ray" / "auth_token"
    path.parent.mkdir()
    path.write_text("c0ffee")
    path.chmod(mode)
    path.parent.chmod(folder)
    if owner != os.geteuid():
        if os.geteuid() != 0:
            pytest.skip("only root can give a file to another user")
        os.chown(path, owner, -1)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")

    state = doctor.token().state
    try:
        session.ensure_token()
        as_it_was = stat.S_IMODE(path.stat().st_mode) == mode
    except MachineError:
        as_it_was = False
    assert state == ("ok" if as_it_was else "broken")


def test_turning_authentication_off_is_said(home, monkeypatch, capsys):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setattr(session.ray, "init", lambda **options: None)
    session._start_here(None)
    assert "turns Ray's token authentication off" in capsys.readouterr().err


def test_no_key_of_the_driver_goes_into_a_runtime_environment_which_ray_logs(monkeypatch):
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "canary")
    session.forward_no_secrets()
    actor = _ActorClassCache().get(type("Trainable", (), {}))
    assert "canary" not in str(actor._default_options)
    assert "runtime_env" in actor._default_options


def test_the_dashboard_listens_here_only(home, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    given = {}
    monkeypatch.setattr(session.ray, "init", lambda **options: given.update(options))
    session._start_here(None)
    assert given["dashboard_host"] == "127.0.0.1"
    assert given["include_dashboard"] is True
