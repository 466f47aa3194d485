"""Samples that are crystals: their cells are drawn, and nothing is said of valences."""

import json
from pathlib import Path

import numpy as np
import pytest

from assay import report
from assay.errors import DataError
from assay.report.sketch import EDGES, sketch_crystal
from tests.report.accessibility import findings
from tests.report.markup import Element, parse
from tests.report.synthetic import SALT, SLANTED, write_crystals


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Element:
    folder = tmp_path_factory.mktemp("crystals")
    write_crystals(folder)
    return parse(report.build([folder], folder / "report.html").read_text())


def test_every_cell_has_a_row_of_crystals_in_their_boxes(page):
    rows = page.one(class_="gallery").all("section")

    assert len(rows) == 9
    for row in rows:
        buttons = row.all("button")
        states = [button.one(class_="state").text for button in buttons]
        assert states == ["8 atoms", "2 atoms", "8 atoms", "not finite"] * 2
        assert buttons[0].attributes["aria-label"].endswith(": Cl4Na4, 8 atoms")
        assert len(buttons[0].all("circle")) == 8
        assert len(buttons[0].all("path", class_="edge")) == len(buttons[0].all("path")) == 12
    assert findings(page) == []


def test_nothing_is_said_of_valences(page):
    samples = page.one("section", id="s1-samples")

    assert "stable" not in samples.text
    assert "valence" not in samples.text
    assert "Of a crystal the atoms of one cell are drawn" in samples.text
    assert not samples.all(class_="bad", tag="circle")


def test_the_viewer_is_given_the_cell(page):
    data = json.loads(page.one("script", id="data").children[0])
    salt = data["molecules"][next(iter(data["molecules"]))][0]

    corners = np.array(salt["c"]).reshape(8, 3)
    lengths = [np.linalg.norm(corners[a] - corners[b]) for a, b in EDGES]
    assert lengths == pytest.approx([5.64] * 12, abs=0.02)
    assert salt["b"] == salt["u"] == []


@pytest.mark.parametrize("lattice", [SALT, SLANTED, -SLANTED], ids=["salt", "slanted", "left"])
def test_a_view_keeps_lengths_and_hands(lattice):
    frac_coords = np.random.default_rng(0).random((5, 3))

    drawn = sketch_crystal(frac_coords, np.full(5, 11), lattice)

    places = (frac_coords - 0.5) @ lattice
    expected, found = (
        np.sort(np.linalg.norm(each[:, None] - each, axis=2).ravel())
        for each in (places, drawn.positions)
    )
    assert found == pytest.approx(expected)
    vectors = drawn.corners[[1, 2, 4]] - drawn.corners[0]
    assert np.linalg.det(vectors) == pytest.approx(np.linalg.det(lattice))
    assert vectors @ vectors.T == pytest.approx(lattice @ lattice.T)
    assert (np.diff(drawn.positions[:, 2]) >= 0).all()


def test_a_flat_cell_is_drawn():
    flat = np.array([[3.0, 0, 0], [6.0, 0, 0], [0, 0, 0]])

    drawn = sketch_crystal(np.array([[0.1, 0.2, 0.3]]), np.array([11]), flat)

    assert drawn.drawable
    assert np.isfinite(drawn.corners).all()


def test_crystals_without_their_cells_are_refused_by_name(tmp_path):
    key = write_crystals(tmp_path)[0].provenance.cell_key
    path: Path = tmp_path / f"{key}.samples.npz"
    np.savez(path, frac_coords=np.zeros((1, 3)), numbers=np.ones(1, np.uint8), n_atoms=np.ones(1))

    with pytest.raises(DataError, match=rf"{key}.*has no array 'positions'"):
        report.build([tmp_path], tmp_path / "report.html")
