"""Treatments of missing structures the whole way: a suite a table on Ray, compared."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.result import read_results

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_a_table_of_structures_is_run_compared_and_found_again(tmp_path):
    store = tmp_path / "runs"
    tiny = ("budget={steps: 40}", "seeds=[0, 1]", "grid.nodes=[ids, zeros, fallback]")
    overrides = [word for each in tiny for word in ("--set", each)]
    command = [
        sys.executable, "jobs/link_prediction.py", "--structures", "study", "--storage", str(store),
    ]  # fmt: skip
    here = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    here.pop("ASSAY_DATA", None)
    environment = {**here, "ASSAY_CACHE": str(tmp_path / "cache"), "RAY_AUTH_MODE": "token"}

    first, again = (
        subprocess.run(
            [*command, *overrides], cwd=ROOT, env=environment, capture_output=True, text=True,
            timeout=600,
        )
        for _ in range(2)
    )  # fmt: skip

    assert first.returncode == 0, first.stdout + first.stderr
    folder = store / "results" / "links_mini_treatments" / "links_mini_treatments_study"
    found = read_results(folder)
    assert len(found) == 6
    assert {result.label for result in found} == {"gcn-ids", "gcn-zeros", "gcn-fallback"}
    assert all("coverage/hits_at_20_none" in result.estimates for result in found)
    comparison = json.loads((folder / "comparison.json").read_text())
    assert comparison["figure"] == "ogb/hits_at_20"
    assert len(comparison["models"]) == 3
    assert (folder / "comparison.html").stat().st_size > 10_000
    assert "6 of 6 cells are finished already and reused" in again.stdout, again.stderr
