import json
from itertools import product

import numpy as np
import pytest
from typer.testing import CliRunner

from assay.cli import app
from assay.errors import DataError
from assay.report.comparison import compare, document
from assay.report.comparison_page import draw
from assay.report.comparison_tables import tables
from assay.report.folders import read_folder
from assay.report.suite import suite_context
from assay.result import write_json
from assay.statistics.ranks import ranking
from tests.report.synthetic import GRID, NINE, cell, estimate, result, write_suite

FIGURE = "edm/atom_stability"
ROWS, COLUMNS = GRID.values()
SEEDS = (0, 1, 2)


def value(i: int, j: int, seed: int) -> float:
    """Each process costs 0.1, each architecture 0.03; runs scatter by some thousandths."""
    noise = np.random.default_rng([i, j, seed]).normal(0, 0.002)
    return float(0.8 - 0.03 * i - 0.1 * j + noise)


def nine(seeds=SEEDS, better="higher", sign=1.0):
    results = []
    for (i, row), (j, column) in product(enumerate(ROWS), enumerate(COLUMNS)):
        for seed in seeds:
            made = result(cell({"architecture": row, "process": column}, seed), 0.5)
            found = estimate(0.5).model_copy(
                update={"value": sign * value(i, j, seed), "better": better}
            )
            results.append(made.model_copy(update={"estimates": {FIGURE: found}}))
    return results


@pytest.fixture(scope="module")
def compared():
    return compare(nine(), FIGURE)


def test_the_best_model_comes_first_with_its_mean_and_costs(compared):
    best = compared.models[0]
    expected = np.array([value(0, 0, seed) for seed in SEEDS])

    assert [best.name, compared.models[-1].name] == [NINE[0], NINE[-1]]
    assert best.mean == pytest.approx(expected.mean())
    assert best.middle is None
    assert best.ends[0] < best.mean < best.ends[1]
    assert best.costs["parameters"] == 120_000
    assert best.fronts == ("flops", "training_seconds", "parameters", "peak_memory_bytes")
    assert compared.models[-1].fronts == ()


def test_the_middle_half_is_shown_where_it_is_not_all():
    seeds = (0, 1, 2, 3, 4)
    best = compare(nine(seeds), FIGURE).models[0]
    ordered = sorted(value(0, 0, seed) for seed in seeds)

    assert best.middle == pytest.approx(np.mean(ordered[1:4]))
    assert best.middle_ends[0] <= best.middle <= best.middle_ends[1]
    assert compare(nine((0, 1, 2)), FIGURE).models[0].middle_ends is None


def test_a_floor_is_in_no_front_and_puts_none_off_it(compared):
    floor, *trained = nine()[-3:], *nine()[:-3]
    costs = {"steps": 0, "flops": 0.0, "parameters": 0, "training_seconds": 0.0}
    better = estimate(0.99)
    floors = [
        each.model_copy(
            update={"cost": each.cost.model_copy(update=costs), "estimates": {FIGURE: better}}
        )
        for each in floor
    ]

    models = {model.name: model for model in compare([*trained, *floors], FIGURE).models}

    assert models[NINE[-1]].mean == pytest.approx(0.99)
    assert models[NINE[-1]].fronts == ()
    assert models[NINE[0]].fronts == compared.models[0].fronts


def test_effects_are_those_that_were_put_in(compared):
    effects = compared.effects

    rows = {effect.levels[0]: effect.value for effect in effects.rows}
    assert rows == pytest.approx(dict(zip(ROWS, (0.03, 0.0, -0.03), strict=True)), abs=0.003)
    columns = {effect.levels[0]: effect.value for effect in effects.columns}
    assert columns == pytest.approx(dict(zip(COLUMNS, (0.1, 0.0, -0.1), strict=True)), abs=0.003)
    assert all(abs(effect.value) < 0.004 for effect in effects.interaction)


def test_ranks_take_seeds_as_blocks(compared):
    quality_SM = np.array([[value(i, j, s) for i, j in product(range(3), repeat=2)] for s in SEEDS])
    expected = ranking(NINE, quality_SM)

    assert compared.ranks.critical_difference == expected.critical_difference
    assert dict(zip(compared.ranks.names, compared.ranks.ranks_K, strict=True)) == dict(
        zip(expected.names, expected.ranks_K, strict=True)
    )


def test_every_pair_is_compared_by_seed(compared):
    (pair,) = (p for p in compared.pairs if {p.difference.one, p.difference.other} == {*NINE[:2]})

    assert len(compared.pairs) == 36
    assert pair.difference.one == NINE[0]
    assert pair.difference.mean == pytest.approx(0.1, abs=0.005)
    assert pair.improvement == 1.0
    assert pair.seeds.seeds <= 3


def test_where_lower_is_better_the_lowest_is_first():
    found = compare(nine(better="lower", sign=-1.0), FIGURE)

    assert found.models[0].name == NINE[0]
    assert found.models[0].mean < found.models[1].mean
    assert found.ranks.names[0] == NINE[0]
    assert next(iter(found.pairs)).improvement == 1.0


def test_one_seed_says_what_it_cannot_tell():
    found = compare(nine(seeds=(4,)), FIGURE)

    assert found.seeds == (4,)
    assert found.models[0].ends is None
    assert found.pairs == "one seed a model: a difference has no interval; run two or more"
    assert "one seed" in found.effects
    assert found.ranks == "one seed: ranks take seeds as blocks; run two or more"
    assert document(found)["pairs"] == {"reason": found.pairs}


def test_a_grid_that_is_not_full_has_no_effects():
    found = compare([r for r in nine() if r.label != NINE[4]], FIGURE)

    assert found.effects == f"effects are of a full grid, and there is no {NINE[4]}"
    assert len(found.models) == 8


def test_only_seeds_that_all_have_are_compared():
    some = [r for r in nine() if not (r.label == NINE[0] and r.cell["seed"] == 1)]

    assert compare(some, FIGURE).seeds == (0, 2)


def changed(results, **changes):
    first = results[0].estimates[FIGURE].model_copy(update=changes)
    return [results[0].model_copy(update={"estimates": {FIGURE: first}}), *results[1:]]


def on_other_data(results):
    data = {"name": "qm9", "digest": results[0].cell["data"]["digest"]}
    return [results[0].model_copy(update={"cell": results[0].cell | {"data": data}}), *results[1:]]


@pytest.mark.parametrize(
    ("results", "figure", "sentence"),
    [
        (nine((0,)), "fcd/fcd", "fcd/fcd is not measured, only edm/atom_stability"),
        (changed(nine((0,)), n=0), FIGURE, r"gnn-flow_matching\): edm/atom_stability is not"),
        (changed(nine((0,)), version="2"), FIGURE, "is of versions 1, 2, not comparable"),
        (nine((0,))[:1], FIGURE, "one model only"),
        (on_other_data(nine((0,))), FIGURE, r"several data sets, .*: mini \(0123.*, qm9 \(0123"),
        ([*nine((0,))[:3], *nine((1,))[3:]], FIGURE, "no seed is common to all models"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(results, figure, sentence):
    with pytest.raises(DataError, match=sentence):
        compare(results, figure)


def test_the_document_is_plain_json_and_tables_and_page_are_made(compared, tmp_path):
    plain = json.loads(json.dumps(document(compared), allow_nan=False))
    draw(compared, "Nine", tmp_path / "page.html")

    assert [model["name"] for model in plain["models"]] == [m.name for m in compared.models]
    assert plain["models"][0]["values"] == compared.models[0].values_S.tolist()
    assert plain["effects"]["axes"] == ["architecture", "process"]
    titles = [table.title for table in tables(compared)]
    assert titles[0] == "Atom stability"
    assert titles[-1] == f"{NINE[0]}, less …"
    page = (tmp_path / "page.html").read_text()
    assert "critical difference" in page
    assert "effect of architecture" in page


def test_the_command_compares_a_folder(tmp_path):
    write_suite(tmp_path / "suite", seeds=SEEDS)
    words = ["compare", str(tmp_path / "suite"), "--figure", FIGURE]

    done = CliRunner().invoke(app, [*words, "--json", "-", "--page", str(tmp_path / "page.html")])

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["models"][0]["name"] == NINE[0]
    assert (tmp_path / "page.html").exists()
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0
    assert "What differences come from" in shown.stdout


def test_the_figure_by_default_is_what_orders_the_leaderboard(tmp_path):
    """Trained models have equal molecules: that a floor has others orders none of them."""
    for result_ in write_suite(tmp_path, seeds=SEEDS):
        is_floor, key = result_.label == NINE[4], result_.provenance.cell_key
        measured = dict(result_.estimates)
        measured["edm/molecule_stability"] = estimate(0.9 if is_floor else 0.2)
        cost = result_.cost.model_copy(update={"steps": 0}) if is_floor else result_.cost
        made = result_.model_copy(update={"estimates": measured, "cost": cost})
        write_json(tmp_path / f"{key}.json", made)
    folder = read_folder(tmp_path)

    done = CliRunner().invoke(app, ["compare", str(tmp_path), "--json", "-"])

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["figure"] == suite_context("s1", folder)["headline"]


def test_two_results_of_other_data_are_shown_and_not_paired(tmp_path):
    variants = [dict(zip(GRID, name.split("-"), strict=True)) for name in NINE[:2]]
    paths = []
    for variant, data in zip(variants, ("mini", "qm9"), strict=True):
        made = result(cell(variant, data=data), 0.5)
        paths.append(tmp_path / f"{made.provenance.cell_key}.json")
        write_json(paths[-1], made)

    done = CliRunner().invoke(app, ["compare", *map(str, paths), "--json", "-"])

    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["unpaired"].startswith("Their data are mini (0123456789abcdef) and qm9 (")
