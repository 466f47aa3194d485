"""Curves of quality: rows are kept, and drawn with their intervals."""

import json

import pytest

from assay.report import curves
from assay.result import read_result


def nobody(phase, done):
    pass


def test_a_trained_cell_is_evaluated_once_for_every_number_of_steps(
    mini,
    trained_folder,
    tmp_path,
    monkeypatch,
):
    kept = tmp_path / "rows.json"
    rows = curves.of_steps(trained_folder, kept, [3, 5], nobody)

    assert [(row["steps"], row["evaluations"]) for row in rows] == [(3, 3), (5, 5)]
    assert rows[0]["estimates"]["edm/validity"]["n"] == 6
    published = read_result(trained_folder / "result.json")
    assert rows[0]["provenance"]["cell_key"] == published.provenance.cell_key
    assert json.loads(kept.read_text()) == rows
    evaluate = "assay.generation.task.GenerationTask.evaluate"
    monkeypatch.setattr(evaluate, lambda *given: pytest.fail("it was kept"))
    assert curves.of_steps(trained_folder, kept, [5, 3], nobody) == rows


def test_at_the_steps_of_training_it_is_the_published_result(mini, trained_folder, tmp_path):
    (row,) = curves.of_steps(trained_folder, tmp_path / "rows.json", [4], nobody)

    published = read_result(trained_folder / "result.json")
    assert row["estimates"] == {k: each.model_dump() for k, each in published.estimates.items()}


def test_both_curves_are_drawn_with_intervals(mini, trained_folder, tmp_path):
    budgets = curves.of_budget([read_result(trained_folder / "result.json")])
    steps = curves.of_steps(trained_folder, tmp_path / "rows.json", [3], nobody)
    document = {"title": "Two curves", "budgets": budgets, "steps": steps}

    traces = curves._traces(steps, "evaluations", "edm/validity", legend=True)
    curves.draw(document, ["edm/validity", "cdvae/validity"], tmp_path / "curves.html")

    (trace,) = traces
    estimate = steps[0]["estimates"]["edm/validity"]
    assert trace["x"] == [3]
    assert trace["y"] == [pytest.approx(100 * estimate["value"])]
    upper = trace["y"][0] + trace["error_y"]["array"][0]
    assert upper == pytest.approx(100 * estimate["high"])
    page = (tmp_path / "curves.html").read_text()
    assert "Two curves" in page
    assert "Validity, %" in page
    assert "COV-R" not in page
