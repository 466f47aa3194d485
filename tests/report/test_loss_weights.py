"""Ways of weighing losses, made from one suite, and what their searches and new seeds say."""

import io
import json
import re

import pytest

from assay import catalog
from assay.cell import Suite
from assay.config import validate
from assay.errors import ConfigError, DataError
from assay.report.loss_weights import choose, document, figures, findings
from assay.report.loss_weights_arms import OWN, Task, arms
from assay.report.loss_weights_tables import answer, tables
from assay.search import StudyRecord
from assay.statistics import importance
from tests.report.synthetic import cell, result

SPACE = {
    "training.learning_rate": {"float": [1e-3, 1e-1], "log": True},
    "settings.weights.far": {"float": [1e-2, 10.0], "log": True},
}
OBJECTIVES = [
    {"metric": "val/near", "better": "higher"},
    {"metric": "val/far", "better": "lower"},
]
TASKS = [Task("near", "val/near", ("test/near",)), Task("far", "val/far", ("test/far",))]
WEIGHTED = {"metric": "val/loss", "better": "lower"}
METRICS = {"test/near": "higher", "test/far": "lower"}


@pytest.fixture
def suite(monkeypatch):
    """Makes suites of the family of two losses, tests.training.balancing."""
    families = {**catalog.FAMILIES, "two": "tests.training.balancing.two_losses:TwoTask"}
    monkeypatch.setattr(catalog, "FAMILIES", families)

    def make(space=SPACE, objectives=OBJECTIVES, search=None, **changes):
        plain = {
            "name": "pair", "title": "Two losses", "family": "two", "data": "mini",
            "grid": {"model": ["plain"]}, "budget": {"steps": 10}, "seeds": [0, 1],
            "settings": {"balancing": {"method": "fixed"}},
            "search": {"trials": 5, "objectives": objectives, "space": space, **(search or {})},
        }  # fmt: skip
        return validate(Suite, plain | changes, "pair")

    return make


def test_every_way_has_as_many_trials_and_only_one_tunes_weights(suite):
    made = arms(suite(), TASKS)

    assert list(made) == ["tuned", "defaults", *OWN, "single_near", "single_far"]
    assert {each.search.trials for each in made.values()} == {5}
    assert set(made["tuned"].search.space) == set(SPACE)
    assert set(made["defaults"].search.space) == {"training.learning_rate"}
    assert set(made["dwa"].search.space) == {
        "training.learning_rate",
        "settings.balancing.temperature",
    }


def test_every_way_is_what_it_is_called(suite):
    made = arms(suite(), TASKS)

    balancing = {way: each.cells("0" * 16)[0].settings.balancing for way, each in made.items()}
    assert {way: balancing[way].method for way in OWN} == {way: way for way in OWN}
    assert balancing["tuned"].method == balancing["defaults"].method == "fixed"
    assert balancing["single_far"].loss == "far"
    assert [o.metric for o in made["single_far"].search.objectives] == ["val/far"]
    assert len({each.name for each in made.values()}) == len(made)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"space": {"training.learning_rate": SPACE["training.learning_rate"]}},
            "tries no weights",
        ),
        (
            {"space": {"settings.weights.far": SPACE["settings.weights.far"]}},
            "tries nothing but weights, so that ways without any would have nothing to try: add",
        ),
        (
            {"space": {**SPACE, "settings.weights.far": {"float": [0.1, 1.0]}}},
            "settings.weights.far is a ratio of weights: give its range with log: true",
        ),
        (
            {"space": {**SPACE, "settings.weights.near": SPACE["settings.weights.far"]}},
            "only their ratios matter: leave one of far, near fixed",
        ),
        (
            {"search": {"algorithm": "random", "scheduler": {"asha": WEIGHTED}}},
            "watches val/loss, a weighted loss, which falls with the weights that are tried",
        ),
        (
            {
                "search": {
                    "algorithm": "random",
                    "scheduler": {"asha": WEIGHTED | {"metric": "val/weighted/far"}},
                }
            },
            "watches val/weighted/far, a weighted loss",
        ),
        ({"grid": {"model": ["plain", "deep"]}}, "are compared on one variant"),
        (
            {"objectives": [*OBJECTIVES, {"metric": "test/near", "better": "higher"}]},
            "chooses by test/near, of the test split, by which the ways are then compared",
        ),
    ],
)
def test_a_search_that_cannot_tell_is_refused(suite, changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        arms(suite(**changes), TASKS)


def test_a_suite_without_a_search_is_refused(suite):
    plain = suite().model_dump(mode="json", exclude_none=True)
    del plain["search"]
    with pytest.raises(ConfigError, match="by what a `search` section tries"):
        arms(validate(Suite, plain, "pair"), TASKS)


def test_all_losses_are_stopped_by_one_figure_and_one_alone_by_its_own(suite):
    rule = {"metric": "val/near", "better": "higher", "grace": 0.5, "reduction": 2.0}
    search = {"algorithm": "nsga2", "population": 3, "scheduler": {"asha": rule}}

    made = arms(suite(search=search), TASKS)

    watched = {way: each.search.watched for way, each in made.items()}
    assert {way for way, one in watched.items() if one.metric != "val/near"} == {"single_far"}
    assert (watched["single_far"].metric, watched["single_far"].better) == ("val/far", "lower")
    assert {each.search.scheduler.rungs() for each in made.values()} == {(0.5,)}


def test_a_task_is_judged_by_an_objective_of_the_search(suite):
    with pytest.raises(ConfigError, match=r"task far: val/fra is no objective .* mean 'val/far'"):
        arms(suite(), [Task("far", "val/fra", ("test/far",))])
    assert Task.read("far=val/far:a/b,c/d") == Task("far", "val/far", ("a/b", "c/d"))
    for text in ("far", "far=val/far", "far=val/far:", "=val/far:a/b", "far=val/far:a/b,"):
        with pytest.raises(ConfigError, match="expected LOSS=OBJECTIVE:METRIC"):
            Task.read(text)


def study(*trials, best=None):
    """A study; a trial is its figures by seed: ((near, far), …), or None if it failed."""
    rows = []
    for number, seeds in enumerate(trials):
        objectives = {}
        for place, objective in enumerate(OBJECTIVES):
            if seeds is None or len(seeds[0]) <= place:
                continue
            values = {str(seed): float(each[place]) for seed, each in enumerate(seeds)}
            mean = sum(values.values()) / len(values)
            objectives[objective["metric"]] = {
                "mean": mean, "low": None, "high": None, "by_seed": values,
                "better": objective["better"],
            }  # fmt: skip
        rows.append(
            {
                "number": number, "state": "failed" if seeds is None else "complete",
                "values": {"training.learning_rate": 10 ** (-3 + number / 5),
                           "settings.weights.far": 10 ** (-2 + number % 3)},
                "objectives": objectives,
            }
        )  # fmt: skip
    complete = [row["number"] for row in rows if row["state"] == "complete"]
    plain = {"name": "s", "variant": {"model": "plain"}, "trials": rows, "best": best or complete}
    return StudyRecord.model_validate(plain)


def test_of_a_front_the_trial_is_chosen_that_ranks_best_in_all_objectives():
    # Among six, by near then far: a 1st and 6th, b 2nd and 2nd, c 3rd and 1st, and d to f behind.
    others = study([(3.0, 4.0)], [(2.0, 5.0)], [(1.0, 6.0)])
    tuned = study(None, [(6.0, 9.0)], [(5.0, 2.0)], [(4.0, 1.0)])

    found = choose({"tuned": tuned, "defaults": others})

    assert found["tuned"].number == 2
    assert found["defaults"].number == 0


def test_a_trial_off_its_front_is_not_chosen():
    assert choose({"tuned": study([(3, 1)], [(1, 3)], best=[1])})["tuned"].number == 1


STUDIES = {
    "tuned": study([(4, 2), (4, 2)], [(2, 1), (2, 1)]),
    "defaults": study([(3, 3), (3, 3)], [(1, 4), (1, 4)]),
    "equal": study([(0, 11), (0, 11)], [(0, 11), (0, 11)]),
    "single_near": study([(4,), (4,)]),
    "single_far": study([(4,), (4,)]),
}
AGAIN = {
    "tuned": {2: (0.80, 0.50), 3: (0.80, 0.50), 4: (0.84, 0.50)},
    "defaults": {2: (0.72, 0.50), 3: (0.72, 0.52), 4: (0.76, 0.50)},
    "equal": {2: (0.60, 0.40), 3: (0.60, 0.42), 4: (0.60, 0.44)},
    "single_near": {2: (0.80, 9.0), 3: (0.80, 9.0), 4: (0.80, 9.0)},
    "single_far": {2: (0.1, 0.50), 3: (0.1, 0.50), 4: (0.1, 0.50)},
}


def found(again=AGAIN, studies=STUDIES, search=None):
    by_seed = {
        way: {seed: dict(zip(METRICS, values, strict=True)) for seed, values in seeds.items()}
        for way, seeds in again.items()
    }
    return findings(studies, by_seed, METRICS, TASKS, search)


@pytest.fixture
def search(suite):
    return suite().search


def test_volumes_are_of_the_box_between_the_best_and_the_worst_that_counts(search):
    said = found(search=search)

    # Near: best 4, 90 % of six trials are 0 or better. Far: best 1, 90 % are 11 or better.
    assert said.box == {"val/near": (4.0, 0.0), "val/far": (1.0, 11.0)}
    volumes = {way.name: way.volume for way in said.ways}
    # Of tuned, from the worst: 4 by 9 and 2 by 10, of which 2 by 9 are shared, of 4 by 10.
    assert volumes["tuned"].value == pytest.approx((36 + 20 - 18) / 40)
    assert volumes["defaults"].value == pytest.approx((3 * 8 + 0) / 40)
    assert (volumes["tuned"].low, volumes["tuned"].high) == (None, None)  # both seeds have it
    assert volumes["equal"].value == 0.0
    assert said.front == (("tuned", 0), ("tuned", 1))


def test_losses_against_single_tasks_count_each_task_alike(search):
    ways = {way.name: way for way in found(search=search).ways}

    # Near 0, 0 and -5 %, far 0: half of it in the mean over tasks.
    assert ways["tuned"].delta_m.value == pytest.approx(-0.025 / 3)
    # Near 10, 10 and 5 %; far 0, 4 and 0 %.
    assert ways["defaults"].delta_m.value == pytest.approx((5 + 7 + 2.5) / 300)
    assert {name for name, way in ways.items() if way.on_front} == {"tuned", "equal"}
    assert "single_near" not in ways


def test_tuning_is_worth_it_if_it_beats_the_given_weights_and_the_best_rival(search):
    said = found(search=search)

    assert said.verdict.answer == "yes"
    assert [each.rival for each in said.verdict.against] == ["defaults"]
    # Seed by seed -5, -7 and -5 points: t of two degrees of freedom is 4.303.
    difference = said.verdict.against[0].difference
    assert difference.value == pytest.approx(-0.17 / 3)
    assert difference.high == pytest.approx(-0.17 / 3 + 4.3027 * 0.011547 / 3**0.5, rel=1e-3)
    assert "Yes, tuned weights lose less" in answer(said)
    assert "5.7 points less than the given weights, 95 % from -8.5 to -2.8, over 3" in answer(said)


def test_a_rival_that_ranks_better_must_be_beaten_too(search):
    studies = {**STUDIES, "famo": study([(5, 0.5), (5, 0.5)])}
    again = {**AGAIN, "famo": {2: (0.80, 0.49), 3: (0.80, 0.51), 4: (0.84, 0.50)}}

    said = found(again, studies, search)

    assert [each.rival for each in said.verdict.against] == ["defaults", "famo"]
    assert said.verdict.answer == "not shown"
    assert "Not shown" in answer(said)
    assert "than FAMO" in answer(said)
    assert "would tell a difference as large as this" in answer(said)


def test_tuning_that_is_worse_is_said_to_be(search):
    again = {**AGAIN, "tuned": AGAIN["defaults"], "defaults": AGAIN["tuned"]}

    said = found(again, search=search)

    assert said.verdict.answer == "no"
    assert "No, they are worse" in answer(said)


@pytest.mark.parametrize(
    ("again", "sentence"),
    [
        ({k: v for k, v in AGAIN.items() if k != "tuned"}, "tuned weights, or all .* no results"),
        ({k: v for k, v in AGAIN.items() if k != "defaults"}, "held against defaults too"),
        ({k: v for k, v in AGAIN.items() if k != "single_far"}, "single_far: what it chose has no"),
        ({**AGAIN, "single_far": {7: (0.1, 0.5)}}, "no seed in common"),
        ({**AGAIN, "single_near": dict.fromkeys((2, 3, 4), (-0.1, 9.0))}, "needs one above 0"),
    ],
)
def test_what_cannot_be_said_is_a_sentence(again, sentence, search):
    said = found(again, search=search)

    assert isinstance(said.verdict, str)
    assert re.search(sentence, answer(said))


def test_few_trials_tell_nothing_of_what_matters_and_many_do(search, monkeypatch):
    monkeypatch.setattr(importance, "RESAMPLES", 5)
    few = found(search=search)
    assert all(said.startswith("2 complete trials") for said in few.of_variance.values())
    assert few.of_reaching_the_front.startswith("2 complete trials")
    many = {**STUDIES, "tuned": study(*[[(t % 5, t), (t % 5, t)] for t in range(1, 11)])}

    said = found(studies=many, search=search)

    for shares in (*said.of_variance.values(), said.of_reaching_the_front):
        assert {each.name for each in shares} == set(SPACE)
        assert sum(each.share for each in shares) == pytest.approx(1)
    by_rate = {each.name: each.share for each in said.of_variance["val/far"]}
    assert by_rate["training.learning_rate"] > 0.7


def test_trials_that_are_all_alike_are_refused(search):
    alike = dict.fromkeys(STUDIES, study([(1, 2), (1, 2)]))
    with pytest.raises(DataError, match="val/near is the same in all trials of all ways"):
        found(studies=alike, search=search)


def test_it_is_written_and_shown(search):
    from rich.console import Console

    said = found(search=search)
    plain = json.loads(json.dumps(document(said), allow_nan=False))
    console = Console(width=200, record=True, file=io.StringIO())
    for part in tables(said):
        console.print(part)
    text = console.export_text()

    assert [way["name"] for way in plain["ways"]] == ["tuned", "defaults", "equal"]
    assert plain["ways"][0]["chosen"]["number"] == 0
    assert plain["verdict"]["answer"] == "yes"
    lines = [line for line in text.splitlines() if "weights" in line]
    assert any("tuned weights •" in line and "0.950" in line for line in lines)
    assert "2 complete trials" in text


def test_figures_are_read_by_seed():
    one = result(cell({"architecture": "gnn", "process": "diffusion"}, seed=4), 0.5)
    value = one.estimates["edm/validity"].value
    assert figures([one], ["edm/validity"]) == {4: {"edm/validity": value}}
    with pytest.raises(DataError, match="has no edm/nothing"):
        figures([one], ["edm/nothing"])
