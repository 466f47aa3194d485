"""docs/extending.md is built as a package, installed outside of the repository, and run."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.test_cli import ROOT
from tests.test_submission import MOLECULES

PAGE = (ROOT / "docs" / "extending.md").read_text()
BLOCKS = re.findall(r"^```([^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = {
    found[1]: text for info, text in BLOCKS if (found := re.fullmatch(r'\w+ title="(.+)"', info))
}
COMMANDS = [
    line for info, text in BLOCKS if not info
    for line in text.splitlines() if line.startswith("assay ") and "YOUR_" not in line
]  # fmt: skip
RUN = """
import json, sys
from typer.testing import CliRunner
from assay.cli import app
for line in json.load(sys.stdin):
    done = CliRunner().invoke(app, line)
    print(json.dumps([line, done.exit_code, done.stdout[-2000:], repr(done.exception)]), flush=True)
"""


def test_every_file_of_the_page_is_one_that_python_reads():
    assert {name for name in FILES if name.endswith(".py")} == {
        f"assay_example/{name}.py"
        for name in ("plain_transformer", "power_flow", "sizes", "chains", "gyration")
    }
    for name, text in FILES.items():
        if name.endswith(".py"):
            assert ast.get_docstring(ast.parse(text)), name
            assert max(map(len, text.splitlines())) <= 100, name


def test_every_suite_is_shown():
    targets = [shlex.split(line)[2] for line in COMMANDS if line.startswith("assay conformance")]
    declared = re.findall(r'= "(assay_example\.\w+:\w+)"', FILES["pyproject.toml"])

    assert sorted(targets) == sorted(declared)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder into which a wheel of the page's package is installed."""
    source = tmp_path_factory.mktemp("source")
    for name, text in {**FILES, "assay_example/__init__.py": ""}.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (wheel,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(source / "site")
    return source / "site"


@pytest.mark.slow
def test_every_command_of_the_page_works(site, mini, tmp_path):
    for name in ("suite.yaml", "cell.yaml"):
        (tmp_path / name).write_text(FILES[name])
    (tmp_path / "samples.xyz").write_text(MOLECULES * 3)
    lines = [shlex.split(line)[1:] for line in COMMANDS]
    done = subprocess.run(
        [sys.executable, "-c", RUN], input=json.dumps(lines), cwd=tmp_path, text=True,
        capture_output=True,
        env=os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, (site, ROOT / "platform"))),
            "ASSAY_CACHE": str(tmp_path / "cache"),
        },
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line for line, *_ in found] == lines
    for line, code, output, exception in found:
        assert code == 0, (line, output, exception)
        if line[0] == "conformance":
            assert "holds" in output
            assert "fails" not in output
    results = [json.loads(path.read_text()) for path in tmp_path.glob("runs/cells/*/result.json")]
    by_family = {result["cell"]["family"]: result for result in results}
    made = by_family["generation"]
    assert made["cell"]["variant"] == {
        "architecture": "plain_transformer", "process": "power_flow",
    }  # fmt: skip
    assert made["cell"]["settings"]["process"]["power"] == 2.0
    assert made["cell"]["data"]["name"] == "chains"
    assert made["provenance"]["packages"]["assay-example"] == "0.1.0"
    assert by_family["gyration"]["estimates"]["gyration/mean_absolute_error"]["n"] == 265
