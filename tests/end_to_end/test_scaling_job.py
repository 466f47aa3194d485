"""A ladder the whole way, on Ray: cells share their beginnings, and laws are fitted or refused."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.result import read_results

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_ladder_becomes_runs_and_laws(tmp_path):
    store = tmp_path / "runs"
    tiny = (
        "budget={samples: 160}", "training.batch_size=4", "training.warmup_steps=2",
        "settings.process.steps=3", "settings.evaluation_samples=12",
        "settings.validation_molecules=4", "ladder.records=[32, 64, 256]",
    )  # fmt: skip
    command = [
        sys.executable, "jobs/scaling_laws.py", "--storage", str(store), "--bootstraps", "100",
        *(word for each in tiny for word in ("--set", each)),
    ]  # fmt: skip
    here = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    here.pop("ASSAY_DATA", None)
    environment = {**here, "ASSAY_CACHE": str(tmp_path / "cache"), "RAY_AUTH_MODE": "token"}

    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )

    assert done.returncode == 0, done.stdout + done.stderr
    folder = store / "results" / "scaling_mini"
    results = read_results(folder)
    assert len(results) == 3 * 3 * 3
    assert any(result.provenance.shared_steps for result in results)
    law = folder / "laws" / "gnn-flow_matching.held_out.x_mse"
    rows = list(csv.DictReader(law.with_name(f"{law.name}.csv").open()))
    assert sorted({int(row["samples"]) for row in rows}) == [40, 80, 160]
    assert sorted({int(row["unique"]) for row in rows}) == [32, 40, 64, 80, 160]
    found = json.loads(law.with_name(f"{law.name}.json").read_text())
    assert found["provenance"]["n"] == len(rows) == 27
    assert {*found["metrics"], *found["refused"]} >= {"scaling/E", "scaling/alpha"}
