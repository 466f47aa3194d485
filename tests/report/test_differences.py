import pytest
from rich.table import Table
from rich.text import Text

from assay.report.charts import fronts
from assay.report.comparison import compare
from assay.report.differences import differences
from assay.report.leaderboard import leaderboard, representatives
from assay.report.plain_tables import plain
from assay.result import read_results
from tests.report.markup import parse
from tests.report.synthetic import NINE, cell, result
from tests.report.test_comparison import COLUMNS, FIGURE, ROWS, nine

STABILITY = "edm/molecule_stability"


@pytest.fixture(scope="module")
def found(scattered):
    results = read_results(scattered)
    return differences(results, list(results[0].estimates), STABILITY)


def test_a_plain_table_is_the_text_of_the_terminals():
    table = Table("model", "mean", title="Stability", caption=Text("three seeds"))
    table.add_row("gnn", "46.0 %")

    made = plain(table)

    assert (made.title, made.caption) == ("Stability", "three seeds")
    assert made.headings == ["model", "mean"]
    assert made.rows == [("gnn", "46.0 %")]


def test_effects_have_the_intervals_of_the_comparison():
    (one,) = differences(nine(), [FIGURE], FIGURE)
    effects = compare(nine(), FIGURE).effects

    rows, columns = one.chart["panels"]
    assert (rows["title"], set(rows["levels"])) == ("Effect of architecture", set(ROWS))
    assert set(columns["levels"]) == set(COLUMNS)
    assert rows["values"] == [[100 * e.value, 100 * e.low, 100 * e.high] for e in effects.rows]
    assert one.chart["unit"] == "points"


def test_the_headline_comes_first_and_every_figure_has_its_effects(found):
    assert [each.metric for each in found][:2] == [STABILITY, "edm/atom_stability"]
    assert len(found) == 6
    titles = [table.title for table in found[0].tables]
    assert titles[:3] == ["Molecule stability", "What they cost", "What differences come from"]


def test_a_brief_page_compares_by_the_headline_only(scattered):
    results = read_results(scattered)

    found = differences(results, list(results[0].estimates), STABILITY, brief=True)

    assert [each.metric for each in found] == [STABILITY]


def test_runs_without_any_scatter_have_no_effects(three_seeds):
    results = read_results(three_seeds)

    (only,) = differences(results, list(results[0].estimates), STABILITY)

    assert only.chart is None


def test_one_seed_tells_no_difference(one_seed):
    assert differences(read_results(one_seed), [STABILITY], STABILITY) == []


def test_pairs_of_the_best_are_those_of_all_pairs():
    some, every = compare(nine(), FIGURE, "best").pairs, compare(nine(), FIGURE).pairs

    assert len(some) == 8
    assert some == tuple(pair for pair in every if pair.difference.one == NINE[0])


def test_of_many_models_no_pairs_are_compared():
    results = [
        result(cell({"architecture": f"a{k}", "process": "p"}, seed), 0.5 + 0.01 * k)
        for k in range(31)
        for seed in (0, 1)
    ]

    (only, *_) = differences(results, [STABILITY, "edm/validity"], STABILITY)

    said = "models are not compared in pairs here: ask `assay compare`"
    assert only.tables[-1].caption == said


def test_the_page_shows_effects_and_their_tables(page_of_scattered, page):
    section = parse(page_of_scattered.read_text()).one("section", id="s1-differences")

    assert section.one("figure").attributes["data-chart"] == "effects"
    assert len(section.all("option")) == 6
    captions = [table.one("caption").text for table in section.all("table")]
    assert "What differences come from" in captions
    assert "gnn-flow_matching, less …" in captions
    assert not parse(page.read_text()).all("section", id="s1-differences")


def test_a_front_holds_the_models_that_none_beats_at_their_cost():
    # Quality, FLOPs (T), seconds: b is beaten by a in FLOPs, and not in seconds.
    made = {"a": (0.9, 2, 300), "b": (0.8, 3, 100), "c": (0.7, 1, 200), "d": (0.9, 2, 300)}
    results = []
    for name, (quality, flops, seconds) in made.items():
        of = result(cell({"architecture": name}), quality)
        cost = of.cost.model_copy(update={"flops": flops * 1e12, "training_seconds": seconds})
        results.append(of.model_copy(update={"cost": cost}))
    rows = representatives(leaderboard(results, None))

    by_cost = fronts(rows, STABILITY)

    on = {cost: {rows[place].label for place in places} for cost, places in by_cost.items()}
    assert on["flops"] == {"a", "c", "d"}
    assert on["training_seconds"] == {"a", "b", "d"}
    assert rows[by_cost["flops"][0]].label == "c"
    assert on["parameters"] == on["peak_memory_bytes"] == {"a", "d"}
    assert fronts(rows, "fcd/fcd") == {cost: [] for cost in by_cost}


def test_the_front_is_a_table_too(page):
    table = parse(page.read_text()).one("table", id="s1-fronts")

    assert [head.text for head in table.one("thead").all("th")] == [
        "Figure", "FLOPs of training", "Seconds of training", "Parameters", "Bytes of memory",
    ]  # fmt: skip
    stability = table.one("tbody").all("tr")[1]
    assert [entry.text for entry in stability.all("td")] == ["gnn-flow_matching 68.4 %"] * 4
