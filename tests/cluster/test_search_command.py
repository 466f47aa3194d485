"""`jobs/search.py` before anything runs: what is understood, and what is said of the rest."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from assay.cell import load_suite
from tests.jobs import FOLDER, module_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def command():
    return module_of(FOLDER / "search.py")


def test_the_file_is_its_own_program():
    path = ROOT / "jobs" / "search.py"
    assert path.stat().st_mode & stat.S_IXUSR
    assert path.read_text().startswith("#!/usr/bin/env python\n")


def test_the_mini_search_is_understood():
    suite = load_suite(ROOT / "sweeps" / "search_mini.yaml")
    assert suite.search.total == 12
    assert suite.search.watched.metric == "val/loss"
    assert len(suite.cells("0" * 16)) == 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--suite", "sweeps/grid_mini.yaml"], "grid_mini: has no `search` section"),
        (["--set", "search.algorithm=nsga2"], "startup belongs to tpe; nsga2 has none"),
        (["--set", "resources.workers=2"], "a search runs each cell with one worker"),
        (["--set", "evaluation={cpus: 1}"], "a search runs each cell with one worker"),
        (["--optuna-storage", "nonsense"], "cannot be opened as Optuna's database"),
    ],
)
def test_bad_input_is_one_sentence(command, options, sentence, tmp_path, mini, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("ASSAY_OPTUNA_STORAGE", raising=False)
    code = command.main([*options, "--storage", str(tmp_path / "runs")])
    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1


def test_trials_must_be_a_count(command, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--trials", "0"])
    assert ended.value.code == 2
    assert "whole number of at least 1" in capsys.readouterr().err


def test_the_time_between_checkpoints_is_a_number_of_seconds(command, capsys):
    assert command.parse(["--checkpoint-seconds", "5"]).checkpoint_seconds == 5
    assert command.parse([]).checkpoint_seconds == 60
    for text in ("soon", "-1", "nan"):
        with pytest.raises(SystemExit):
            command.parse(["--checkpoint-seconds", text])
        assert f"expected a number of seconds, not '{text}'" in capsys.readouterr().err


def test_help_needs_no_ray():
    code = (
        f"import sys; sys.path.insert(0, {os.fspath(ROOT / 'jobs')!r}); import search\n"
        "try: search.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'ray', 'optuna', 'torch'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)
