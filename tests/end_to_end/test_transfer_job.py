"""The study of transfer the whole way: four arms of one target on Ray, compared."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.report.transfer import ARMS
from assay.result import read_results

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_four_arms_become_four_suites_and_one_comparison(tmp_path):
    store = tmp_path / "runs"
    tiny = (
        "budget={flops: 2.0e+9}", "seeds=[0, 1]", "training.batch_size=4",
        "training.validations=1", "settings.process.steps=3", "settings.validation_molecules=4",
        "settings.evaluation_samples=12",
    )  # fmt: skip
    overrides = [word for each in tiny for word in ("--set", each)]
    command = [sys.executable, "jobs/transfer.py", "--only", "mini", "--storage", str(store)]
    here = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    here.pop("ASSAY_DATA", None)
    environment = {**here, "ASSAY_CACHE": str(tmp_path / "cache"), "RAY_AUTH_MODE": "token"}

    done = subprocess.run(
        [*command, *overrides], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    root = store / "results" / "transfer_mini"
    arms = {arm: read_results(root / f"transfer_mini_mini_{arm}") for arm in ARMS}
    assert all([result.cell["seed"] for result in found] == [0, 1] for found in arms.values())
    flops = {arm: [result.cost.flops for result in found] for arm, found in arms.items()}
    for arm in ("before", "along"):
        for spent, scratch in zip(flops[arm], flops["scratch"], strict=True):
            assert spent == pytest.approx(scratch, rel=0.15)  # of a few steps, one more or less
    assert arms["before"][0].cell["settings"]["source"]["name"] == "mini_crystals"
    rows = json.loads((root / "transfer.json").read_text())["rows"]
    stable = [row for row in rows if row["metric"] == "edm/atom_stability"]
    assert [row["arm"] for row in stable] == list(ARMS)
    ends = [(row["low"], row["mean"], row["high"]) for row in stable if row["low"] is not None]
    assert all(low <= mean <= high for low, mean, high in ends)
    assert "mini, from mini_crystals" in done.stdout
