"""The figures of a suite of pathways: drawings, maps of latents, reliability."""

import json
from pathlib import Path

import numpy as np
import pytest

from assay import report
from assay.errors import DataError
from tests.report.accessibility import findings
from tests.report.markup import Element, parse
from tests.report.synthetic_pathways import TRAIN, write_pathways


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    found = tmp_path_factory.mktemp("pathways")
    assert write_pathways(found) == 3
    return found


@pytest.fixture(scope="module")
def page(folder, tmp_path_factory) -> Element:
    out = tmp_path_factory.mktemp("page") / "report.html"
    return parse(report.build([folder], out).read_text())


def charts(page: Element) -> dict:
    return json.loads("".join(page.one("script", id="data").children))["charts"]["s1"]


def test_the_first_seed_of_each_model_stands_beside_its_nearest(page):
    rows = page.one("section", id="s1-pathways").all("section", class_="tall")

    assert [row.one("h3").text for row in rows] == ["graph_vae seed 0", "rewired seed 0"]
    besides = rows[0].all("figure", class_="beside")
    assert len(besides) == 2
    pictures = besides[0].all("svg", class_="pathway")
    assert [p.children[0].text for p in pictures] == ["Generated pathway 1", "<i>pathway</i> 3"]
    names = [name for name in TRAIN.names_of(3) if name is not None]
    assert [text.text for text in pictures[1].all("text")] == names
    assert len(pictures[0].all("g", class_="shared")) == len(names), "a copy shares them all"
    assert "100% of the compounds" in besides[0].one("figcaption").text


def test_drawings_have_tables_with_the_same_edges(page):
    beside = page.one("section", id="s1-pathways").all("figure", class_="beside")[0]
    generated, nearest = beside.all("table")

    assert nearest.one("caption").text == "<i>pathway</i> 3"
    assert len(nearest.one("tbody").all("tr")) == TRAIN.edge_counts[3]
    source, target = TRAIN.edges_of(3)[:, 0].tolist()
    first = generated.one("tbody").all("tr")[0]
    names = TRAIN.names_of(3)
    assert [e.text for e in first.children if isinstance(e, Element)][:2] == [
        names[source], names[target]
    ]  # fmt: skip


def test_maps_are_of_models_that_have_latents_and_share_what_graphs_are(page):
    latents = charts(page)["latents"]

    assert [each["name"] for each in latents["maps"]] == ["graph_vae"]
    assert len(latents["graphs"]) == 1
    graphs = latents["graphs"][0]
    assert graphs["classes"][:2] == ["Biosynthesis", "Degradation"]
    assert len(latents["maps"][0]["x"]) == len(graphs["titles"]) == len(TRAIN)
    keys = [colour["key"] for colour in latents["colours"]]
    assert keys == ["classes", "reactions", "pH", "oxygen"], "of temperature nothing is known"
    options = page.one("select", **{"data-for": "s1-map", "data-choice": "by"}).all("option")
    assert [option.attributes["value"] for option in options] == keys


def test_a_table_says_where_classes_and_environments_lie(page):
    table = page.one("section", id="s1-latents").one("table")
    rows = {row.one("th").text: [e.text for e in row.all("td")] for row in table.all("tr")[1:]}

    latents = charts(page)["latents"]["maps"][0]
    x = np.array(latents["x"])[1::2]
    assert rows["class of the pathway: Degradation"][:2] == ["12", f"{x.mean():+.2f}"]
    oxygen = np.array(charts(page)["latents"]["graphs"][0]["oxygen"])
    expected = np.corrcoef(oxygen, latents["y"])[0, 1]
    assert rows["oxygen as a fraction, correlation"][2] == f"{expected:+.2f}"
    assert rows["pH, correlation"][1:] == ["–", "–"], "it is the same for all"


def test_reliability_pools_the_seeds_of_a_model(page):
    (line,) = charts(page)["reliability"]

    assert line["name"] == "graph_vae"
    assert line["points"] == [[0.046, 0.08, 100], [0.5, 0.4, 10], [0.9, 1.0, 20]]
    rows = page.one("section", id="s1-reliability").one("tbody").all("tr")
    assert [e.text for e in rows[0].all("td")] == ["4.6%", "8.0%", "100"]


def test_ways_lead_to_the_figures_and_nothing_breaks_a_rule(page):
    ways = [a.attributes["href"] for a in page.one("nav", class_="ways").all("a")]

    assert {"#s1-pathways", "#s1-latents", "#s1-reliability"} <= set(ways)
    assert findings(page) == []


def test_of_many_models_the_first_are_drawn_and_the_page_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.report.pathways.MOST_DRAWN", 2)
    monkeypatch.setattr("assay.report.pathways.MOST_MAPS", 1)
    write_pathways(tmp_path, ["a", "b", "c"], [0])
    page = parse(report.build([tmp_path], tmp_path / "report.html").read_text())

    drawn, mapped = (page.one("section", id=f"s1-{name}") for name in ("pathways", "latents"))
    assert [each.one("h3").text for each in drawn.all("section")] == ["a", "b"]
    assert "1 model further down the leaderboard is not drawn." in drawn.text
    assert len(charts(page)["latents"]["maps"]) == 1
    assert "2 models further down the leaderboard are not drawn." in mapped.text
    assert len(charts(page)["reliability"]) == 3


def test_a_suite_whose_cells_left_no_files_has_no_such_sections(folder, tmp_path):
    for path in folder.iterdir():
        if path.stem.count(".") == 0:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    page = parse(report.build([tmp_path], tmp_path / "report.html").read_text())

    assert not page.all("section", id="s1-pathways")
    assert "#s1-latents" not in {a.attributes.get("href") for a in page.all("a")}
    assert findings(page) == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("latents", {"x": [1.0]}, "latents.json: key 'explained' is required"),
        (
            "neighbours",
            {"similarity": "s", "pairs": [{}]},
            r"neighbours.json: key 'pairs.0.generated' is",
        ),
        ("reliability", [], "reliability.json"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(folder, tmp_path, name, content, said):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for path in tmp_path.glob(f"*.{name}.json"):
        path.write_text(json.dumps(content))

    with pytest.raises(DataError, match=said):
        report.build([tmp_path], tmp_path / "report.html")
