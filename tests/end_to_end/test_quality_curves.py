"""Quality against budget and steps the whole way, on Ray."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_two_budgets_and_two_numbers_of_steps_become_curves(tmp_path):
    store = tmp_path / "runs"
    tiny = (
        "grid={architecture: [gnn], process: [flow_matching, diffusion]}", "budget={steps: 8}",
        "training.batch_size=4", "training.validations=1", "settings.process.steps=3",
        "settings.validation_molecules=4", "settings.evaluation_samples=12",
    )  # fmt: skip
    command = [
        sys.executable, "jobs/quality_curves.py", "--fractions", "0.5", "--steps", "2", "5",
        "--storage", str(store), *(word for each in tiny for word in ("--set", each)),
    ]  # fmt: skip
    here = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    here.pop("ASSAY_DATA", None)
    environment = {**here, "ASSAY_CACHE": str(tmp_path / "cache"), "RAY_AUTH_MODE": "token"}

    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )

    assert done.returncode == 0, done.stdout + done.stderr
    root = store / "results" / "grid_mini"
    document = json.loads((root / "curves.json").read_text())
    assert sorted((row["label"], row["samples"]) for row in document["budgets"]) == [
        ("gnn-diffusion", 16), ("gnn-diffusion", 32),
        ("gnn-flow_matching", 16), ("gnn-flow_matching", 32),
    ]  # fmt: skip
    assert sorted((row["label"], row["evaluations"]) for row in document["steps"]) == [
        ("gnn-diffusion", 2), ("gnn-diffusion", 5),
        ("gnn-flow_matching", 2), ("gnn-flow_matching", 5),
    ]  # fmt: skip
    assert all(row["estimates"]["edm/validity"]["n"] == 12 for row in document["steps"])
    assert "Validity, %" in (root / "curves.html").read_text()
