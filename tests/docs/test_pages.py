"""What pages say of the code is so: messages, licences, equations' functions, numbers."""

import ast
import json
import re
from functools import cache

import pytest
from typer.testing import CliRunner

from assay import catalog
from assay.cli import app
from assay.errors import AssayError
from tests.docs.blocks import of
from tests.test_cli import ROOT

LEAST_LETTERS = 12
"""A pattern with fewer letters of its own would fit any sentence."""


@cache
def patterns() -> list[re.Pattern[str]]:
    """Return every text of the package that could be a sentence, values being anything."""
    found = set()
    for path in (ROOT / "platform" / "assay").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.add(_pattern(node))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(re.escape(node.value))
    makefile = re.findall(r'echo "([^"]+)"', (ROOT / "Makefile").read_text())
    found |= {re.escape(each) for each in makefile}
    return [re.compile(each, re.DOTALL) for each in found if _letters(each) >= LEAST_LETTERS]


def _pattern(node: ast.JoinedStr) -> str:
    return "".join(
        re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*?"
        for part in node.values
    )


def _letters(pattern: str) -> int:
    return len(re.findall("[a-z]", pattern.replace(".*?", "")))


def is_said(message: str) -> bool:
    """Say whether the code can say this, behind the place that an outer frame puts before it."""
    ends = [0, *(found.end() for found in re.finditer(": ", message))]
    return any(each.fullmatch(message, end) for each in patterns() for end in ends)


PROVOKED = {
    "29d5: no such cell in runs/cells or results; give another --storage or --published":
        ["show", "29d5"],
    "cannot be read (No such file or directory); did you mean 'mini.yaml'?":
        ["train", "mine.yaml"],
    "unknown data set 'qm_9'; did you mean 'qm9'?": ["data", "verify", "qm_9"],
    "unknown key 'budgets'; did you mean 'budget'?": ["train", "mini.yaml", "--cell", "a"],
    "--set 'training.ema': expected key=value, such as training.ema=0.99":
        ["train", "mini.yaml", "--set", "training.ema"],
    "samples.pdb: unknown kind of file '.pdb'; give one of .xyz, .extxyz, .sdf, .npz":
        ["evaluate", "molecules", "samples.pdb"],
}  # fmt: skip
"""Messages, or the ends of them, by what makes the command line say them."""


@pytest.mark.parametrize("block", of("error"), ids=str)
def test_every_message_of_the_troubleshooting_is_the_codes_own(block):
    assert is_said(block.text) or any(block.text.endswith(each) for each in PROVOKED), block.text


def test_a_message_that_nothing_says_is_noticed():
    assert not is_said("storage /mnt: is full (12 MiB free); buy a disk")
    assert not is_said("sweeps/mine.yaml: it went wrong")


@pytest.mark.parametrize("message", PROVOKED)
def test_messages_are_said_as_they_are_quoted(message, tmp_path, monkeypatch):
    assert any(block.text.endswith(message) for block in of("error"))
    monkeypatch.chdir(tmp_path)
    suite = (ROOT / "sweeps" / "grid_mini.yaml").read_text().replace("budget:", "budgets:")
    (tmp_path / "mini.yaml").write_text(suite)

    done = CliRunner().invoke(app, PROVOKED[message])

    assert isinstance(done.exception, AssayError)
    assert str(done.exception).endswith(message)


def rows_of(page: str, table: int) -> list[list[str]]:
    """Return the cells of a page's table, counted from 0, heading included."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    lines = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)[table].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_data_set_has_its_licence_on_the_page():
    told = {
        name: row[1]
        for row in rows_of("licences.md", 0)
        for name in re.findall(r"`([^`]+)`", row[0])
    }
    entries = {**catalog.DATA_SETS, **catalog.ASSETS}
    known = {name: catalog.load(target).licence for name, target in entries.items()}

    assert {name: told.get(name) for name in known} == known


def test_every_folder_of_data_has_its_origin_on_the_page():
    told = {row[0].strip("`") for row in rows_of("licences.md", 1)}
    sets = [catalog.load(each) for each in (*catalog.DATA_SETS.values(), *catalog.ASSETS.values())]
    folders = {
        getattr(each, "folder", None) or each.name
        for each in sets if getattr(each, "upstream", "") is not None
    }  # fmt: skip

    assert folders <= told


def test_numbers_of_the_page_about_leaderboards_are_those_of_the_results():
    page = (ROOT / "docs" / "leaderboard.md").read_text("utf-8")
    reference = json.loads((ROOT / "results" / "grid_qm9" / "reference.json").read_text())
    stable = reference["estimates"]["edm/molecule_stability"]["value"]

    assert f"QM9 itself has {stable:.3f} stable molecules" in page
    assert (ROOT / "results" / "grid_qm9" / "29d4abe38306a4c2.json").exists()


def test_every_function_that_an_equation_names_is_there():
    page = (ROOT / "docs" / "equations.md").read_text("utf-8")
    named = re.findall(r"`(assay(?:\.\w+)+)`", page)

    assert len(set(named)) > 15
    for name in named:
        module, _, attribute = name.rpartition(".")
        assert catalog.load(f"{module}:{attribute}") is not None
