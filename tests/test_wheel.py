"""The wheel holds what an installation needs and nothing else; a clean environment takes it."""

import email
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay import __version__
from tests.test_repository import ROOT
from tests.test_submission import MOLECULES

SOURCES = ROOT / "platform" / "assay"
SUITE = ROOT / "results" / "grid_qm9"
VERSIONS = ("3.11", "3.12", "3.13")
MOST_BYTES = 3_000_000
NEEDED_BYTES = 8_000_000_000
"""Of disk, for an environment with torch and what it brings along."""
BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Iterator[zipfile.ZipFile]:
    """The wheel as its backend builds it here, without a network."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the wheel, is not installed here")
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, check=True)
    (path,) = folder.glob("*.whl")
    assert path.name == f"assay_bench-{__version__}-py3-none-any.whl"
    assert path.stat().st_size < MOST_BYTES
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    about = f"assay_bench-{__version__}.dist-info"
    sources = {
        f"assay/{path.relative_to(SOURCES).as_posix()}"
        for path in SOURCES.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    beside = {
        f"{about}/{name}"
        for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    }

    assert set(wheel.namelist()) == sources | beside
    assert {"assay/py.typed", "assay/report/assets/page.html"} <= sources
    assert {Path(name).suffix for name in sources} == {
        ".py", ".typed", ".html", ".css", ".js", ".json",
    }  # fmt: skip


def test_the_wheel_says_what_it_is(wheel):
    about = f"assay_bench-{__version__}.dist-info"
    told = email.message_from_bytes(wheel.read(f"{about}/METADATA"))
    pythons = {f"Programming Language :: Python :: {version}" for version in VERSIONS}

    assert (told["Name"], told["Version"]) == ("assay-bench", __version__)
    assert (told["License-Expression"], told["Requires-Python"]) == ("Apache-2.0", ">=3.11")
    assert pythons <= set(told.get_all("Classifier"))
    assert "assay = assay.cli:main" in wheel.read(f"{about}/entry_points.txt").decode()
    assert wheel.read(f"{about}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def interpreter(version: str) -> Path:
    """Return a Python of this version, on PATH or of pyenv, that can make environments."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    named = shutil.which(f"python{version}")
    found = [Path(named)] if named else []
    for path in (*found, *sorted(root.glob(f"versions/{version}.*/bin/python"))):
        said = subprocess.run(
            [path, "-c", "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True, text=True,
        )  # fmt: skip
        if said.stdout.strip() == version:
            return path
    pytest.skip(f"no Python {version} that can make environments, on PATH or of pyenv")


@pytest.fixture
def clean(tmp_path) -> Iterator[dict[str, str]]:
    """An environment in which nothing of this one is seen; gigabytes of it are taken away after."""
    if shutil.disk_usage(tmp_path).free < NEEDED_BYTES:
        pytest.skip(f"needs {NEEDED_BYTES / 1e9:.0f} GB of free disk at {tmp_path}")
    ours = ("PYTHON", "ASSAY_", "RAY_", "MLFLOW_", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    yield kept | {"HOME": str(tmp_path / "home"), "ASSAY_CACHE": str(tmp_path / "cache")}
    shutil.rmtree(tmp_path / "venv", ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_works_in_a_clean_environment(version, clean, tmp_path):
    def said(program: str | Path, *words: object, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(
            [program, *map(str, words)], cwd=tmp_path, env=clean, capture_output=True, text=True
        )
        assert done.returncode in codes, f"{words}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    python = interpreter(version)
    (tmp_path / "home").mkdir()
    (tmp_path / "samples.xyz").write_text(MOLECULES * 3)
    said(python, "-m", "venv", "venv")
    inside = tmp_path / "venv" / "bin"
    pip = (inside / "python", "-m", "pip", "--quiet", "--no-cache-dir")
    pins = ("--constraint", ROOT / "constraints.txt")
    said(*pip, "wheel", "--no-deps", "--wheel-dir", "dist", ROOT)
    said(*pip, "install", *pins, "torch")  # alone first, as the Makefile has it
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    said(*pip, "install", *pins, wheel)

    where = said(inside / "python", "-c", "import assay; print(assay.__file__)")
    assert Path(where.strip()).is_relative_to(tmp_path / "venv")
    assert said(inside / "assay", "--version").strip() == __version__
    found = json.loads(said(inside / "assay", "doctor", "--json", codes=(0, 1)))["findings"]
    states = {each["state"] for each in found if each["section"] in ("torch", "packages")}
    assert "broken" not in states, found
    scores = json.loads(said(inside / "assay", "evaluate", "molecules", "samples.xyz",
                             "--protocol", "edm", "--json", "-"))  # fmt: skip
    assert scores["metrics"]["edm/validity"]["value"] == 1.0
    said(inside / "assay", "report", SUITE, "--out", "report.html")
    page = (tmp_path / "report.html").read_text()
    for name in ("style.css", "table.js"):  # which are files of the package
        assert (SOURCES / "report" / "assets" / name).read_text().strip() in page
