"""Properties of what was generated, on the page."""

import json
from pathlib import Path

import numpy as np
import pytest

from assay import report
from assay.errors import DataError
from assay.generation.distributions import distributions
from assay.report.distributions import MOST_SHOWN, distribution_figures
from assay.report.folders import read_folder
from assay.report.leaderboard import leaderboard
from assay.report.told_apart import names
from assay.result import write_json
from tests.report.accessibility import findings
from tests.report.markup import parse
from tests.report.synthetic import write_suite

REAL = {"atoms": np.array([3.0, 3, 5]), "logp": np.array([0.0, 1, 2, 3])}


def write_distributions(folder: Path, **suite) -> None:
    """A suite each of whose cells has the same samples, but for one atom a place."""
    for place, of in enumerate(write_suite(folder, **suite)):
        made = {"atoms": np.array([2.0, 5, 9 + place]), "logp": np.array([-2.0, 0, 5, np.nan])}
        found = distributions(made, REAL, "mini, 3 records of the test split")
        write_json(folder / f"{of.provenance.cell_key}.distributions.json", found)


def test_every_model_stands_over_the_real_data(tmp_path):
    write_distributions(tmp_path)
    page = parse(report.build([tmp_path], tmp_path / "report.html").read_text())

    section = page.one("section", id="s1-distributions")
    assert "mini, 3 records of the test split" in section.text
    assert [o.text for o in section.all("option")] == ["Number of atoms", "logP"]
    atoms, logp = section.all("table")
    rows = [row.text for row in atoms.one("tbody").all("tr")]
    assert rows[0] == "real data 3 0 3 3 4 0 0"
    assert rows[1] == "gnn-flow_matching 3 0 3.5 5 7 0 1"
    assert len(rows) == 10
    heads = [head.text for head in logp.all("th", scope="col")]
    assert heads == ["Of", "Known", "Unknown", "25 %", "Median", "75 %", "Below -0.75",
                     "Above 3.75"]  # fmt: skip
    assert logp.one("tbody").all("tr")[1].text == "gnn-flow_matching 3 1 -1 0 2.5 1 1"
    assert page.all("a", href="#s1-distributions")
    assert findings(page) == []


def test_the_chart_is_given_counts_as_they_are(tmp_path):
    write_distributions(tmp_path)
    page = parse(report.build([tmp_path], tmp_path / "report.html").read_text())

    charts = json.loads(page.one("script", id="data").children[0])["charts"]["s1"]
    atoms = charts["distributions"][0]
    assert atoms["reference"] == {
        "edges": [1.5, 2.5, 3.5, 4.5, 5.5, 6.5], "within": [0, 2, 0, 1, 0], "known": 3,
    }  # fmt: skip
    assert atoms["lines"][1]["within"] == [1, 0, 0, 1, 0]
    assert atoms["lines"][1]["style"] == [0, 1]


def test_of_a_model_the_first_seed_is_shown_and_of_many_models_the_first(tmp_path):
    grid = {"architecture": [f"a{k}" for k in range(8)], "process": [f"p{k}" for k in range(6)]}
    write_distributions(tmp_path, grid=grid, seeds=(0, 1), with_samples=False, with_curves=False)
    folder = read_folder(tmp_path)
    rows = leaderboard(folder.results, folder.reference)

    found = distribution_figures(folder, rows, names(folder.results))

    assert found is not None
    assert len(found.charts["distributions"][0]["lines"]) == MOST_SHOWN
    assert found.left_out == 48 - MOST_SHOWN


def test_a_folder_without_the_files_shows_nothing(page):
    document = parse(page.read_text())

    assert not document.all(id="s1-distributions")
    assert not document.all("a", href="#s1-distributions")


def test_a_file_that_is_none_is_named(tmp_path):
    key = write_suite(tmp_path)[0].provenance.cell_key
    (tmp_path / f"{key}.distributions.json").write_text('{"reference": "mini"}')

    with pytest.raises(DataError, match=rf"{key}\.distributions\.json.*histograms"):
        report.build([tmp_path], tmp_path / "report.html")
