"""The captioning family the whole way: its suite on Ray, baselines that take no step, controls."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.result import read_reference, read_results

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_generators_become_results_captions_and_controls(tmp_path):
    store = tmp_path / "runs"
    tiny = ("budget={steps: 20}", "settings.evaluation_molecules=12")
    command = [
        sys.executable, "jobs/captioning.py", "--storage", str(store),
        *(word for each in tiny for word in ("--set", each)),
    ]  # fmt: skip
    here = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    here.pop("ASSAY_DATA", None)
    environment = {**here, "ASSAY_CACHE": str(tmp_path / "cache"), "RAY_AUTH_MODE": "token"}

    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )

    assert done.returncode == 0, done.stdout + done.stderr
    folder = store / "results" / "captions_mini"
    found = read_results(folder)
    controls = [r for r in found if r.cell["settings"]["generator"].get("graphs") == "shuffled"]
    results = {result.label: result for result in found if result not in controls}
    assert set(results) == {"latent_prefix", "retrieval", "random_caption"}
    assert {label: result.cost.steps for label, result in results.items()} == {
        "latent_prefix": 20, "retrieval": 0, "random_caption": 0,
    }  # fmt: skip
    for result in found:
        lines = (folder / f"{result.provenance.cell_key}.captions.jsonl").read_text().splitlines()
        assert len(lines) == 12
    reference = read_reference(folder)
    assert reference is not None
    assert reference.name == "caption of the nearest training molecule"
    (control,) = controls
    assert control.cost.training_seconds == results["latent_prefix"].cost.training_seconds
    assert "whitespace/bleu4" in control.estimates
    assert "graphs=shuffled" in done.stdout
