"""The command line in a process of its own: Ctrl-C in the middle of a training, and pipes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from assay import catalog
from assay.lookup import find
from assay.result import read_metrics
from assay.runner import cell_directory, read_cell, run_cell
from assay.training.execution import Execution
from tests.report.synthetic import write_suite
from tests.test_cli import ROOT

ESCAPE = "\x1b"
CELL = """\
family: line
variant: {model: plain}
data: {name: mini}
seed: 0
budget: {steps: 300}
training: {batch_size: 16, validations: 2}
"""
SLOW = """\
import time
from assay import catalog
from tests.training.toy import ToyTask

class Slow(ToyTask):
    def loss(self, *given):
        time.sleep(0.01)
        return super().loss(*given)

catalog.FAMILIES = {**catalog.FAMILIES, "line": "sitecustomize:Slow"}
"""
"""On PYTHONPATH as sitecustomize.py: the toy family, slow enough to be stopped in its middle."""


def environment(*first: Path, **more: str) -> dict[str, str]:
    places = [*first, ROOT / "platform", ROOT]
    kept = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "NO_COLOR", "COLUMNS")}
    return kept | {"PYTHONPATH": os.pathsep.join(map(str, places)), **more}


def until(condition, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_ctrl_c_saves_the_state_says_how_to_carry_on_and_loses_nothing(mini, tmp_path, monkeypatch):
    families = {**catalog.FAMILIES, "line": "tests.training.toy:ToyTask"}
    monkeypatch.setattr(catalog, "FAMILIES", families)
    path, storage = tmp_path / "cell.yaml", tmp_path / "runs"
    path.write_text(CELL)
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    cell = read_cell(path)
    folder = cell_directory(storage, cell.key)
    log = folder / "metrics.jsonl"
    command = [sys.executable, "-m", "assay.cli", "train", str(path), "--storage", str(storage)]
    process = subprocess.Popen(
        command, cwd=tmp_path, text=True, env=environment(tmp_path),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        until(lambda: log.exists() and len(read_metrics(log)) >= 2)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=200)
    finally:
        process.kill()

    stored = find(cell.key, storage, tmp_path / "results")
    assert process.returncode == 130
    assert stored.state == "interrupted"
    assert stored.saved_step >= 6
    sentence = f"Stopped. The same command carries on from step {stored.saved_step:,}."
    assert sentence in " ".join(stderr.split())
    assert "Traceback" not in stderr
    assert ESCAPE not in stdout + stderr
    result = run_cell(cell, Execution(), storage, lambda report: None)
    whole = run_cell(cell, Execution(), tmp_path / "whole", lambda report: None)
    assert (result.cost.steps, result.provenance.resumed) == (300, 1)
    assert result.estimates == whole.estimates


def test_colours_are_for_terminals(tmp_path):
    (first, *_) = write_suite(tmp_path / "results" / "grid_mini")
    command = [sys.executable, "-m", "assay.cli", "show", first.provenance.cell_key]

    def shown(**more: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, text=True, env=environment(**more), capture_output=True
        )
        assert "finished" in done.stdout
        return done.stdout + done.stderr

    assert ESCAPE not in shown()
    assert ESCAPE in shown(FORCE_COLOR="1")
