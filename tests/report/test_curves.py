"""Curves of quality: rows are kept, and drawn with their intervals."""

import json
import shutil

import pytest
import torch

from assay.errors import ConfigError, MachineError
from assay.report import curves
from assay.result import read_result, write_json
from tests.jobs import FOLDER, module_of
from tests.test_cell import ROOT


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


def as_made(trained_folder, folder, **made):
    """A copy of the trained cell whose result was made otherwise."""
    shutil.copytree(trained_folder, folder)
    published = read_result(folder / "result.json")
    provenance = published.provenance.model_copy(update=made)
    write_json(folder / "result.json", published.model_copy(update={"provenance": provenance}))
    return folder


def test_what_was_kept_of_older_weights_is_computed_again(mini, trained_folder, tmp_path):
    kept = tmp_path / "rows.json"
    (before,) = curves.of_steps(trained_folder, kept, [3], nobody)
    later = as_made(trained_folder, tmp_path / "cell", created_utc="2999-01-01T00:00:00+00:00")

    write_json(kept, [before | {"label": "of older weights"}])
    (after,) = curves.of_steps(later, kept, [3], nobody)

    assert after["label"] == before["label"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_cell_of_a_gpu_is_not_sampled_on_the_cpu(mini, trained_folder, tmp_path):
    of_gpu = as_made(trained_folder, tmp_path / "cell", device="NVIDIA H200")

    with pytest.raises(MachineError, match="no CUDA device"):
        curves.of_steps(of_gpu, tmp_path / "rows.json", [3], nobody)


def test_guidance_looks_twice(mini, trained_folder, tmp_path, monkeypatch):
    guided = "assay.generation.task.GenerationTask.is_guided"
    monkeypatch.setattr(guided, property(lambda task: True))
    monkeypatch.setattr("assay.generation.task.GenerationTask.evaluate", lambda *given: {})

    (row,) = curves.of_steps(trained_folder, tmp_path / "rows.json", [3], nobody)

    assert row["evaluations"] == 6


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


def test_rungs_of_a_ladder_are_no_points_of_a_curve(tmp_path):
    job = module_of(FOLDER / "quality_curves.py")
    given = job.parse(
        ["--suite", str(ROOT / "sweeps" / "scaling_mini.yaml"), "--storage", str(tmp_path)]
    )

    with pytest.raises(ConfigError, match=r"scaling_mini\.yaml: has a ladder.*scaling_laws\.py"):
        job.run(given)
