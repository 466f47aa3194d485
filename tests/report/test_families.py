"""A suite of a family that has no molecules to draw, and a heuristic in place of real data."""

from pathlib import Path

import pytest

from assay import report
from assay.report import terminal_table
from assay.result import Reference, read_results, write_json
from tests.report.markup import Element, parse
from tests.report.synthetic import cell, estimate, result, write_bytes
from tests.report.test_leaderboard import text_of

HITS = "ogb/hits_at_20"
FLOOR = Reference(
    name="paths of length 3", label="mini_links, test split", estimates={HITS: estimate(0.739)}
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    found = tmp_path_factory.mktemp("links")
    for seed in (0, 1):
        of = cell({"encoder": "gcn"}, seed) | {"family": "interactions"}
        plain = result(of, 0.5)
        key = plain.provenance.cell_key
        scored = plain.model_copy(update={"estimates": {HITS: estimate(0.87 + 0.01 * seed)}})
        write_json(found / f"{key}.json", scored)
        write_bytes(found / f"{key}.metrics.jsonl", b'{"step": 1, "samples": 16}\n')
    suite = {
        "name": "links_mini", "title": "Links", "family": "interactions", "data": "mini_links",
        "grid": {"encoder": ["gcn"]}, "seeds": [0, 1], "budget": {"steps": 100},
    }  # fmt: skip
    write_json(found / "suite.json", suite)
    write_json(found / "reference.json", FLOOR)
    return found


@pytest.fixture(scope="module")
def page(folder, tmp_path_factory) -> Element:
    out = report.build([folder], tmp_path_factory.mktemp("page") / "report.html")
    return parse(out.read_text())


def test_what_models_are_held_against_is_named(page):
    (row,) = page.one("table", class_="board").one("tfoot").all("tr")

    assert row.text.startswith("Paths of length 3 mini_links, test split")
    assert row.all("td", class_="m")[0].text.startswith("73.9 %")
    assert "paths of length 3 73.9 %" in page.one("div", class_="answers").text
    assert "real data" not in page.one("main").text.lower()


def test_the_metric_is_a_fraction_under_its_own_title(page):
    board = page.one("table", class_="board")

    assert "Hits@20" in board.one("thead").text
    # The mean, seed 0, seed 1.
    assert board.one("tbody").all("td", class_="m")[2].text.startswith("88.0 %")


def test_nothing_is_said_of_samples_and_processes(page):
    text = page.one("main").text

    assert "samples of each cell" not in text
    assert "No cell has stored samples" not in text
    assert "Processes minimise" not in text


def test_the_terminal_names_the_heuristic(folder):
    text = text_of(terminal_table(read_results(folder), FLOOR))

    assert "paths of length 3:" in text
    assert "Hits@20" in text
