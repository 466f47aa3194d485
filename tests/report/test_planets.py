"""The figures of a suite of planets: what was read and foretold, modalities, reliability."""

import json
from pathlib import Path

import numpy as np
import pytest

from assay import report
from assay.errors import DataError
from assay.report.planet_drawing import COLOURS, Scale, described, mean_K, ticks
from tests.report.accessibility import findings
from tests.report.markup import Element, parse
from tests.report.synthetic_planets import planets, write_planets


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    found = tmp_path_factory.mktemp("planets")
    write_planets(found)
    return found


@pytest.fixture(scope="module")
def page(folder, tmp_path_factory) -> Element:
    out = tmp_path_factory.mktemp("page") / "report.html"
    return parse(report.build([folder], out).read_text())


def shown(page: Element) -> list[Element]:
    return page.one("section", id="s1-planets").all("section")


def cells(table: Element) -> list[list[str]]:
    rows = table.one("tbody").all("tr")
    return [[e.text for e in row.children if isinstance(e, Element)] for row in rows]


def test_a_planet_is_drawn_once_with_what_every_model_made_of_it(page):
    first, second = shown(page)

    assert first.one("h3").text == "Vulcan <b>, guest 1 habitability 0.250"
    assert first.one("blockquote").text == "A world of <i>an M dwarf</i>."
    assert cells(first.all("table")[0]) == [
        ["late", "0.250", "12.5%", "+0.000", "2"],
        ["training_mean", "0.450", "22.5%", "+0.200", "2"],
    ]
    assert cells(second.all("table")[0])[0] == ["late", "0.250", "12.5%", "+0.250", "2"]


def test_a_map_has_a_place_for_every_number_a_scale_and_a_table(page):
    drawn = shown(page)[0].one("svg", class_="map")
    places = drawn.all("rect")

    assert len(places) == 3 * 4 + 24
    scale = Scale(240.0, 320.0)
    assert places[0].attributes["fill"] == scale.colour(250.0)
    assert places[5].attributes["fill"] == scale.colour(310.0)
    tops = [float(each.attributes["y"]) for each in places[:12:4]]
    assert tops == sorted(tops, reverse=True), "north is above"
    texts = [each.text for each in drawn.all("text")]
    assert {"60°N", "0°", "60°S", "270°", "240", "280", "320", "K"} <= set(texts)
    table = next(t for t in shown(page)[0].all("table") if "latitude" in t.text.lower())
    assert cells(table) == [
        ["60°N", "255", "256", "257", "258"],
        ["0°", "300", "310", "290", "280"],
        ["60°S", "250", "251", "252", "253"],
    ]


def test_a_spectrum_has_its_noise_as_a_band_and_a_table(page):
    drawn = shown(page)[0].one("svg", class_="spectrum")
    line = drawn.one("path", class_="line").attributes["d"]
    band = drawn.one("path", class_="noise").attributes["d"]

    assert line == "M40.0 43.0L106.0 131.0L304.0 21.0", "1 and 5 µm are at the ends"
    assert band.count("L") == 5
    assert "from -30 to 20 ppm between 1 and 5 µm" in drawn.one("desc").text
    table = next(t for t in shown(page)[0].all("table") if "spectrum" in t.text)
    assert cells(table)[1] == ["2.000", "-30", "5"]


def test_what_a_planet_lacks_is_said_and_not_drawn(page):
    bare = shown(page)[1]

    assert not bare.all("svg")
    assert "It lacks bio graphs, climate cubes, spectra, planet params." in bare.text
    assert not bare.all("details")


def test_a_map_is_described_by_its_mean_over_area_and_its_extremes():
    file = planets(0.5)
    (whole, _), thirds = file.planets, np.diff(np.sin(np.radians([-90, -30, 30, 90]))) / 2

    assert mean_K(whole) == pytest.approx(thirds @ [251.5, 295.0, 256.5])
    told = described(whole, file)
    assert told.endswith("274 K by area, from 250 K at 60°S, 0° to 310 K at 0°, 90°")


def test_a_scale_goes_from_cold_to_hot_by_round_numbers():
    scale = Scale.of([251.0, 303.0])

    assert scale == Scale(240.0, 320.0)
    assert scale.colour(240.0) == "#" + "".join(f"{part:02x}" for part in COLOURS[0])
    assert scale.colour(320.0) == "#" + "".join(f"{part:02x}" for part in COLOURS[-1])
    assert scale.ticks() == [240, 260, 280, 300, 320]
    assert Scale.of([240.0]) == Scale(240.0, 260.0)
    assert ticks(-3.0, 11.0) == [0, 5, 10]


def test_rises_are_of_modalities_that_a_model_reads_over_its_seeds(page):
    hidden, swapped = page.one("section", id="s1-modalities").all("table")[:2]

    assert "modality is hidden" in hidden.one("caption").text
    assert "another planet's" in swapped.one("caption").text
    # Student's t over two seeds, 0.20 and 0.21: 12.706 times half their distance.
    network, words = "+0.2050 [+0.1415, +0.2685]", "+0.0250 [-0.0385, +0.0885]"
    assert cells(hidden) == [["late", network, "–", "–", words, "–"]]


def test_sets_of_modalities_are_of_models_that_join_them_the_best_first(page):
    (table,) = page.one("section", id="s1-modalities").one("details").all("table")

    assert table.one("caption").text == "late"
    assert cells(table) == [
        ["everything", "0.1050", "+0.400", "2"],
        ["bio graphs", "0.1550", "+0.350", "2"],
        ["nothing", "0.3050", "+0.200", "2"],
    ]


def test_reliability_pools_the_seeds_of_a_model(page):
    charts = json.loads("".join(page.one("script", id="data").children))["charts"]["s1"]
    late, floor = charts["reliability"]

    assert (late["name"], floor["name"]) == ("late", "training_mean")
    assert late["points"] == [[0.046, 0.08, 100], [0.5, 0.4, 10], [0.95, 1.0, 20]]
    section = page.one("section", id="s1-reliability")
    assert cells(section.one("table"))[0] == ["late", "4.6%", "8.0%", "100"]
    assert section.one("figure").attributes["data-counted"] == "records"


def test_ways_lead_to_the_figures_and_nothing_breaks_a_rule(page):
    ways = [a.attributes["href"] for a in page.one("nav", class_="ways").all("a")]

    assert {"#s1-planets", "#s1-modalities", "#s1-reliability"} <= set(ways)
    assert findings(page) == []


def test_a_folder_without_planets_still_has_reliability_and_modalities(tmp_path):
    write_planets(tmp_path, with_planets=False)
    page = parse(report.build([tmp_path], tmp_path / "report.html").read_text())

    assert not page.all("section", id="s1-planets")
    assert page.one("section", id="s1-modalities").all("table")
    assert page.one("section", id="s1-reliability").all("table")
    assert findings(page) == []


def test_of_many_planets_the_first_are_drawn_and_the_page_says_so(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("assay.report.planets.MOST_DRAWN", 1)
    page = parse(report.build([folder], tmp_path / "report.html").read_text())

    assert len(shown(page)) == 1
    assert "1 planet more is not drawn." in page.one("section", id="s1-planets").text


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("planets", {"planets": []}, "planets.json: key 'latitudes_deg' is required"),
        (
            "planets",
            planets(0.5).model_dump(mode="json") | {"latitudes_deg": [0.0]},
            "planet Vulcan <b>, guest 1: its map is not of 1 by 4 places",
        ),
        ("reliability", [{"records": 3}], r"reliability.json: key 'bins.0.probability' is req"),
        ("modalities", {"subsets": []}, "modalities.json: key 'rises' is required"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(tmp_path, name, content, said):
    write_planets(tmp_path, ["late"], [0])
    for path in tmp_path.glob(f"*.{name}.json"):
        path.write_text(json.dumps(content))

    with pytest.raises(DataError, match=said):
        report.build([tmp_path], tmp_path / "report.html")
