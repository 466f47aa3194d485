"""N steps, kill -9 and N steps end where 2N steps do, bit for bit, for every cell of the grid."""

import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from safetensors.torch import load_file

from assay.cell import Suite, load_suite
from assay.runner import cell_directory, run_cell
from assay.store import sets
from assay.training.execution import Execution

SUITE = Path(__file__).parents[2] / "sweeps" / "grid_mini.yaml"
TINY = (
    "budget={steps: 12}",
    "training={batch_size: 8, validations: 2}",
    "settings={network: {size: xs}, process: {steps: 4}, validation_molecules: 8, "
    "evaluation_samples: 4}",
    "rules=[]",
)
FAST = ("gnn-flow_matching",)
"""The others take up to half a minute each."""
LABELS = [
    pytest.param(cell.label, marks=[] if cell.label in FAST else [pytest.mark.slow])
    for cell in load_suite(SUITE, TINY).cells("0" * 32)
]


def run(label: str, storage: Path, kill_at: int | None, environment: dict[str, str]) -> None:
    """What the child process does: the cell, and SIGKILL to itself in the middle of a step."""
    import torch

    os.environ.clear()  # the server's own, from whatever test first asked for it
    os.environ.update(environment)
    suite: Suite = load_suite(SUITE, TINY)
    cells = suite.cells(sets.open_set("mini").digest)
    cell = next(cell for cell in cells if cell.label == label)
    if kill_at is not None:
        step = torch.optim.AdamW.step
        calls = iter(range(1, 1000))

        def fatal_step(self, *args):
            if next(calls) == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(self, *args)

        torch.optim.AdamW.step = fatal_step
    run_cell(cell, Execution(checkpoint_seconds=0), storage, lambda report: None)


@pytest.fixture(scope="module")
def processes():
    """Children are forked from a server that has imported torch once and computed nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["assay.generation.task", "assay.runner"])
    return context


def run_in_child(processes, label: str, storage: Path, kill_at: int | None = None) -> int | None:
    child = processes.Process(target=run, args=(label, storage, kill_at, dict(os.environ)))
    child.start()
    child.join(120)
    return child.exitcode


@pytest.mark.parametrize("label", LABELS)
def test_a_killed_cell_carries_on_bit_for_bit(label, processes, mini, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run_in_child(processes, label, whole) == 0
    assert run_in_child(processes, label, killed, kill_at=7) == -signal.SIGKILL
    (key,) = [path.name for path in (whole / "cells").iterdir() if path.is_dir()]
    assert not (cell_directory(killed, key) / "result.json").exists()

    assert run_in_child(processes, label, killed) == 0

    ends = [cell_directory(storage, key) / "checkpoints" for storage in (whole, killed)]
    for group in ("model", "ema", "optimizer"):
        expected, found = (
            load_file(end / "step-000000012" / f"{group}.safetensors") for end in ends
        )
        assert expected.keys() == found.keys()
        for name, tensor in expected.items():
            assert tensor.equal(found[name]), f"{group}: {name}"
    results = [
        json.loads((cell_directory(storage, key) / "result.json").read_text())
        for storage in (whole, killed)
    ]
    assert results[0]["estimates"] == results[1]["estimates"]
    assert results[0]["cost"]["flops"] == results[1]["cost"]["flops"]
    assert [result["provenance"]["resumed"] for result in results] == [0, 1]
