"""Figures of the pages are what their commands draw from the published results, captions too."""

import re
import shlex

import pytest
from typer.testing import CliRunner

from assay.cli import app
from tests.docs.blocks import SHELL, of
from tests.test_cli import ROOT

FIGURES = ROOT / "docs" / "figures"
SHOWN = re.compile(r"^!\[[^\]]{20,}\]\((figures/[\w.]+)\)$", re.MULTILINE)
"""A figure, with words for those who do not see it."""


def commands() -> dict[str, tuple[str, list[str]]]:
    """Return by a figure's file the page that has its command, and the command's words."""
    found = {}
    for block in of(*SHELL):
        for line in block.text.splitlines():
            if not line.startswith("assay plot "):
                continue
            words = shlex.split(line)
            if words[-1].startswith("docs/figures/"):
                found[words[-1].removeprefix("docs/")] = (block.page, words[1:])
    return found


def test_every_figure_is_shown_once_and_has_its_command():
    pages = sorted((ROOT / "docs").glob("*.md"))
    shown = [
        (file, f"docs/{page.name}") for page in pages for file in SHOWN.findall(page.read_text())
    ]

    assert len(shown) >= 3
    assert sorted(shown) == sorted((file, page) for file, (page, _) in commands().items())
    assert sorted(file for file, _ in shown) == sorted(
        f"figures/{path.name}" for path in FIGURES.iterdir()
    )


@pytest.mark.parametrize("file", commands())
def test_a_figure_and_what_stands_below_it_are_those_of_the_results(file, tmp_path, monkeypatch):
    page, words = commands()[file]
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(app, [*words[:-1], str(tmp_path / "figure.svg")])

    assert done.exit_code == 0, done.output
    drawn = (tmp_path / "figure.svg").read_text("utf-8")
    assert drawn == (ROOT / "docs" / file).read_text("utf-8"), f"run: assay {shlex.join(words)}"
    text = " ".join((ROOT / page).read_text("utf-8").split())
    assert " ".join(done.stdout.split()) in text, f"{page} lacks: {done.stdout}"
