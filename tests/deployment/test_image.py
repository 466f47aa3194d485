"""docker/: the image is of our pins and not root's, the scripts are sound, the secrets are safe."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployment.files import ROOT

DOCKER = ROOT / "docker"
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (DOCKER / "Dockerfile").read_text()


def linter(name: str) -> str:
    """Return a linter that the `dev` extra brings; skips where there is no build of it."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here: its package has no build for this machine")
    return found


def test_hadolint_finds_nothing_in_the_dockerfile():
    done = subprocess.run(
        [linter("hadolint"), DOCKER / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_shellcheck_finds_nothing_in_the_scripts():
    done = subprocess.run(
        [linter("shellcheck"), *DOCKER.glob("*.sh")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_base_has_the_ray_and_the_python_of_our_pins(dockerfile):
    (base,) = re.findall(r"^ARG RAY_IMAGE=rayproject/ray:(\S+)$", dockerfile, re.MULTILINE)
    assert base == f"{PINS['ray']}-py311-cpu"


def test_every_install_keeps_to_the_constraints_and_leaves_no_cache(dockerfile):
    installs = re.findall(r"^RUN pip install .*$", dockerfile, re.MULTILINE)
    assert len(installs) == 2
    for install in installs:
        assert "--constraint constraints.txt" in install
        assert "--no-cache-dir" in install


def test_it_does_not_run_as_root(dockerfile):
    assert re.findall(r"^USER (.*)$", dockerfile, re.MULTILINE) == ["1000:100"]


def test_what_is_copied_exists_and_reaches_the_daemon(dockerfile):
    admitted = (ROOT / ".dockerignore").read_text().splitlines()
    copies = re.findall(r"^COPY --chown=1000:100 (.*) \S+$", dockerfile, re.MULTILINE)
    for name in " ".join(copies).split():
        assert (ROOT / name).exists(), name
        assert f"!{name}" in admitted, name
    assert admitted.index("docker/secrets") > admitted.index("!docker")


def test_no_secret_can_be_committed_or_uploaded_with_a_job():
    for file in (".gitignore", ".rayignore"):
        lines = (ROOT / file).read_text().splitlines()
        assert {"docker/secrets", "docker/secrets/"} & set(lines), file


def test_secrets_are_made_once_in_a_folder_that_only_its_owner_enters(tmp_path):
    folder = tmp_path / "secrets"
    make = [DOCKER / "secrets.sh", folder]
    first = subprocess.run(make, check=True, capture_output=True, text=True)
    secrets = {path.name: path.read_text() for path in folder.iterdir()}
    again = subprocess.run(make, check=True, capture_output=True, text=True)

    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.read_text() for path in folder.iterdir()} == secrets
    assert len(set(secrets.values())) == len(secrets) == 9
    for value in secrets.values():
        assert re.fullmatch(r"[0-9a-f]{64}", value)
        assert value not in first.stdout + first.stderr + again.stdout


def test_a_wrong_role_is_refused():
    done = subprocess.run(
        [DOCKER / "start.sh", "haed"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "not 'haed'" in done.stderr


@pytest.mark.parametrize("role", ["head", "worker", "mlflow", "bucket", "user"])
def test_a_missing_secret_ends_the_container_before_it_starts(role, tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SECRETS": str(tmp_path)}
    done = subprocess.run(
        [DOCKER / "start.sh", role], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"start.sh: {tmp_path}/" in done.stderr
    assert list(tmp_path.iterdir()) == []
