"""The `search` section of a suite: what is understood, and the sentence for what is not."""

import subprocess
import sys
from typing import Any

import pytest

from assay.cell import Suite
from assay.config import validate
from assay.errors import ConfigError
from assay.search import Dimension, Search
from tests.tracking import toy


@pytest.fixture(autouse=True)
def _toy_family(monkeypatch):
    toy.install(monkeypatch)


SEARCH: dict[str, Any] = {
    "trials": 20,
    "objectives": [{"metric": "val/loss", "better": "lower"}],
    "space": {
        "training.learning_rate": {"float": [1e-4, 1e-2], "log": True},
        "training.batch_size": {"int": [8, 64], "step": 8},
        "settings.network.size": {"choice": ["xs", "s"]},
    },
}
EDM = [{"metric": "edm/validity", "better": "higher"}]
WATCHED = {"metric": "val/loss", "better": "lower"}


def search(**changes: Any) -> Search:
    return validate(Search, SEARCH | changes, "s.yaml")


def suite(search: dict[str, Any], **changes: Any) -> Suite:
    plain = {
        "name": "toys", "title": "Toys", "family": "toy", "data": "mini",
        "grid": {"architecture": ["gnn"], "process": ["diffusion", "flow_matching"]},
        "seeds": [0, 1], "budget": {"samples": 1000}, "search": search, **changes,
    }  # fmt: skip
    return validate(Suite, plain, "s.yaml")


def space(key: str, **dimension: Any) -> dict[str, Any]:
    return {"space": {key: dimension}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"algorith": "tpe"}, r"unknown key 'algorith'; did you mean 'algorithm'\?"),
        ({"algorithm": "cmaes"}, r"algorithm: .*'tpe', 'nsga2', 'random' or 'grid'"),
        ({"trials": None}, "key 'trials' is required: how many settings are tried"),
        ({"trials": 0}, "trials: .*greater than 0"),
        ({"space": {}}, "space: .*at least 1"),
        (space("seed", int=[0, 5]), "'seed' is not below training or settings"),
        (space("training", int=[0, 5]), "'training' is not below training or settings"),
        (
            {"space": {k: {"int": [1, 5]} for k in ("settings.a", "settings.a.b")}},
            r"'settings\.a\.b' lies inside 'settings\.a'",
        ),
        (space("training.x"), r"exactly one of float, int, choice \(given: none\)"),
        (space("training.x", int=[1, 2], choice=[1, 2]), r"given: int and choice"),
        (space("training.x", real=[1, 2]), r"unknown key 'space\.training\.x\.real'"),
        (space("training.x", float=[1e-2, 1e-4]), r"\[0\.01, 0\.0001\] is empty"),
        (space("training.x", int=[4, 4]), r"\[4, 4\] is empty"),
        (space("training.x", float=[1]), r"space\.training\.x\.float"),
        (space("training.x", int=[1.5, 2]), r"space\.training\.x\.int"),
        (space("training.x", float=[0, 1], log=True), "with log: true begins above 0"),
        (space("training.x", float=[1, 2], log=True, step=0.5), "log or step, not both"),
        (space("training.x", int=[8, 64], step=12), "steps of 12 from 8 do not end at 64"),
        (space("training.x", int=[8, 64], step=0.5), "the step of an int is a whole number"),
        (space("training.x", choice=["xs"]), "two or more values, all different"),
        (space("training.x", choice=["xs", "xs"]), "two or more values, all different"),
        (
            space("training.x", choice=[[1], [2]]),
            r"among numbers, words, true and false, not \[1\]",
        ),
        (space("training.x", choice=[1, 2], log=True), "a choice has none"),
        ({"objectives": []}, "objectives: .*at least 1"),
        ({"objectives": [{"metric": "loss", "better": "lower"}]}, r"objectives\.0\.metric"),
        ({"objectives": [{"metric": "val/loss"}]}, r"'objectives\.0\.better' is required"),
        ({"objectives": 2 * EDM}, "a metric is given twice"),
        ({"startup": 5, "algorithm": "random"}, "startup belongs to tpe; random has none"),
        ({"population": 5}, "population belongs to nsga2; tpe has none"),
        ({"algorithm": "nsga2", "trials": 16}, "never leaves its first, random generation of 16"),
        ({"algorithm": "grid"}, r"a grid cannot hold all of 'training\.learning_rate': give it a"),
        (
            {"algorithm": "grid", **space("training.x", int=[1, 20000])},
            "a grid of 20,000 settings; at most 10,000 fit",
        ),
        ({"scheduler": {}}, "give asha or median"),
        ({"scheduler": {"asha": {}, "median": {}}}, "give asha or median"),
        ({"scheduler": {"asha": {"grace": 1.5}}}, r"scheduler\.asha\.grace"),
        ({"scheduler": {"asha": {"reduction": 1}}}, r"scheduler\.asha\.reduction"),
        ({"scheduler": {"asha": {"reduction": 1.01}}}, "less than 1 % of the budget apart"),
        ({"scheduler": {"median": {"grace": 0.95}}}, "nobody is ever compared"),
        (
            {"scheduler": {"asha": {}}, "objectives": SEARCH["objectives"] + EDM},
            "asha compares one figure; with several objectives say which, such as asha:",
        ),
        (
            {"scheduler": {"asha": WATCHED}, "objectives": SEARCH["objectives"] + EDM},
            "tpe cannot learn from stopped trials of several objectives; use nsga2 or random",
        ),
        (
            {"scheduler": {"median": {}}, "objectives": EDM},
            "edm/validity is known only at the end; say what to watch, such as median:",
        ),
        ({"scheduler": {"asha": {"metric": "val/loss"}}}, "metric and better are given together"),
        (
            {"scheduler": {"asha": {"metric": "edm/validity", "better": "higher"}}},
            r"scheduler\.asha\.metric",
        ),
    ],
)
def test_a_wrong_search_is_one_sentence(changes, sentence):
    with pytest.raises(ConfigError, match=sentence) as error:
        search(**changes)
    assert str(error.value).startswith("s.yaml: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("search", "changes", "sentence"),
    [
        (space("training.learning_rat", float=[1, 2]), {}, r"unknown key 'training\.learning_rat'"),
        (space("settings.network.size", choice=["xs", "huge"]), {}, r"network\.size: .*'huge'"),
        (space("training.batch_size", int=[0, 8]), {}, r"training\.batch_size: .*greater than 0"),
        (
            {},
            {"rules": [{"when": {"process": "diffusion"}, "set": {"training.batch_size": 8}}]},
            r"'training\.batch_size' is set by a rule, and also searched",
        ),
        (
            {"scheduler": {"asha": {}}},
            {"budget": {"seconds": 5}},
            "in steps, samples or flops, not in seconds",
        ),
        ({}, {"training": {"validations": 0}}, r"never looked at with training\.validations=0"),
    ],
)
def test_a_space_whose_ends_make_no_cell_is_refused_when_the_suite_is_read(
    search, changes, sentence
):
    with pytest.raises(ConfigError, match=sentence):
        suite(SEARCH | search, **changes)


def test_a_setting_is_a_cell_a_seed_with_the_values_in_place():
    made = suite(SEARCH, training={"batch_size": 4}, settings={"network": {"width": 3}})
    values = {"training.batch_size": 24, "settings.network.size": "xs"}

    cells = made.setting({"architecture": "gnn", "process": "diffusion"}, values, "ab" * 8)

    assert [cell.seed for cell in cells] == [0, 1]
    assert {cell.training.batch_size for cell in cells} == {24}
    assert cells[0].settings.model_dump()["network"] == {"size": "xs", "width": 3}
    assert made.cells("ab" * 8)[0].training.batch_size == 4


def test_a_search_does_not_change_the_keys_of_the_grid():
    plain = suite(SEARCH).model_dump(mode="json", exclude={"search"})
    without = validate(Suite, plain, "s.yaml")
    assert [c.key for c in suite(SEARCH).cells("ab" * 8)] == [
        c.key for c in without.cells("ab" * 8)
    ]


def test_asha_compares_at_grace_times_powers_of_reduction():
    rungs = search(scheduler={"asha": {"grace": 1 / 9, "reduction": 3}}).scheduler.rungs()
    assert rungs == pytest.approx((1 / 9, 1 / 3))
    rungs = search(scheduler={"asha": {"grace": 0.1, "reduction": 3}}).scheduler.rungs()
    assert rungs == pytest.approx((0.1, 0.3, 0.9))


def test_the_median_is_taken_at_even_distances_from_grace_on():
    rungs = search(scheduler={"median": {"grace": 0.4, "looks": 5}}).scheduler.rungs()
    assert rungs == pytest.approx((0.4, 0.6, 0.8))


def test_what_is_watched_is_the_objective_unless_said_otherwise():
    assert search().watched is None
    assert search(scheduler={"asha": {}}).watched.metric == "val/loss"
    other = {"metric": "val/x", "better": "higher"}
    assert search(scheduler={"asha": other}, objectives=EDM).watched.metric == "val/x"
    both = {"algorithm": "random", "objectives": SEARCH["objectives"] + EDM}
    assert search(scheduler={"asha": other}, **both).watched.metric == "val/x"


def test_a_grid_tries_all_of_its_settings_unless_fewer_are_asked_for():
    cells = {"training.x": {"int": [8, 32], "step": 8}, "training.y": {"choice": [1, 2, 3]}}
    steps = {"training.z": {"float": [0.0, 0.5], "step": 0.25}}
    assert search(algorithm="grid", trials=None, space=cells | steps).total == 4 * 3 * 3
    assert search(algorithm="grid", trials=5, space=cells | steps).total == 5
    assert search(space=steps).space["training.z"].values() == pytest.approx([0.0, 0.25, 0.5])


def test_the_models_of_a_search_need_neither_optuna_nor_ray():
    code = "import assay.search, sys; assert not {'optuna', 'ray', 'torch'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("ends", "step", "values"),
    [
        ((0.1, 0.3), 0.1, [0.1, 0.2, 0.3]),
        ((0.1, 0.7), 0.2, [0.1, 0.3, 0.5, 0.7]),
        ((1e-4, 4e-4), 1e-4, [1e-4, 2e-4, 3e-4, 4e-4]),
    ],
)
def test_a_grid_holds_the_numbers_as_written_and_stays_in_its_range(ends, step, values):
    assert Dimension(float=ends, step=step).values() == values
