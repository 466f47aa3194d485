"""Every job's help has its exit codes, and examples that its own parser takes."""

import re

import pytest

from tests.docs import programs
from tests.docs.shell import commands_of
from tests.test_cli import ROOT

JOBS = sorted(path for path in (ROOT / "jobs").glob("*.py") if not path.stem.startswith("_"))


def examples_of(text: str) -> list[str]:
    """Return the commands of a help; what stands behind two spaces says what one is for."""
    below = text.partition("examples:\n")[2].partition("\n\n")[0]
    lines = re.sub(r" *\\\n *", " ", below).splitlines()
    return [re.split(" {2,}", line.strip())[0] for line in lines]


def test_an_example_goes_on_behind_a_backslash_and_ends_before_its_remark():
    text = "What.\n\nexamples:\n  a b \\\n      --c d\n  e 'f g'     a remark\n\nexit codes: 0"

    assert examples_of(text) == ["a b --c d", "e 'f g'"]


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_a_jobs_help_has_its_exit_codes_and_examples_that_parse(path, capsys):
    with pytest.raises(SystemExit, match="0"):
        programs.module_of(path).parse(["--help"])
    shown = capsys.readouterr().out

    examples = examples_of(shown)
    assert any(f"jobs/{path.name}" in each for each in examples)
    for example in examples:
        for words in commands_of(example):
            programs.check(words)
    codes = " ".join(shown.partition("exit codes:")[2].split())
    assert re.fullmatch(r"0 .+, 1 .+, 2 bad input, 130 stopped", codes)
