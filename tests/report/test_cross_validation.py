"""The table of a suite that is cross-validated."""

import json
from itertools import product
from pathlib import Path

import pytest

from assay import report
from assay.errors import DataError
from assay.report.cross_validation import cross_validation
from assay.report.folders import read_folder
from assay.report.overview import contests
from assay.report.suite import suite_context
from assay.result import write_bytes, write_json
from tests.report.accessibility import findings
from tests.report.markup import Element, parse
from tests.report.synthetic import cell, estimate, result
from tests.test_cli import invoke

FOLDS, SEEDS, PLANETS = ("1", "2", "3"), (0, 1), 4


def told(fusion: str, fold: str, seed: int) -> list[dict]:
    """Four planets of labels 0 to 0.75; one is foretold 0.1 too much or, by the mean, as 0.375."""
    planets = [(int(fold) * 100 + k, 0.25 * k) for k in range(PLANETS)]
    guess = (lambda y: 0.375) if fusion == "training_mean" else (lambda y: y + 0.1 + 0.1 * seed)
    return [
        {"record": record, "group": f"g{record}", "habitability": y, "foretold": guess(y)}
        for record, y in planets
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    found = tmp_path_factory.mktemp("folds")
    for fusion, fold, seed in product(("late", "training_mean"), FOLDS, SEEDS):
        of = cell({"fusion": fusion, "fold": fold}, seed) | {"family": "habitability"}
        of["settings"] = {"fold": int(fold)}
        scored = {"habitability/mae": estimate(0.1 + 0.01 * int(fold))}
        plain = result(of, 0.5).model_copy(update={"estimates": scored})
        key = plain.provenance.cell_key
        write_json(found / f"{key}.json", plain)
        if (fusion, fold, seed) == ("training_mean", "3", 1):
            continue
        lines = "".join(json.dumps(line) + "\n" for line in told(fusion, fold, seed))
        write_bytes(found / f"{key}.predictions.jsonl", lines.encode())
    suite = {
        "name": "folds", "title": "Folds", "family": "habitability", "data": "gcm_planets",
        "grid": {"fusion": ["late", "training_mean"], "fold": list(FOLDS)}, "seeds": list(SEEDS),
        "budget": {"steps": 100},
    }  # fmt: skip
    write_json(found / "suite.json", suite)
    return found


def test_a_model_has_one_row_of_all_folds(folder):
    table = cross_validation(read_folder(folder))

    assert table is not None
    late, floor = table.rows
    assert late[0] == "late"
    assert late[2].startswith("0.15 ["), "the mean of 0.1 and 0.2"
    # Squares about 0.375 are 0.078125 on average: 1 - (0.01 + 0.04) / 2 / 0.078125.
    assert late[1].startswith("0.68 [")
    assert late[3].startswith("-0.1 ["), "the mean errs by 0.25"
    assert late[4:] == ("2", "12", "12")
    assert floor[0] == "training_mean"
    assert floor[1].startswith("0 [")
    assert floor[3:] == ("–", "1", "12", "12")
    assert table.caption.endswith("left out for lack of a fold: training_mean, seed 1")


def test_the_page_has_the_table_and_a_way_to_it(folder, tmp_path):
    page: Element = parse(report.build([folder], tmp_path / "report.html").read_text())

    section = page.one("section", id="s1-folds")
    assert section.one("caption").text == "3 folds as one"
    assert [row.one("th").text for row in section.one("tbody").all("tr")] == [
        "late", "training_mean"
    ]  # fmt: skip
    assert not findings(page)


def test_other_suites_have_none(one_seed):
    assert cross_validation(read_folder(one_seed)) is None


def test_folds_are_not_ranked_or_tested_against_each_other(folder):
    of_suite = suite_context("s0", read_folder(folder))

    assert of_suite["folds"] is not None
    assert of_suite["differences"] == []
    assert contests([of_suite]) == []
    with pytest.raises(DataError, match="folds are judged by other planets each"):
        invoke("compare", str(folder))
