"""Several suites on a page: what a reader sees first, and a page for each family."""

import json
import re
from pathlib import Path

import pytest

from assay import report
from assay.report.folders import read_folder
from assay.report.overview import contests
from assay.report.suite import suite_context
from assay.result import Reference, write_json
from tests.report.markup import Element, parse
from tests.report.synthetic import cell, estimate, result

HITS = "ogb/hits_at_20"


NOTHING = {"parameters": 0, "steps": 0, "samples": 0, "flops": 0.0, "training_seconds": 0.0}


def write_links(
    folder: Path, name: str, hits: float, version: str = "1", *, floor: bool = False
) -> None:
    """A suite of one model and one seed, held against a heuristic."""
    of = cell({"encoder": name}, data="mini_links") | {"family": "interactions"}
    made = result(of, 0.5).model_copy(update={"estimates": {HITS: estimate(hits, 900, version)}})
    if floor:
        made = made.model_copy(update={"cost": made.cost.model_copy(update=NOTHING)})
    write_json(folder / f"{made.provenance.cell_key}.json", made)
    suite = {
        "name": f"links_{name}", "title": f"Links by {name}", "family": "interactions",
        "data": "mini_links", "grid": {"encoder": [name]}, "seeds": [0], "budget": {"steps": 9},
    }  # fmt: skip
    write_json(folder / "suite.json", suite)
    row = Reference(name="paths", label="mini_links", estimates={HITS: estimate(0.7)})
    write_json(folder / "reference.json", row)


@pytest.fixture(scope="module")
def folders(three_seeds, tmp_path_factory) -> list[Path]:
    root = tmp_path_factory.mktemp("links")
    for name, hits in (("gcn", 0.6), ("gat", 0.9)):
        write_links(root / name, name, hits)
    return [three_seeds, root / "gcn", root / "gat"]


@pytest.fixture(scope="module")
def page(folders, tmp_path_factory) -> Element:
    out = report.build(folders, tmp_path_factory.mktemp("page") / "report.html")
    return parse(out.read_text())


def lines(page: Element, table: str) -> list[list[str]]:
    body = page.one("table", id=table).one("tbody")
    return [[c.text for c in row.children if isinstance(c, Element)] for row in body.all("tr")]


def test_the_best_of_each_data_set_stands_with_its_interval_cost_and_floor(page):
    generation, links = lines(page, "overview-best")

    # Molecule stability is quality × 0.76: 0.9, 0.904 and 0.908 over three seeds.
    assert generation[:4] == ["mini", "generation", "gnn-flow_matching",
                              "Molecule stability more is better"]  # fmt: skip
    assert generation[4].startswith("68.7 % [67.9, 69.5]")
    assert generation[5] == "mean of 3 seeds"
    assert generation[7] == "real data 98.1 % [97.3, 98.9] n = 1,000"
    assert generation[8:] == ["edm 1", "1.70 T", "1 min 01 s", "120 k", "grid_mini"]
    assert links[:3] == ["mini_links", "interactions", "gat"]
    assert links[5:9] == ["one seed, n = 900", "0 of 1", "paths 70.0 % [67.2, 72.8] n = 1,000",
                          "ogb 1"]  # fmt: skip


def test_all_models_of_a_data_set_stand_in_one_order_whatever_their_suite(page):
    found = lines(page, "overview-models")

    assert len(found) == 9 + 2
    assert [line[3] for line in found[9:]] == ["links_gat", "links_gcn"]
    values = [float(line[5].split()[0]) for line in found[:9]]
    assert values == sorted(values, reverse=True)
    assert found[0][9:] == ["120 k", "100 k", "1.70 T", "1 min 01 s", "400 MB"]


def test_what_is_of_another_version_is_not_ranked(tmp_path):
    for name, hits, version in (("gcn", 0.6, "1"), ("gat", 0.5, "1"), ("sage", 0.9, "2")):
        write_links(tmp_path / name, name, hits, version)
    suites = [suite_context(path.name, read_folder(path)) for path in sorted(tmp_path.iterdir())]

    (contest,) = contests(suites)

    assert [entry.row.label for entry in contest.entries] == ["gcn", "gat", "sage"]
    assert contest.best is contest.entries[0]
    assert (contest.version, contest.elsewhere, contest.rivals) == ("1", 1, 0)


def test_floors_have_no_say_in_which_version_counts(tmp_path):
    for name, hits, version in (("a", 0.1, "1"), ("b", 0.1, "1"), ("c", 0.1, "1")):
        write_links(tmp_path / name, name, hits, version, floor=True)
    for name, hits in (("gcn", 0.6), ("gat", 0.5)):
        write_links(tmp_path / name, name, hits, "2")
    suites = [suite_context(path.name, read_folder(path)) for path in sorted(tmp_path.iterdir())]

    (contest,) = contests(suites)

    assert (contest.best.row.label, contest.version) == ("gcn", "2")


def test_other_data_under_one_name_is_another_contest(tmp_path):
    for digest in ("a", "b"):
        write_links(tmp_path / digest, digest, 0.5)
    (path,) = (p for p in (tmp_path / "b").glob("*.json") if len(p.stem) == 16)
    of = cell({"encoder": "b"}, data="mini_links") | {"family": "interactions"}
    other = result({**of, "data": {"name": "mini_links", "digest": "f" * 64}}, 0.5)
    path.unlink()
    write_json(path.with_stem(other.provenance.cell_key), other)

    suites = [suite_context(name, read_folder(tmp_path / name)) for name in "ab"]

    assert len(contests(suites)) == 2


def test_every_family_has_a_page_behind_a_tab(page):
    tabs = page.one(role="tablist").all(role="tab")

    assert [tab.text for tab in tabs] == ["Overview", "Generation", "Interactions"]
    for tab in tabs:
        panel = page.one(id=tab.attributes["aria-controls"])
        assert tab.attributes["href"] == f"#{panel.attributes['id']}"
        assert panel.attributes["role"] == "tabpanel"
        assert panel.attributes["aria-labelledby"] == tab.attributes["id"]
    links = page.one("div", id="family-interactions").all("article")
    assert [article.attributes["id"] for article in links] == ["s2", "s3"]


def test_one_suite_needs_no_overview(folders, tmp_path):
    document = parse(report.build(folders[1:2], tmp_path / "report.html").read_text())

    assert not document.all(role="tab")
    assert not document.all("table", id="overview-best")


def test_every_number_leads_to_where_it_comes_from(page):
    for row in page.one("table", id="overview-models").one("tbody").all("tr"):
        target = row.one("th").one("a").attributes["href"].removeprefix("#")
        (place,) = page.all(id=target)
        opened = [place] if place.tag == "details" else page.all("details", **{"data-of": target})
        assert len(opened) in (1, 3)
        for details in opened:
            assert "assay train" in details.one("pre", class_="command").text
            assert "d" * 40 in details.text
            assert re.search(r"Data digest \w{64}", details.text)


def test_the_reference_row_leads_to_the_command_that_makes_it(page, folders):
    details = page.one("details", id="s2-reference")

    assert f"jobs/benchmark_grid.py --suite {folders[1]}/suite.json" in details.text
    assert json.loads(details.one("pre", class_="json").text) == {}
    links = [a.attributes["href"] for a in page.all("a", class_="who")]
    assert links == ["#s1-reference", "#s2-reference", "#s3-reference"]


def test_rows_can_be_chosen_by_what_they_are(page):
    controls = page.all("select", **{"data-filters": "overview-models"})
    assert [[o.text for o in control.all("option")] for control in controls] == [
        ["all", "generation", "interactions"],
        ["all", "mini", "mini links"],
        ["all", "grid mini", "links gcn", "links gat"],
    ]
    rows = page.one("table", id="overview-models").one("tbody").all("tr")
    for control in controls:
        by = f"data-{control.attributes['data-by']}"
        offered = {option.attributes["value"] for option in control.all("option")} - {""}
        assert offered == {row.attributes[by] for row in rows}
    (axis, process) = page.all("select", **{"data-filters": "s1-board"})
    first = page.one("table", id="s1-board").one("tbody").all("tr")[0].attributes
    assert (first["data-f0"], first["data-f1"]) == ("gnn", "flow_matching")
    assert [len(control.all("option")) for control in (axis, process)] == [4, 4]
