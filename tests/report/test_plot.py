"""A figure holds every model once, where its numbers are, and says below what it stands for."""

import json
import re
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from assay.cli import app
from assay.errors import ConfigError, DataError
from assay.report.folders import read_folder
from assay.report.leaderboard import leaderboard, representatives
from assay.report.plot import plot
from assay.result import read_results, write_json
from tests.report.synthetic import NINE, estimate, result, write_suite

SVG = "{http://www.w3.org/2000/svg}"


def texts(path) -> list[str]:
    root = ElementTree.parse(path).getroot()
    return ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]


def points(path, colour: str) -> list[tuple[float, float]]:
    """Where markers of a colour stand, in the order in which they were drawn."""
    used = re.compile(rf'<use xlink:href="#\w+" x="([\d.]+)" y="([\d.]+)"[^>]*fill: {colour}')
    return [(float(x), float(y)) for x, y in used.findall(path.read_text("utf-8"))]


def test_models_stand_in_the_leaderboards_order_at_their_values(three_seeds, tmp_path):
    folder, out = read_folder(three_seeds), tmp_path / "figure.svg"
    caption = plot(folder, ["edm/atom_stability", "edm/validity"], out)

    ranked = representatives(leaderboard(folder.results, None))
    labels = [each for each in texts(out) if each.replace(" ", "_") in NINE]
    assert labels == [row.label.replace("_", " ") for row in ranked]
    assert "Atom stability, % →" in texts(out)
    drawn = points(out, "#0f6e7c")
    assert len(drawn) == 2 * len(ranked)
    values = [row.estimates["edm/atom_stability"].value for row in ranked]
    of_panel = [x for x, _ in drawn[: len(ranked)]]
    slope = (of_panel[-1] - of_panel[0]) / (values[-1] - values[0])
    assert of_panel == pytest.approx([of_panel[0] + slope * (v - values[0]) for v in values])
    heights = [y for _, y in drawn[: len(ranked)]]
    assert heights == sorted(heights)
    for words in ("Means over 3 seeds, with Student's 95 % intervals.",
                  "Validity: edm/validity, version 1.", "27 cells of"):  # fmt: skip
        assert words in caption
    assert "Grey" not in caption


def test_the_same_results_give_the_same_bytes(one_seed, tmp_path):
    folder = read_folder(one_seed)
    for end in ("svg", "pdf", "png"):
        for name in ("one", "two"):
            plot(folder, [], tmp_path / f"{name}.{end}")
        one, two = ((tmp_path / f"{name}.{end}").read_bytes() for name in ("one", "two"))
        assert one == two
        assert len(one) > 5000


def test_floors_are_grey_and_real_data_a_line(tmp_path):
    made = write_suite(tmp_path)[0]
    cost = made.cost.model_copy(update={"steps": 0})
    path = tmp_path / f"{made.provenance.cell_key}.json"
    write_json(path, made.model_copy(update={"cost": cost}))
    out = tmp_path / "figure.svg"
    caption = plot(read_folder(tmp_path), ["edm/validity"], out)

    assert len(points(out, "#8a8f98")) == 1
    assert len(points(out, "#0f6e7c")) == len(NINE) - 1
    assert "Grey: nothing was trained." in caption
    reference = read_folder(tmp_path).reference
    assert reference is not None
    assert f"Dashed: real data ({reference.label})" in caption
    assert "stroke: #c2410c" in out.read_text()
    assert "Of models with one seed: 95 % intervals over n = 1,000." in caption


def test_a_figure_of_another_version_is_left_out_and_said(tmp_path):
    made = write_suite(tmp_path)[0]
    other = result(made.cell, 0.5)
    estimates = dict(other.estimates) | {"edm/validity": estimate(0.5, version="2")}
    path = tmp_path / f"{made.provenance.cell_key}.json"
    write_json(path, other.model_copy(update={"estimates": estimates}))
    out = tmp_path / "figure.svg"
    caption = plot(read_folder(tmp_path), ["edm/atom_stability", "edm/validity"], out)

    assert f"Validity: edm/validity, version 1; not of {other.label}." in caption
    assert len(points(out, "#0f6e7c")) == 2 * len(NINE) - 1


def test_what_cannot_be_drawn_is_one_sentence_and_leaves_nothing(one_seed, tmp_path):
    folder = read_folder(one_seed)
    with pytest.raises(ConfigError, match=r"figure\.gif: is no figure; give a file that ends in"):
        plot(folder, [], tmp_path / "figure.gif")
    with pytest.raises(DataError, match="no model has 'edm/beauty'; there are edm/atom_stability"):
        plot(folder, ["edm/beauty"], tmp_path / "figure.svg")
    with pytest.raises(ConfigError, match="5 metrics: give one to 4"):
        plot(folder, ["edm/validity"] * 5, tmp_path / "figure.svg")
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_stands_below(one_seed, tmp_path):
    out = tmp_path / "figure.pdf"
    words = ["plot", str(one_seed), "--metric", "edm/validity", "--out", str(out)]
    said = CliRunner().invoke(app, words)
    told = CliRunner().invoke(app, [*words, "--json"])

    assert (said.exit_code, told.exit_code) == (0, 0)
    assert out.read_bytes().startswith(b"%PDF")
    plain = json.loads(told.stdout)
    assert plain == {"path": str(out), "caption": said.stdout.strip()}
    assert f"{len(read_results(one_seed))} cells of {one_seed.name}" in plain["caption"]
