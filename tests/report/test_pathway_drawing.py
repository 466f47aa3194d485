import math
import re

import pytest

from assay.pathways.figures import Drawn
from assay.report.pathway_drawing import LONGEST_NAME, described, edge_rows, svg
from tests.report.markup import parse

CHAIN = Drawn(
    title="glycolysis", compounds=["a", "b", None],
    names=["glucose", "glucose 6-phosphate", "unnamed"], edges=[(0, 1, False), (1, 2, True)],
)  # fmt: skip


def drawn(pathway=CHAIN, shared=frozenset()):
    return parse(svg(pathway, "x", shared)).one("svg")


def points(path) -> list[tuple[float, float]]:
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", path.attributes["d"])]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_a_drawing_says_what_it_shows():
    picture = drawn()

    assert picture.attributes["role"] == "img"
    assert picture.attributes["aria-labelledby"] == "x-t x-d"
    assert picture.one("title", id="x-t").text == "glycolysis"
    assert picture.one("desc", id="x-d").text == described(CHAIN)
    assert described(CHAIN) == "3 compounds and 2 directed edges, 1 of them reversible"
    assert edge_rows(CHAIN)[1] == ("glucose 6-phosphate", "unnamed", "yes")


def test_compounds_stand_below_each_other_with_their_names():
    picture = drawn()

    assert [each.text for each in picture.all("text")] == list(CHAIN.names)
    heights = [float(each.attributes["cy"]) for each in picture.all("circle")]
    assert heights == sorted(heights)
    assert len(set(heights)) == 3


def test_an_arrow_ends_at_the_rim_of_its_product_and_a_reversible_one_at_both():
    picture = drawn()
    balls = [(float(c.attributes["cx"]), float(c.attributes["cy"])) for c in picture.all("circle")]

    tips = [points(head)[0] for head in picture.all("path", class_="head")]

    assert len(tips) == 3
    for tip, ball in zip(tips, (balls[1], balls[2], balls[1]), strict=True):
        assert math.dist(tip, ball) == pytest.approx(5, abs=0.1)
    assert tips[0][1] < balls[1][1] < tips[2][1], "one from above, one from below"


def test_an_edge_and_its_reverse_are_one_line_with_two_heads():
    both = CHAIN.model_copy(update={"edges": [(0, 1, False), (1, 0, False), (1, 2, False)]})
    picture = drawn(both)

    assert len(picture.all("path", class_="line")) == 2
    assert len(picture.all("path", class_="head")) == 3


def test_what_both_have_is_ringed():
    marked = drawn(shared={"b"}).all("g", class_="shared")

    assert [each.text for each in marked] == ["glucose 6-phosphate"]
    assert drawn().all("g", class_="shared") == []


def test_everything_is_within_the_picture():
    wide = Drawn(
        title="t", compounds=[None] * 9, names=["a rather long name"] * 9,
        edges=[*((0, k, False) for k in range(1, 8)), (1, 8, False), (8, 0, False)],
    )  # fmt: skip
    picture = drawn(wide)
    _, _, width, height = map(float, picture.attributes["viewbox"].split())

    for path in picture.all("path"):
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points(path))
    for text in picture.all("text"):
        assert float(text.attributes["x"]) + 5.6 * len(text.text) <= width


def test_a_long_name_is_cut_and_whole_in_its_tooltip_and_nothing_is_markup():
    name = "<b>N-acetyl</b>-alpha-D-glucosaminide & more"
    long = CHAIN.model_copy(update={"names": [name, "b", "c"]})
    picture = drawn(long)

    first = picture.all("g")[0]
    assert first.one("title").text == name
    assert len(first.one("text").text) == LONGEST_NAME
    assert not picture.all("b")
