"""Which rows can be the best: what was trained here, and neither floors nor external entries."""

import json
from pathlib import Path

import pytest

from assay import report
from assay.report import leaderboard, terminal_table
from assay.report.folders import read_folder
from assay.report.leaderboard import contenders, no_worse
from assay.report.overview import contests
from assay.report.suite import suite_context
from assay.result import Result, write_json
from tests.report.accessibility import findings
from tests.report.markup import Element, parse
from tests.report.synthetic import NINE, cell, result, write_suite
from tests.report.test_leaderboard import text_of
from tests.test_submission import entry_of

STABILITY = "edm/molecule_stability"
NOTHING = {"parameters": 0, "steps": 0, "samples": 0, "flops": 0.0, "training_seconds": 0.0}


def untrained(of: Result, quality: float) -> Result:
    made = result(of.cell, quality)
    return made.model_copy(update={"cost": made.cost.model_copy(update=NOTHING)})


def write_with_floor(folder: Path, quality: float = 0.95, place: int = 4) -> None:
    """Nine cells, of which one has trained nothing; the best other has a quality of 0.9."""
    of = write_suite(folder)[place]
    write_json(folder / f"{of.provenance.cell_key}.json", untrained(of, quality))


def page_of(folder: Path) -> Element:
    return parse(report.build([folder], folder / "report.html").read_text())


def test_a_floor_stands_where_its_figures_put_it_and_is_never_the_best(tmp_path):
    write_with_floor(tmp_path)
    page = page_of(tmp_path)

    first, second, *others = page.one("table", class_="board").one("tbody").all("tr")
    assert first.attributes["data-label"] == NINE[4]
    assert first.one("th").one("small", class_="badge").text == "floor"
    assert not first.all("td", class_="best")
    assert second.attributes["data-label"] == NINE[0]
    assert len(second.all("td", class_="best")) == 6
    assert not [row for row in others if row.all("small", class_="badge")]
    assert "the best value of a column, floors aside" in page.one(id="s1-leaderboard").text
    answer = page.one("div", class_="answers").all("section")[0].text
    assert answer.startswith("Which model? gnn flow matching")
    assert answer.endswith(f"No better than 1 floor, of which nothing was trained: {NINE[4]}.")
    assert findings(page) == []


def test_a_floor_that_is_worse_needs_no_word_in_the_answer(tmp_path):
    write_with_floor(tmp_path, quality=0.2)

    assert "floor" not in page_of(tmp_path).one("div", class_="answers").text


def test_a_floor_is_in_no_front_and_the_page_says_how_it_is_drawn(tmp_path):
    write_with_floor(tmp_path)
    page = page_of(tmp_path)

    section = page.one("section", id="s1-cost")
    assert "A floor, of which nothing was trained, has no cost to stand at" in section.text
    assert NINE[4] not in section.one("table", id="s1-fronts").text
    points = json.loads(page.one("script", id="data").children[0])["charts"]["s1"]["points"]
    assert [point["name"] for point in points if point["floor"]] == [NINE[4]]


def test_a_suite_without_floors_does_not_speak_of_them(page):
    assert "floor" not in parse(page.read_text()).one("main").text.lower()


def test_of_floors_alone_the_best_is_one_and_is_marked(tmp_path):
    for place, of in enumerate(write_suite(tmp_path)):
        made = untrained(of, 0.9 - 0.05 * place)
        write_json(tmp_path / f"{of.provenance.cell_key}.json", made)
    page = page_of(tmp_path)

    answer = page.one("div", class_="answers").all("section")[0]
    assert answer.text.startswith("Which model? gnn flow matching floor")
    fronts = page.one("table", id="s1-fronts").one("tbody").all("td")
    assert {entry.text for entry in fronts} == {"none"}


def test_the_terminal_marks_a_floor(tmp_path):
    write_with_floor(tmp_path)
    folder = read_folder(tmp_path)

    text = text_of(terminal_table(folder.results, folder.reference))

    assert text.count("(floor)") == 1


def test_of_each_data_set_the_best_was_trained_here(tmp_path):
    write_with_floor(tmp_path / "grid_mini")
    entry_of(tmp_path / "grid_mini", "Better", 0.97)
    suite = suite_context("s1", read_folder(tmp_path / "grid_mini"))

    (contest,) = contests([suite])

    assert [entry.row.label for entry in contest.entries][:3] == ["Better", NINE[4], NINE[0]]
    assert contest.best is contest.entries[2]
    assert contest.others == 7
    assert contest.rivals <= contest.others


def test_contenders_are_what_was_trained_or_else_the_floors(tmp_path):
    write_with_floor(tmp_path)
    entry_of(tmp_path, "Better", 0.97)
    folder = read_folder(tmp_path)
    rows = leaderboard(folder.results, None, folder.external)

    trained = contenders(rows)
    assert len(trained) == 8
    (floor,) = (row for row in rows if row.is_floor)
    (external,) = (row for row in rows if row.kind == "external")
    assert not external.is_floor
    assert contenders([floor, external]) == [floor]
    assert no_worse([floor, trained[-1]], STABILITY, trained[0]) == [floor]
    assert no_worse([trained[0]], STABILITY, trained[0]) == [trained[0]]


@pytest.mark.parametrize("steps", [0, 1])
def test_one_step_is_training(steps):
    made = result(cell({"encoder": "gcn"}), 0.5)
    made = made.model_copy(update={"cost": made.cost.model_copy(update={"steps": steps})})

    (row,) = leaderboard([made], None)

    assert row.is_floor == (steps == 0)


def test_models_are_told_apart_by_a_figure_in_which_they_differ_not_by_their_floor_s(tmp_path):
    """On molecules' stability all are equal but the floor; the best is sought by that of atoms."""
    write_with_floor(tmp_path, quality=0.2)
    for path in tmp_path.glob("*.json"):
        if len(path.name) == len("0123456789abcdef.json"):
            made = json.loads(path.read_text())
            if made["cost"]["steps"]:
                made["estimates"][STABILITY]["value"] = 0.5
            path.write_text(json.dumps(made))
    page = page_of(tmp_path)

    answer = page.one("div", class_="answers").all("section")[0].text
    assert answer.startswith("Which model? gnn flow matching")


def test_figures_of_another_version_are_not_as_good():
    of = cell({"architecture": "gnn", "process": "diffusion"})
    older, newer = result(of, 0.9), result(of, 0.5)
    newer.estimates[STABILITY] = newer.estimates[STABILITY].model_copy(update={"version": "9"})
    (floor,), (ours,) = (leaderboard([each], None) for each in (older, newer))

    assert no_worse([floor], STABILITY, ours) == []
