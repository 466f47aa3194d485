import json

import numpy as np
import pytest
from typer.testing import CliRunner

from assay.cli import app
from assay.errors import DataError
from tests.statistics.scaling.laws import CHINCHILLA, ladder


@pytest.fixture
def runs(tmp_path):
    found = ladder(CHINCHILLA, np.geomspace(5e7, 1.6e10, 5), np.geomspace(2e9, 4e11, 5), 0.002, 0)
    rows = zip(found.params_R, found.samples_R, found.loss_R, strict=True)
    path = tmp_path / "runs.csv"
    lines = [f"{N:.0f},{D:.0f},{L:.6f}" for N, D, L in rows]
    path.write_text("\n".join(["params,samples,loss", *lines]))
    return path


def test_a_law_is_printed_written_and_drawn(runs, tmp_path):
    out, page = tmp_path / "law.json", tmp_path / "law.html"

    result = CliRunner().invoke(
        app,
        ["scaling", "fit", str(runs), "--bootstraps", "100", "--json", str(out),
         "--figure", str(page)],
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert "L = E + A/N^alpha + B/D^beta, 25 runs" in result.output
    assert "flops: the runs have no such column" in result.output
    found = json.loads(out.read_text())
    alpha = found["metrics"]["scaling/alpha"]
    assert alpha["low"] <= CHINCHILLA["alpha"] <= alpha["high"]
    assert found["provenance"]["bootstraps"] == 100
    assert page.stat().st_size > 1_000_000  # with plotly in it: it needs no network


def test_a_dash_prints_json_and_nothing_else(runs):
    result = CliRunner().invoke(
        app, ["scaling", "fit", str(runs), "--bootstraps", "100", "--json", "-"]
    )

    assert json.loads(result.stdout)["provenance"]["runs"] == "runs.csv"


def test_what_the_runs_cannot_tell_is_one_sentence(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("params,samples,loss\n1,2,3\n")

    result = CliRunner().invoke(app, ["scaling", "fit", str(path)])

    assert isinstance(result.exception, DataError)
    assert str(result.exception) == (
        "the 5 parameters of L = E + A/N^alpha + B/D^beta need more than 5 runs, not 1"
    )
