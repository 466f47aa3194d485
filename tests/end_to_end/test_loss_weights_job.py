"""Ways of weighing losses the whole way: searched on Ray Tune, run on new seeds, told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.report.loss_weights_arms import OWN
from assay.search import SearchRecord

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
@pytest.mark.timeout(2400)  # some 60 short runs: seven minutes alone on two cores
def test_every_way_is_searched_run_again_and_compared(tmp_path):
    store = tmp_path / "runs"
    tiny = ("budget={steps: 4}", "search.trials=2", "search.startup=1", "seeds=[0]")
    command = [
        sys.executable, "jobs/loss_weights.py", "--storage", str(store),
        *(word for each in tiny for word in ("--set", each)),
    ]  # fmt: skip
    here = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    here.pop("ASSAY_DATA", None)
    environment = {**here, "ASSAY_CACHE": str(tmp_path / "cache"), "RAY_AUTH_MODE": "token"}

    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=2300
    )

    assert done.returncode == 0, done.stdout + done.stderr
    root = store / "results" / "habitability_weights_mini"
    found = json.loads((root / "loss_weights.json").read_text())
    assert {way["name"] for way in found["ways"]} == {"tuned", "defaults", *OWN}
    for way in found["ways"]:
        assert way["complete"] == 2
        assert way["again"]["habitability/mae"]["low"] is not None
    for way in ("tuned", *OWN, "single_classification", "single_reconstruction"):
        record = json.loads((root / way / "search" / "search.json").read_text())
        assert len(SearchRecord.model_validate(record).studies[0].trials) == 2
    assert "Is tuning the weights worth it here?" in " ".join(done.stdout.split())
    assert (store / "report.html").exists()
