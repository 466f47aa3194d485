import json
import os
import signal
import socket
import stat

import pytest

from assay.cluster.session import (
    connect,
    ensure_token,
    job_id,
    require_free_port,
    stoppable,
    uninterrupted,
)
from assay.errors import MachineError


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_token_is_made_once_for_its_owner_alone(home, capsys):
    ensure_token()
    path = home / ".ray" / "auth_token"
    token = path.read_text()
    ensure_token()

    assert len(token) == 64
    assert path.read_text() == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in "".join(capsys.readouterr())


def test_a_token_that_is_given_is_used(home, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "secret"))
    ensure_token()
    assert not (home / ".ray").exists()


def test_a_port_in_use_is_one_sentence():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(MachineError, match=rf"port {port} .* another --dashboard-port"):
            require_free_port(port)
    require_free_port(port)


def test_a_cluster_that_is_not_there_is_one_sentence(home, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:9")
    with pytest.raises(MachineError, match=r"the cluster at http://127\.0\.0\.1:9"), connect():
        pytest.fail("connected to nothing")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_job_that_is_stopped_ends_as_by_ctrl_c(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), stoppable():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_the_closing_seconds_are_not_cut_short():
    before = signal.getsignal(signal.SIGINT)
    with uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        reached = True
    assert reached
    assert signal.getsignal(signal.SIGINT) == before


def test_a_submitted_job_knows_its_id(monkeypatch):
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR", raising=False)
    assert job_id() is None
    config = {"metadata": {"job_submission_id": "raysubmit_42"}, "runtime_env": {}}
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps(config))
    assert job_id() == "raysubmit_42"
