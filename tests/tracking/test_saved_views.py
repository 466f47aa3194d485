"""MLflow's page of runs answers by a link which model is best, and at what cost."""

import json

from assay.tracking import Tracker, saved_views
from assay.tracking.saved_views import (
    CELLS,
    MODELS,
    PREFIX,
    Contents,
    estimates_of,
    groups_of,
)
from tests.tracking import toy

CONTENTS = Contents(
    groups=(("param", "architecture"), ("param", "process")),
    metrics=("fcd/fcd", "edm/validity"),
    headline="fcd/fcd",
    better="lower",
)


def states(tags) -> dict[str, dict]:
    """The state of the page by view, out of the envelopes that MLflow reads."""
    envelopes = {name: json.loads(text) for name, text in tags.items() if name.startswith(PREFIX)}
    assert all({"name", "createdAt", "updatedAt", "state"} == set(e) for e in envelopes.values())
    return {name.removeprefix(PREFIX): json.loads(e["state"]) for name, e in envelopes.items()}


def test_cells_are_in_the_order_of_the_headline_with_its_interval_and_cost():
    page = states(saved_views.saved_views(CONTENTS, 7))[CELLS]
    assert page["orderByKey"] == "metrics.`final/fcd/fcd`"
    assert page["orderByAsc"] is True
    finished = "tags.`assay.level` = 'cell' and attributes.status = 'FINISHED'"
    assert page["searchFilter"] == finished
    assert page["columnOrder"] == page["selectedColumns"] == [
        "params.`architecture`", "params.`process`", "params.`seed`",
        "metrics.`final/fcd/fcd`", "metrics.`final/fcd/fcd_low`", "metrics.`final/fcd/fcd_high`",
        "metrics.`cost/parameters`", "metrics.`cost/flops`", "metrics.`cost/training_seconds`",
        "metrics.`cost/peak_memory_bytes`", "metrics.`final/edm/validity`",
    ]  # fmt: skip
    assert page["groupBy"] is None


def test_models_are_means_over_seeds_drawn_against_each_cost():
    page = states(saved_views.saved_views(CONTENTS, 7))[MODELS]
    assert page["groupBy"] == {
        "aggregateFunction": "average",
        "groupByKeys": [
            {"mode": "param", "groupByData": "architecture"},
            {"mode": "param", "groupByData": "process"},
        ],
    }
    # The mean of intervals' ends is no interval.
    assert not [each for each in page["columnOrder"] if "_low" in each or "_high" in each]
    charts = page["compareRunCharts"]
    drawn = [(each["xaxis"]["key"], each["yaxis"]["key"]) for each in charts if "xaxis" in each]
    assert drawn == [(f"cost/{cost}", "final/fcd/fcd") for cost in saved_views.COSTS]
    sections = {each["uuid"] for each in page["compareRunSections"]}
    assert {each["metricSectionId"] for each in charts} == sections
    assert len({each["uuid"] for each in charts}) == len(charts)


def test_one_model_is_not_grouped():
    alone = Contents(groups=(), metrics=("fcd/fcd",), headline="fcd/fcd", better="lower")
    assert states(saved_views.saved_views(alone, 7))[MODELS]["groupBy"] is None


def test_models_are_told_apart_by_what_differs_but_seeds():
    one = {"family": "toy", "architecture": "gnn", "seed": "0", "network": "width=4"}
    other = {**one, "seed": "1", "network": "width=8"}
    assert groups_of([(one, {}), (other, {})]) == (("param", "network"),)
    assert groups_of([(one, {}), ({**other, "size": "s"}, {})]) == (("param", "size"),)
    assert groups_of([(one, {}), ({**one, "seed": "1"}, {})]) == ()


def test_cells_of_a_search_are_told_apart_by_their_trial():
    tagged = [({"seed": "0"}, {"assay.study": "a", "assay.trial": str(k)}) for k in (0, 1)]
    assert groups_of(tagged) == (("tag", "assay.study"), ("tag", "assay.trial"))
    contents = Contents(groups_of(tagged), ("fcd/fcd",), "fcd/fcd", "lower")
    page = states(saved_views.saved_views(contents, 7))[MODELS]
    assert page["columnOrder"][:2] == ["tags.`assay.study`", "tags.`assay.trial`"]
    assert page["groupBy"]["groupByKeys"][1] == {"mode": "tag", "groupByData": "assay.trial"}


def test_the_first_figure_is_the_result_s_own_whatever_the_database_s_order():
    metrics = {"final/a/z": 1.0, "final/a/z_low": 0.5, "cost/flops": 2.0, "final/b/a": 3.0}
    assert list(estimates_of(metrics, ("b/a", "a/z", "c/c"))) == ["b/a", "a/z"]


def test_the_suite_s_end_writes_views_and_a_description_that_links_to_them(runs, target, tmp_path):
    for seed in (0, 1):
        cell = toy.cell(seed=seed)
        toy.write_finished(tmp_path / "cells" / cell.key, cell)
        directory = tmp_path / "cells" / cell.key
        runs.complete(directory / "result.json", directory / "metrics.jsonl")
    tracker = Tracker(target, tmp_path)
    tracker.begin()
    tracker.end("FINISHED")

    experiment = runs.client.get_experiment(runs.experiment)
    page = states(experiment.tags)[CELLS]
    assert page["orderByKey"] == "metrics.`final/edm/validity`"
    assert page["orderByAsc"] is False
    description = experiment.tags["mlflow.note.content"]
    assert description.startswith("A suite of nothing: [cells, best first](#/experiments/")
    for key in (CELLS, MODELS):
        assert f"{runs.experiment}/runs?workflowType=machine_learning&viewStateShareKey={key}" in (
            description
        )

    runs.save_views(tmp_path / "cells")
    assert runs.client.get_experiment(runs.experiment).tags == experiment.tags


def test_a_suite_without_a_figure_has_no_views(runs, tmp_path):
    runs.begin_suite()
    runs.save_views(tmp_path / "cells")
    assert not states(runs.client.get_experiment(runs.experiment).tags)


def test_results_in_another_store_decide_no_view(runs, tmp_path):
    cell = toy.cell()
    directory = tmp_path / "elsewhere" / cell.key
    toy.write_finished(directory, cell)
    runs.complete(directory / "result.json", directory / "metrics.jsonl")
    runs.save_views(tmp_path / "cells")
    assert not states(runs.client.get_experiment(runs.experiment).tags)
