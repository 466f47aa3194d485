"""Every help has an example that is a command, and its exit codes; the shell completes."""

import re
import shlex
from collections.abc import Iterator

import pytest
import typer.main
from typer.testing import CliRunner

from assay import catalog
from assay.cli import app
from assay.cli_options import STOPPED, exit_codes
from assay.cluster.drills.catalog import DRILLS
from tests.report.synthetic import write_suite
from tests.test_cli import MINI, ROOT

ROOT_COMMAND = typer.main.get_command(app)


def everything(command=ROOT_COMMAND, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command and every group of commands, `assay` itself first."""
    yield words
    for name, below in getattr(command, "commands", {}).items():
        yield from everything(below, (*words, name))


def is_group(words: tuple[str, ...]) -> bool:
    return hasattr(found(words), "commands")


def commands() -> list[tuple[str, ...]]:
    return [words for words in everything() if not is_group(words)]


def groups() -> list[tuple[str, ...]]:
    return [words for words in everything() if is_group(words)]


def found(words):
    command = ROOT_COMMAND
    for word in words:
        command = command.commands[word]
    return command


def parsed(words: list[str]):
    """Parse a command line as the shell would give it; nothing is run."""
    command, context = ROOT_COMMAND, None
    while hasattr(command, "commands"):
        context = command.make_context(words[0], [], parent=context, resilient_parsing=True)
        command, words = command.commands[words[0]], words[1:]
    return command.make_context("", words, parent=context)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_help_has_its_exit_codes_and_examples_that_parse(words):
    command = found(words)

    examples = re.findall(r"Example: `assay ([^`]+)`", command.help)
    assert examples
    for example in examples:
        assert tuple(shlex.split(example)[: len(words)]) == words
        parsed(shlex.split(example))
    assert re.search(r"Exit codes: 0 done, .*2 bad input", command.epilog)


@pytest.mark.parametrize("words", groups(), ids=lambda words: " ".join(("assay", *words)))
def test_a_groups_help_has_its_exit_codes_and_an_example_that_parses(words):
    shown = found(words).epilog

    (example,) = re.findall(r"Example: `assay ([^`]+)`", shown)
    assert tuple(shlex.split(example)[: len(words)]) == words
    parsed(shlex.split(example))
    assert re.search(rf"Exit codes: 0 done, .*2 bad input.*, {STOPPED} stopped", shown)


def test_all_groups_are_looked_at():
    assert groups() == [(), ("data",), ("evaluate",), ("scaling",)]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_json(words):
    options = {name for each in found(words).params for name in each.opts}

    assert "--json" in options


def test_an_example_that_is_none_would_be_noticed():
    with pytest.raises(Exception, match="such option"):
        parsed(["show", "29d4", "--jsonn"])


def test_the_page_about_the_command_line_has_every_command_and_exit_code():
    page = (ROOT / "docs" / "cli.md").read_text()

    for words in commands():
        assert f"assay {' '.join(words)}" in page
    assert f"| {STOPPED} |" in page
    assert str(STOPPED) in exit_codes()


def completed(*words: str, incomplete: str = "") -> list[str]:
    """Return what bash would be offered after these words."""
    line = shlex.join(["assay", *words, *([incomplete] if incomplete else [])])
    asked = {"_ASSAY_COMPLETE": "complete_bash", "COMP_WORDS": line}
    asked["COMP_CWORD"] = str(len(words) + 1)
    return CliRunner().invoke(app, [], env=asked, prog_name="assay").stdout.split()


def test_data_sets_and_drills_are_completed_from_their_catalogs():
    everything = {*catalog.DATA_SETS, *catalog.ASSETS}
    assert set(completed("data", "prepare")) == everything
    assert completed("data", "verify", incomplete="mini_c") == ["mini_captions", "mini_crystals"]
    assert completed("drill") == [*DRILLS, "all"]
    assert completed("drill", incomplete="kill-w") == ["kill-worker"]
    assert set(completed("evaluate", "pathways", "a.jsonl", "--reference")) == everything


def test_the_cells_of_a_suite_are_completed_from_its_page():
    assert completed("train", MINI, "--cell", incomplete="gnn-d") == ["gnn-diffusion"]
    assert len(completed("train", MINI, "--cell")) == 9
    assert completed("train", "nowhere.yaml", "--cell") == []


def test_keys_of_cells_are_completed_from_what_is_stored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = write_suite(tmp_path / "results" / "grid_mini")
    keys = {each.provenance.cell_key for each in results}

    assert set(completed("show")) == keys
    assert set(completed("compare")) == set(completed("sample")) == keys
    first = min(keys)
    assert completed("show", incomplete=first[:12]) == [first]
