import json
import re
import time
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from assay import report
from assay.config import digest16
from assay.errors import ConfigError, DataError
from assay.report.suite import _command
from assay.result import write_json
from tests.report.markup import Element, parse
from tests.report.synthetic import GRID, NINE, cell, result, write_cell, write_suite


def read(path: Path) -> Element:
    return parse(path.read_text())


def board(document: Element) -> Element:
    return document.one("table", class_="board")


def test_all_nine_cells_are_named_with_intervals_and_n(page):
    rows = board(read(page)).one("tbody").all("tr")
    assert {row.attributes["data-label"] for row in rows} == set(NINE)
    assert len(rows) == 9
    for row in rows:
        measured = row.all("td", class_="m")
        assert len(measured) == 6
        for entry in measured:
            assert re.match(r"\d+\.\d % \[\d+\.\d, \d+\.\d\] n = 1,000", entry.text)
            assert "95 % interval, n = 1,000" in entry.attributes["title"]


def test_a_value_is_written_as_its_result_says(page):
    best = board(read(page)).one("tbody").all("tr")[0]
    assert best.attributes["data-label"] == "gnn-flow_matching"
    # Validity is 0.9 × (0.7 + 2 × 0.06) = 0.738; 1.96 √(0.738 × 0.262 / 1000) = 0.0273.
    assert best.all("td", class_="m")[2].text.startswith("73.8 % [71.1, 76.5]")


def test_the_data_row_stands_outside_the_sortable_body(page):
    table = board(read(page))
    (row,) = table.one("tfoot").all("tr")
    assert "Real data" in row.text
    assert row.all("td", class_="m")[0].text.startswith("98.5 %")
    assert "Real data" not in table.one("tbody").text


def test_costs_and_protocol_stand_beside_quality(page):
    table = board(read(page))
    heads = [head.text for head in table.one("thead").all("th")]
    assert "Quality: edm protocol, version 1" in heads
    for cost in ("Parameters", "Samples seen", "FLOPs measured", "Time training",
                 "Throughput samples/s", "Memory peak", "Hardware"):  # fmt: skip
        assert cost in heads
    best = table.one("tbody").all("tr")[0]
    texts = [entry.text for entry in best.all("td")][7:]
    assert texts == ["120 k", "100 k", "1.70 T", "1 min 01 s", "1.64 k", "400 MB",
                     "cpu, 1 thread"]  # fmt: skip


def test_the_head_says_what_was_run(page):
    facts = read(page).one("details", class_="facts").text
    for text in ("grid_mini", "9 of 9 finished", "100,000 samples a cell", "2,400 molecules",
                 "0123456789abcdef", "edm 1", "torch 2.12.0", "dddddddddd"):  # fmt: skip
        assert text in facts


def test_tables_are_marked_up_for_screen_readers(page):
    document = read(page)
    for table in document.all("table"):
        assert table.one("caption").text
        for head in table.all("th"):
            assert head.attributes["scope"] in ("row", "col", "colgroup")
    assert len(board(document).all("th", **{"aria-sort": "descending"})) == 1
    identities = [e.attributes["id"] for e in document.all() if "id" in e.attributes]
    assert len(identities) == len(set(identities))
    for element in document.all():
        assert element.attributes.get("aria-labelledby", identities[0]) in identities


def test_nothing_is_loaded_from_anywhere(page):
    document = read(page)
    policy = document.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    for element in document.all():
        for name in ("src", "href", "action", "data", "srcset", "poster"):
            assert element.attributes.get(name, "#").startswith("#")
    (style,) = document.all("style")
    assert "@import" not in style.text
    assert "url(" not in style.text
    assert not document.all("link")


def test_a_page_of_nine_cells_is_below_8_MB(page):
    assert page.stat().st_size < 8_000_000


def test_the_grid_shows_each_metric_by_architecture_and_process(page):
    tables = read(page).all("table", class_="heat")
    assert len(tables) == 6
    stability = tables[1]
    assert stability.one("caption").text.startswith("Molecule stability")
    assert [head.text for head in stability.one("thead").all("th")] == [
        "flow matching", "diffusion", "stochastic interpolant",
    ]  # fmt: skip
    diffusion_of_transformer = stability.one("tbody").all("tr")[1].all("td")[1]
    assert diffusion_of_transformer.text == "53.2 % [50.1, 56.3]"


def test_every_cell_has_a_row_of_samples_that_open(page):
    document = read(page)
    rows = document.one(class_="gallery").all("section")
    assert len(rows) == 9
    for row in rows:
        buttons = row.all("button")
        assert [b.one(class_="state").text for b in buttons] == ["stable"] * 3 + ["unstable"] + [
            "stable"
        ] * 3 + ["unstable"]
        assert buttons[1].attributes["aria-label"].endswith(": CH4, stable")
        assert len(buttons[1].all("circle")) == 5
        assert len(buttons[1].all("path")) == 4


def test_provenance_names_the_command_that_makes_a_cell_again(three_seeds, page_of_three_seeds):
    document = read(page_of_three_seeds)
    key = digest16(cell({"architecture": "gnn", "process": "diffusion"}, seed=2))
    details = document.one("details", id=f"s1-{key}")
    assert details.one("pre", class_="command").text == (
        f"git checkout dddddddddd assay train {three_seeds}/suite.json --cell gnn-diffusion "
        "--set 'seeds=[2]'"
    )
    shown = json.loads(details.one("pre", class_="json").text)
    assert digest16(shown) == key


def test_one_seed_says_what_its_intervals_do_not_cover(page):
    text = read(page).one("section", id="s1-leaderboard").text
    assert "One seed: intervals cover evaluation, not training." in text


def test_seeds_stand_below_their_mean(page_of_three_seeds):
    rows = board(read(page_of_three_seeds)).one("tbody").all("tr")
    kinds = [row.attributes["class"] for row in rows]
    assert kinds == ["mean", "cell", "cell", "cell"] * 9
    for k in range(0, 36, 4):
        assert len({row.attributes["data-group"] for row in rows[k : k + 4]}) == 1
        assert "n = 3" in rows[k].all("td", class_="m")[0].text


def test_names_are_text_and_never_markup(tmp_path):
    evil = '</title></script><script>alert("1")</script><img src=x onerror=alert(2)>'
    write_suite(tmp_path / "in", title=evil, grid={**GRID, "process": ["diffusion", evil]})
    out = report.build([tmp_path / "in"], tmp_path / "report.html")
    document = read(out)
    assert evil in document.one("h1").text
    assert evil in document.one("title").text
    assert not document.all("img")
    assert not [e for e in document.all() if "onerror" in e.attributes]
    assert [s.attributes.get("type") for s in document.all("script")] == [
        "application/json", None, None,
    ]  # fmt: skip
    data = json.loads(document.one("script", id="data").children[0])
    assert f"gnn-{evil}" in [point["name"] for point in data["charts"]["s1"]["points"]]


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ("with_curves", "No cell has stored curves."),
        ("with_samples", "No cell has stored samples."),
        ("with_reference", "The reference row is missing"),
    ],
)
def test_what_is_missing_is_said(tmp_path, lacking, said):
    write_suite(tmp_path / "in", **{lacking: False})
    document = read(report.build([tmp_path / "in"], tmp_path / "report.html"))
    assert said in document.one(class_="notes").text
    assert len(board(document).one("tbody").all("tr")) == 9


def test_cells_without_a_result_are_named(tmp_path):
    results = write_suite(tmp_path / "in")
    (tmp_path / "in" / f"{results[4].provenance.cell_key}.json").unlink()
    document = read(report.build([tmp_path / "in"], tmp_path / "report.html"))
    assert (
        "No result yet of 1 cell: transformer-diffusion, seed 0."
        in document.one(class_="notes").text
    )
    assert "8 of 9 finished" in document.one("details", class_="facts").text


def test_mixed_and_dirty_code_is_said(tmp_path):
    write_suite(tmp_path / "in")
    variant = {"architecture": "gnn", "process": "diffusion"}
    other = result(
        cell(variant), 0.5, git_commit="e" * 40, git_dirty=True, resumed=2, quarantined=1
    )
    write_cell(tmp_path / "in", other, 1, with_curves=True, with_samples=True)
    notes = read(report.build([tmp_path / "in"], tmp_path / "report.html")).one(class_="notes").text
    assert "These results mix 2 git commits (dddddddddd; eeeeeeeeee)." in notes
    assert "1 of 9 were computed from a working tree with uncommitted changes." in notes
    assert "1 cell carried on from a checkpoint" in notes
    assert "1 checkpoint did not verify" in notes


def test_clean_results_need_no_notes(page):
    assert not read(page).all(class_="notes")


def test_equal_models_have_no_winner(tmp_path):
    write_suite(tmp_path / "in")
    for path in (tmp_path / "in").glob("*.json"):
        if path.stem not in ("suite", "reference"):
            data = json.loads(path.read_text())
            data["estimates"] = {
                "edm/validity": {"value": 0.0, "low": 0.0, "high": 0.1, "n": 20, "version": "1",
                                 "better": "higher"},
                "edm/uniqueness": {"value": 0.0, "low": 0.0, "high": 1.0, "n": 0, "version": "1",
                                   "better": "higher"},
            }  # fmt: skip
            write_json(path, data)
    document = read(report.build([tmp_path / "in"], tmp_path / "report.html"))
    assert "None stands out" in document.one(class_="answers").text
    assert not board(document).all(class_="best")
    first = board(document).one("tbody").all("tr")[0]
    titles = [entry.attributes.get("title") for entry in first.all("td", class_="none")]
    assert "Uniqueness: nothing to measure it on" in titles


def test_several_suites_share_a_page(one_seed, three_seeds, tmp_path):
    document = read(report.build([one_seed, three_seeds], tmp_path / "report.html"))
    assert [a.attributes["id"] for a in document.all("article")] == ["s1", "s2"]
    boards = [table.attributes["id"] for table in document.all("table", class_="board")]
    assert boards == ["overview-models", "s1-board", "s2-board"]


def test_the_same_folder_gives_the_same_bytes_but_for_the_time(one_seed, tmp_path):
    pages = []
    for name in ("a.html", "b.html"):
        text = report.build([one_seed], tmp_path / name).read_text()
        pages.append(re.sub(r"<time .*?</time>", "", text))
    assert pages[0] == pages[1]


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no suite to report"):
        report.build([], tmp_path / "report.html")


def test_a_missing_or_empty_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere: no such folder"):
        report.build([tmp_path / "nowhere"], tmp_path / "report.html")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"empty: holds no result"):
        report.build([tmp_path / "empty"], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def spoil_json(path: Path) -> None:
    path.write_text(path.read_text()[:100])


def drop_estimates(path: Path) -> None:
    data = json.loads(path.read_text())
    del data["estimates"]
    write_json(path, data)


def edit_the_cell(path: Path) -> None:
    path.write_text(path.read_text().replace("0.001", "0.002"))


def spoil_curves(path: Path) -> None:
    path.with_suffix(".metrics.jsonl").write_text('{"samples": 1}\nnot json\n')


def spoil_samples(path: Path) -> None:
    path.with_suffix(".samples.npz").write_bytes(b"not an archive")


def tear_samples(path: Path) -> None:
    np.savez(path.with_suffix(".samples.npz"), positions=np.zeros((3, 3)),
             numbers=np.ones(3, np.uint8), n_atoms=np.array([4]))  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_json, "not readable as JSON"),
        (drop_estimates, "key 'estimates' is required"),
        (edit_the_cell, "does not hash to"),
        (spoil_curves, "line 2 is not JSON"),
        (spoil_samples, "cannot be read as npz"),
        (tear_samples, "n_atoms must be counts that sum to the 3 atoms"),
    ],
)
def test_a_corrupt_file_is_one_sentence_that_names_it(tmp_path, spoil, said):
    results = write_suite(tmp_path / "in")
    key = results[3].provenance.cell_key
    spoil(tmp_path / "in" / f"{key}.json")
    with pytest.raises(DataError, match=said) as caught:
        report.build([tmp_path / "in"], tmp_path / "report.html")
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "report.html").exists()


def test_a_suite_file_that_is_missing_is_named(tmp_path):
    write_suite(tmp_path / "in")
    (tmp_path / "in" / "suite.json").unlink()
    with pytest.raises(DataError, match=r"suite\.json"):
        report.build([tmp_path / "in"], tmp_path / "report.html")


def test_samples_that_are_not_finite_are_said_and_not_drawn(tmp_path):
    results = write_suite(tmp_path / "in")
    key = results[0].provenance.cell_key
    positions = np.array([[0, 0, 0], [np.nan, 0, 1]], np.float32)
    np.savez(tmp_path / "in" / f"{key}.samples.npz", positions=positions,
             numbers=np.array([6, 1], np.uint8), n_atoms=np.array([2, 0]))  # fmt: skip
    document = read(report.build([tmp_path / "in"], tmp_path / "report.html"))
    buttons = document.one(class_="gallery").all("section")[0].all("button")
    assert [b.one(class_="state").text for b in buttons] == ["not finite", "no atoms"]


@pytest.mark.slow
def test_a_thousand_cells_take_below_20_seconds(tmp_path):
    write_suite(
        tmp_path / "in",
        grid={
            "architecture": [f"a{k}" for k in range(10)],
            "process": [f"p{k}" for k in range(10)],
        },
        seeds=range(10),
    )
    started = time.process_time()  # of this process alone: others may share the machine
    out = report.build([tmp_path / "in"], tmp_path / "report.html")
    assert time.process_time() - started < 20
    text = out.read_text()
    assert all(f'data-label="a{a}-p{p}"' in text for a, p in product(range(10), range(10)))


def test_a_control_is_made_again_by_its_file_as_its_name_is_that_of_another():
    """A cell that was evaluated otherwise has the variant and the seed of the trained one."""
    made = SimpleNamespace(git_commit=None, cell_key="a" * 16)
    control = SimpleNamespace(git_commit=None, cell_key="b" * 16)
    results = [
        SimpleNamespace(label="bridge", cell={"seed": 0}, provenance=each)
        for each in (made, control)
    ]
    other = SimpleNamespace(label="bridge", cell={"seed": 1}, provenance=made)
    folder = SimpleNamespace(
        path=Path("results/c"), suite=SimpleNamespace(ladder=None, seeds=[0]),
        results=[*results, other],
    )  # fmt: skip

    commands = [_command(folder, each) for each in folder.results]

    assert commands[1] == f"assay reproduce results/c/{'b' * 16}.json"
    assert commands[0] == f"assay reproduce results/c/{'a' * 16}.json"
    assert commands[2] == "assay train results/c/suite.json --cell bridge --set 'seeds=[1]'"
