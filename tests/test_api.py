"""The Python API: a cell run, samples scored, results as a tidy frame; and the notebook."""

import ast
import json
import os
import subprocess
import sys

import pytest

import assay
from assay.errors import ConfigError
from assay.result import read_result
from assay.task import Estimate
from tests.report.synthetic import write_suite
from tests.test_cli import MINI, ROOT
from tests.test_submission import MOLECULES

NOTEBOOK = ROOT / "docs" / "quickstart.ipynb"
MOST_LINES = 10
TWO_STEPS = (
    "budget={steps: 2}", "training={batch_size: 8, validations: 0}", "rules=[]",
    "settings={network: {size: xs}, process: {steps: 2}, evaluation_samples: 4}",
)  # fmt: skip


def test_a_cell_of_a_suite_is_run_and_again_reused(mini, tmp_path):
    cells = assay.cells(MINI, *TWO_STEPS)

    result = assay.run(cells["gnn-diffusion s0"], storage=tmp_path)
    again = assay.run(cells["gnn-diffusion s0"].model_dump(mode="json"), storage=tmp_path)
    frame = assay.results(tmp_path)

    assert len(cells) == 9
    assert again == result
    assert set(frame.metric) == result.estimates.keys()
    line = frame.set_index("metric").loc["edm/validity"]
    assert line.value == result.estimates["edm/validity"].value
    assert (line.architecture, line.process, line.seed) == ("gnn", "diffusion", 0)
    assert (line.steps, line.cell_key) == (2, result.provenance.cell_key)


def test_results_are_a_row_for_every_metric_of_every_cell(tmp_path):
    written = write_suite(tmp_path / "results" / "grid_mini", seeds=(0, 1))

    frame = assay.results(tmp_path / "results" / "grid_mini")

    assert len(frame) == 18 * 6
    assert set(Estimate.model_fields) <= set(frame.columns)
    assert frame.equals(assay.results(tmp_path / "results"))  # a folder of suites' folders
    one = assay.results(
        tmp_path / "results" / "grid_mini" / f"{written[0].provenance.cell_key}.json"
    )
    assert set(one.name) == {"gnn-flow_matching"}
    best = frame[frame.metric == "edm/validity"].groupby("architecture").value.mean()
    assert best.idxmax() == "gnn"


def test_a_place_without_results_is_refused_in_words(tmp_path):
    (tmp_path / "cells").mkdir()

    with pytest.raises(ConfigError, match="holds no finished cell yet"):
        assay.results(tmp_path)
    with pytest.raises(ConfigError, match="there is no such file or folder"):
        assay.results(tmp_path / "nowhere")


def test_samples_are_scored_as_the_command_does(mini, tmp_path):
    (tmp_path / "samples.xyz").write_text(MOLECULES * 3)

    frame = assay.evaluate("molecules", tmp_path / "samples.xyz", protocols=["edm"])

    assert frame.loc["edm/validity", ["value", "n"]].tolist() == [1.0, 3]
    assert frame.loc["edm/uniqueness", "value"] == pytest.approx(1 / 3)
    assert frame.attrs["rejected"] == []
    assert frame.attrs["provenance"]["protocols"] == {"edm": "1"}
    with pytest.raises(ConfigError, match="did you mean 'molecules'"):
        assay.evaluate("molecule", tmp_path / "samples.xyz")
    with pytest.raises(ConfigError, match="leave out the reference"):
        assay.evaluate("captions", tmp_path / "samples.xyz", reference="chebi20")
    with pytest.raises(ConfigError, match="molecules: have no energies"):
        assay.evaluate("molecules", tmp_path / "samples.xyz", energies="chgnet")
    with pytest.raises(ConfigError, match="potential 'chgnt'; did you mean 'chgnet'"):
        assay.evaluate("crystals", tmp_path / "samples.xyz", energies="chgnt")


def test_the_api_is_what_the_package_says_it_is():
    assert {name for name in assay.__all__ if callable(getattr(assay, name))} == {
        "cells", "evaluate", "results", "run",
    }  # fmt: skip
    assert set(assay.__all__) <= set(dir(assay))
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        assay.runn  # noqa: B018


def code_cells() -> list[str]:
    notebook = json.loads(NOTEBOOK.read_text())
    assert (notebook["nbformat"], notebook["metadata"]["kernelspec"]["name"]) == (4, "python3")
    return ["".join(each["source"]) for each in notebook["cells"] if each["cell_type"] == "code"]


def test_the_notebook_goes_from_nothing_to_a_figure_in_ten_lines():
    code = "\n".join(code_cells())

    assert len([line for line in code.splitlines() if line.strip()]) <= MOST_LINES
    used = {
        node.attr for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "assay"
    }  # fmt: skip
    assert used == {"cells", "results", "run"}


def test_every_line_of_the_notebook_runs_with_cells_of_two_steps(two_steps, monkeypatch):
    monkeypatch.chdir(two_steps / "docs")
    found = {}

    for number, code in enumerate(code_cells(), start=1):
        exec(compile(code, f"cell {number} of {NOTEBOOK.name}", "exec"), found)

    assert len(found["figure"].data[0].x) == 3
    assert "plotly" in (two_steps / "docs" / "figure.html").read_text()
    keys = {cell.key for cell in found["cells"].values()}
    assert {path.name for path in (two_steps / "docs/runs/cells").glob("????????????????")} == keys


@pytest.mark.slow
def test_the_notebook_runs(mini, tmp_path):
    """Its cells in order, in one process, as a kernel would.

    Not by nbclient: that needs ipykernel, ZeroMQ and a kernel on a port, some twenty packages, to
    execute ten lines that show nothing but their last value.
    """
    (tmp_path / "docs").mkdir()
    (tmp_path / "sweeps").symlink_to(ROOT / "sweeps")
    script = "\n".join([*code_cells(), "assert len(figure.data[0].x) == 3"])
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path / "docs", text=True, capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "platform"), "ASSAY_CACHE": str(mini)},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "plotly" in (tmp_path / "docs" / "figure.html").read_text()
    keys = [path.parent for path in (tmp_path / "docs" / "runs").glob("cells/*/result.json")]
    assert {read_result(each / "result.json").label for each in keys} == {
        "gnn-diffusion", "gnn-flow_matching", "gnn-stochastic_interpolant",
    }  # fmt: skip
