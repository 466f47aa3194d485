"""Captions beside structures in the page of a captioning suite."""

import json

import pytest

from assay import report
from assay.errors import DataError
from assay.report.captions import read_captions
from assay.result import write_json
from tests.report.markup import parse
from tests.report.synthetic import cell, result

ACID = {
    "smiles": "OC(=O)c1ccccc1",
    "prediction": "It is a carboxylic acid and a nitrile that lacks an ester.",
    "reference": "It is benzoic acid.",
}
NOTHING = {"smiles": "CCO", "prediction": "", "reference": "It is ethanol."}


@pytest.fixture
def lines(tmp_path):
    def written(*said):
        path = tmp_path / "it.captions.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in said))
        return path

    return written


def test_what_holds_and_what_does_not_is_told_and_its_atoms_are_marked(lines):
    (told,) = read_captions(lines(ACID), 4)

    assert told.holds == ["carboxylic acid", "no ester"]
    assert told.errs == ["nitrile"]
    (plain,) = read_captions(lines({**ACID, "prediction": "It is a compound."}), 4)
    assert told.drawing.count("<ellipse") - plain.drawing.count("<ellipse") == 3  # C, O and O
    assert told.drawing.startswith("<svg")


def test_the_first_ones_are_shown(lines):
    assert len(read_captions(lines(*[ACID] * 6), 4)) == 4


def test_what_cannot_be_drawn_is_shown_all_the_same(lines):
    (told,) = read_captions(lines({**ACID, "smiles": "C1CC"}), 4)

    assert (told.drawing, told.prediction) == (None, ACID["prediction"])


@pytest.mark.parametrize("wrong", ["{", '{"smiles": "C"}', "[]"])
def test_a_line_that_is_no_caption_is_one_sentence(lines, wrong):
    path = lines(ACID)
    path.write_text(path.read_text() + wrong + "\n")

    with pytest.raises(DataError, match="line 2 is no caption with smiles, prediction and"):
        read_captions(path, 4)


def test_the_page_shows_them_and_escapes_what_models_write(tmp_path):
    folder = tmp_path / "captions"
    folder.mkdir()
    of = cell({"generator": "latent_prefix"}) | {"family": "captioning"}
    plain = result(of, 0.5)
    key = plain.provenance.cell_key
    write_json(folder / f"{key}.json", plain)
    suite = {
        "name": "captions", "title": "Captions", "family": "captioning", "data": "mini_captions",
        "grid": {"generator": ["latent_prefix"]}, "seeds": [0], "budget": {"steps": 100},
    }  # fmt: skip
    write_json(folder / "suite.json", suite)
    wild = {**NOTHING, "prediction": "<script>alert(1)</script>"}
    text = "".join(json.dumps(each) + "\n" for each in (ACID, NOTHING, wild))
    (folder / f"{key}.captions.jsonl").write_text(text)

    page = parse(report.build([folder], tmp_path / "report.html").read_text())

    shown = page.one("ul", class_="captions").all("li")
    assert [each.one("p", class_="said").text for each in shown] == [
        ACID["prediction"], "(nothing)", "<script>alert(1)</script>",
    ]  # fmt: skip
    assert [e.text for e in shown[0].all("span", class_="good")] == ["carboxylic acid", "no ester"]
    assert [e.text for e in shown[0].all("span", class_="bad")] == ["nitrile: not so"]
    assert all(each.all("svg") for each in shown)
    assert any(a.text == "Captions" for a in page.one("nav", class_="ways").all("a"))
