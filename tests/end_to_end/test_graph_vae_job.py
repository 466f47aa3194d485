"""The weights of a Graph VAE the whole way: searched on Ray Tune, run on new seeds, compared."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.result import read_reference, read_results

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_the_best_weights_are_run_beside_those_that_were_there(tmp_path):
    store = tmp_path / "runs"
    tiny = (
        "budget={steps: 10}", "search.trials=2", "search.startup=1", "seeds=[0]",
        "settings.validation_graphs=12", "settings.evaluation_graphs=12",
    )  # fmt: skip
    command = [
        sys.executable, "jobs/graph_vae.py", "--storage", str(store),
        *(word for each in tiny for word in ("--set", each)),
    ]  # fmt: skip
    here = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    here.pop("ASSAY_DATA", None)
    environment = {**here, "ASSAY_CACHE": str(tmp_path / "cache"), "RAY_AUTH_MODE": "token"}

    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )

    assert done.returncode == 0, done.stdout + done.stderr
    root = store / "results" / "pathways_mini_search"
    assert (root / "search" / "search.json").exists()
    (before,) = root.glob("*_before")
    results = read_results(before)
    for result in results:
        assert (before / f"{result.provenance.cell_key}.samples.jsonl").exists()
    reference = read_reference(before)
    assert reference is not None
    assert reference.name == "real data"
    comparison = json.loads((root / "comparison.json").read_text())
    assert comparison["figure"] == "reversed_edge/auc"
    assert len(comparison["models"]) == 2
    assert "Reversed-edge AUC" in (store / "report.html").read_text()
