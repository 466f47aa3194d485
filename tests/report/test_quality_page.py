"""Quality against seconds and steps, on the page."""

import json
from pathlib import Path
from typing import Any

import pytest

from assay import report
from assay.errors import DataError
from assay.report.studies import FILES, is_study, study_context
from assay.result import write_json
from tests.report.accessibility import findings
from tests.report.markup import parse
from tests.report.synthetic import estimate


def row(seed: int, validity: float, label: str = "gnn-diffusion", **more: Any) -> dict[str, Any]:
    found = {"edm/validity": estimate(validity), "edm/novelty": estimate(0.5, n=4)}
    plain = {name: each.model_dump() for name, each in found.items()}
    plain["edm/novelty"]["n"] = more.pop("novelties", 4)
    return {"label": label, "seed": seed, "estimates": plain, **more}


def write_curves(folder: Path) -> Path:
    """Two seeds of one model at two budgets, and the first seed in three numbers of steps."""
    budgets = [
        row(seed, 0.5 + 0.1 * seed + gain, training_seconds=seconds, samples=samples, flops=1e12)
        for gain, seconds, samples in ((0.0, 10.0, 500), (0.2, 20.0, 1000))
        for seed in (0, 1)
    ]
    steps = [
        row(0, 0.1 * count, steps=count, evaluations=2 * count, novelties=count - 1, provenance={})
        for count in (1, 2, 3)
    ]
    steps[2]["evaluations_are_least"] = True
    document = {"title": "GNN on mini", "budgets": budgets, "steps": steps}
    write_json(folder / "curves.json", document)
    return folder


def test_a_line_a_trained_model_along_both_axes(tmp_path):
    drawn = study_context("t1", write_curves(tmp_path))["charts"]["quality"]

    first, second = drawn["budgets"]
    assert (first["name"], second["name"]) == ("gnn-diffusion, seed 0", "gnn-diffusion, seed 1")
    assert second["style"] == [0, 1]
    assert first["x"] == {
        "training_seconds": [10.0, 20.0], "flops": [1e12, 1e12], "samples": [500, 1000],
    }  # fmt: skip
    assert [value for value, *_ in first["values"]["edm/validity"]] == pytest.approx([0.5, 0.7])
    half = estimate(0.5).high - 0.5
    assert first["values"]["edm/validity"][0][1:] == pytest.approx([0.5 - half, 0.5 + half])
    (steps,) = drawn["steps"]
    assert steps["x"] == {"evaluations": [2, 4, 6]}
    assert steps["values"]["edm/novelty"][0] is None
    assert drawn["metrics"]["edm/validity"] == {"title": "Validity", "fraction": True}


def test_it_has_its_place_on_the_familys_page_with_every_number(tmp_path, one_seed):
    folder = write_curves(tmp_path / "quality_gnn")
    assert is_study(folder)
    assert "curves.json" in FILES
    out = report.build([one_seed, folder], tmp_path / "report.html")
    document = parse(out.read_text())

    article = document.one("div", id="family-generation").one("article", id="t1")
    assert article.one("h2").text == "quality_gnn: quality against time and steps"
    chosen = [o.text for o in article.all("option") if "selected" in o.attributes]
    assert chosen == ["Validity"]
    trained, sampled = article.all("table")
    assert trained.one("tbody").all("tr")[3].text == (
        "gnn-diffusion 1 1.00 k 1.00 T 20.0 s 80.0 % [77.5, 82.5] 50.0 % [1.0, 99.0]"
    )
    assert [r.text.split(" ")[:4] for r in sampled.one("tbody").all("tr")] == [
        ["gnn-diffusion", "0", "1", "2"], ["gnn-diffusion", "0", "2", "4"],
        ["gnn-diffusion", "0", "3", "≥"],
    ]  # fmt: skip
    assert sampled.one("tbody").all("tr")[0].text.endswith("–")
    assert findings(document) == []


def test_alone_it_makes_a_page(tmp_path):
    folder = write_curves(tmp_path / "quality_gnn")
    document = parse(report.build([folder], tmp_path / "report.html").read_text())

    assert document.one("article", id="t1").one("figure").attributes["data-chart"] == "quality"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"title": "x", "budgets": []}, "steps"),
        ({"title": "x", "budgets": [], "steps": []}, "no cell is finished"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path, document, said):
    (tmp_path / "curves.json").write_text(json.dumps(document))

    with pytest.raises(DataError, match=rf"curves\.json.*{said}"):
        study_context("t1", tmp_path)
