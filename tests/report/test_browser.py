"""The page in a real browser: nothing complains, tables sort, charts draw, molecules turn."""

import os
from pathlib import Path

import pytest

from assay import report
from assay.result import write_json
from tests.report.browser import CHROMIUM, browser
from tests.report.synthetic import write_crystals, write_suite
from tests.report.synthetic_pathways import write_pathways
from tests.report.synthetic_planets import write_planets
from tests.report.test_contenders import untrained, write_with_floor
from tests.report.test_distributions import write_distributions
from tests.report.test_quality_page import write_curves

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"{CHROMIUM} is missing: apt-get install chromium"
)
AXE = Path(os.environ.get("ASSAY_AXE", "node_modules/axe-core/axe.min.js"))
"""axe-core, as `npm install axe-core` leaves it."""
LABELS = "[...document.querySelectorAll('.board tbody tr')].map(row => row.dataset.label)"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def page_of_two(one_seed, three_seeds, tmp_path_factory) -> Path:
    return report.build([one_seed, three_seeds], tmp_path_factory.mktemp("two") / "report.html")


@pytest.fixture
def quiet(chromium):
    """The browser, which must have nothing to complain of, and nothing to fetch, in the end."""
    chromium.complaints.clear()
    chromium.requests.clear()
    yield chromium
    assert chromium.complaints == []
    assert [url for url in chromium.requests if not url.startswith(("file:", "blob:"))] == []


def click_head(number: int) -> str:
    return f"document.querySelectorAll('.board thead button')[{number}].click()"


def column(number: int) -> str:
    rows = "[...document.querySelectorAll('.board tbody tr')]"
    return f"{rows}.map(row => Number(row.cells[{number}].dataset.v))"


def test_a_click_on_a_head_sorts_and_a_second_turns_the_order(quiet, page):
    quiet.open(page)
    quiet.run(click_head(8))
    up = quiet.run(column(8))
    assert up == sorted(up)
    assert len(set(up)) == 9
    quiet.run(click_head(8))
    assert quiet.run(column(8)) == up[::-1]
    assert quiet.run("document.querySelectorAll('.board [aria-sort]').length") == 1
    assert quiet.run("document.querySelector('.board tfoot tr').innerText").startswith("Real data")
    assert "Parameters, descending" in quiet.run(
        "document.querySelector('[role=status]').innerText"
    )


def test_sorting_works_from_the_keyboard(quiet, page):
    quiet.open(page)
    assert quiet.run(LABELS) != sorted(quiet.run(LABELS))
    quiet.run("document.querySelectorAll('.board thead button')[0].focus()")
    quiet.press("Enter")
    assert quiet.run(LABELS) == sorted(quiet.run(LABELS))
    quiet.press("Enter")
    assert quiet.run(LABELS) == sorted(quiet.run(LABELS), reverse=True)


def test_seeds_stay_below_their_mean_and_can_be_hidden(quiet, page_of_three_seeds):
    quiet.open(page_of_three_seeds)
    quiet.run(click_head(10))
    kinds = quiet.run("[...document.querySelectorAll('.board tbody tr')].map(row => row.className)")
    assert kinds == ["mean", "cell", "cell", "cell"] * 9
    means = quiet.run(column(10))[::4]
    assert means == sorted(means)
    quiet.run("document.querySelector('input.seeds').click()")
    visible = "[...document.querySelectorAll('.board tbody tr')].filter(r => r.offsetHeight).length"
    assert quiet.run(visible) == 9


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_draw_every_cell_and_follow_their_controls(quiet, page, scheme):
    quiet.open(page, scheme=scheme)
    quiet.run("document.querySelectorAll('figure.chart').forEach(draw)")
    assert quiet.run("document.getElementById('s1-tradeoff').data.length") == 4 * (9 + 2)
    assert quiet.run("document.getElementById('s1-curve').data.length") == 2 * 9
    error = "document.getElementById('s1-tradeoff').data[2].error_y.array[0]"
    assert 0 < quiet.run(error) < 0.05
    quiet.run(
        "const select = document.querySelector('[data-for=s1-tradeoff]');"
        "select.value = 'edm/novelty'; select.dispatchEvent(new Event('change'))"
    )
    assert quiet.run("document.getElementById('s1-tradeoff').data[2].y[0]") == pytest.approx(0.9)


def test_a_molecule_opens_turns_by_keys_and_closes(quiet, page):
    quiet.open(page)
    quiet.run("document.querySelectorAll('button.molecule')[1].click()")
    assert "gnn-flow_matching, seed 0, sample 2: CH4, stable" in quiet.run(
        "document.getElementById('viewer-title').textContent"
    )
    canvas = "document.getElementById('viewer-canvas').toDataURL()"
    before = quiet.run(canvas)
    quiet.press("ArrowRight")
    turned = quiet.run(canvas)
    assert turned != before
    quiet.press("Home")
    assert quiet.run(canvas) == before
    quiet.press("PageDown")
    assert "sample 3" in quiet.run("document.getElementById('viewer-title').textContent")
    quiet.run("document.getElementById('viewer-close').click()")
    assert quiet.run("document.getElementById('viewer').open") is False


def test_a_crystal_opens_in_its_box_and_turns(quiet, tmp_path):
    write_crystals(tmp_path)
    quiet.open(report.build([tmp_path], tmp_path / "report.html"))
    quiet.run("document.querySelectorAll('button.molecule')[1].click()")
    assert "gnn-flow_matching, seed 0, sample 2: ClCs, 2 atoms" in quiet.run(
        "document.getElementById('viewer-title').textContent"
    )
    assert quiet.run("document.getElementById('viewer-legend').innerText").split() == ["Cl", "Cs"]
    canvas = "document.getElementById('viewer-canvas').toDataURL()"
    before = quiet.run(canvas)
    quiet.press("ArrowRight")
    assert quiet.run(canvas) != before
    quiet.press("Home")
    assert quiet.run(canvas) == before
    # Without its box a sample of two atoms is another picture.
    quiet.run("molecule().c = []; paint()")
    assert quiet.run(canvas) != before


def test_a_phone_never_scrolls_the_page_sideways(quiet, page_of_three_seeds):
    quiet.open(page_of_three_seeds, width=390, height=844)
    quiet.run("document.querySelectorAll('figure.chart').forEach(draw)")
    assert quiet.run("document.documentElement.scrollWidth") == 390


def test_a_link_to_a_cell_opens_its_provenance(quiet, page):
    quiet.open(page)
    quiet.run("document.querySelector('.board tbody a').click()")
    quiet.run("new Promise(done => setTimeout(done, 50))")
    assert quiet.run("document.querySelectorAll('.cells details[open]').length") == 1
    assert "cell gnn-flow_matching" in quiet.run(
        "document.querySelector('.cells details[open] pre.command').textContent"
    )


SETTLED = "new Promise(done => setTimeout(done, 50))"
SHOWN = "[...document.querySelectorAll('[role=tabpanel]')].filter(p => !p.hidden).map(p => p.id)"


def test_tabs_open_by_click_by_keys_and_by_a_link_into_them(quiet, page_of_two):
    quiet.open(page_of_two)
    assert quiet.run(SHOWN) == ["overview"]
    quiet.run("document.getElementById('tab-generation').click()")
    quiet.run(SETTLED)
    assert quiet.run(SHOWN) == ["family-generation"]
    quiet.run("document.getElementById('tab-generation').focus()")
    quiet.press("ArrowRight")
    quiet.run(SETTLED)
    assert quiet.run(SHOWN) == ["overview"]
    assert quiet.run("document.activeElement.id") == "tab-overview"
    quiet.run("document.querySelector('#overview-models tbody a').click()")
    quiet.run(SETTLED)
    assert quiet.run(SHOWN) == ["family-generation"]
    assert quiet.run("document.querySelectorAll('.cells details[open]').length") in (1, 3)


def test_rows_are_chosen_by_a_value_and_by_words(quiet, page_of_two):
    quiet.open(page_of_two)
    choose = (
        "(([control, value]) => { control.value = value;"
        "control.dispatchEvent(new Event('input')); })"
    )
    rows = "[...document.querySelectorAll('#s2-board tbody tr')].filter(r => !r.hidden).length"
    assert quiet.run(rows) == 36
    quiet.run(f"{choose}([document.querySelector('[data-filters=s2-board]'), 'gnn'])")
    assert quiet.run(rows) == 12
    search = "document.querySelector('[data-filters=s2-board][type=search]')"
    quiet.run(f"{choose}([{search}, 'flow match'])")
    assert quiet.run(rows) == 4
    assert quiet.run("document.getElementById('s2-board-count').value") == "4 of 36 rows"


def test_a_number_leads_to_where_it_comes_from(quiet, page):
    quiet.open(page)
    quiet.run("document.querySelector('.board tbody td.m').click()")
    quiet.run(SETTLED)
    assert "cell gnn-flow_matching" in quiet.run(
        "document.querySelector('.cells details[open] pre.command').textContent"
    )


def test_effects_are_drawn_for_each_figure(quiet, page_of_scattered):
    quiet.open(page_of_scattered)
    quiet.run("document.querySelectorAll('figure.chart').forEach(draw)")
    assert quiet.run("document.getElementById('s1-effects').data.length") == 2
    assert quiet.run("document.getElementById('s1-effects').data[1].x.length") == 3


def test_properties_are_drawn_as_shares_of_what_is_known(quiet, tmp_path):
    write_distributions(tmp_path)
    quiet.open(report.build([tmp_path], tmp_path / "report.html"))
    quiet.run("document.querySelectorAll('figure.chart').forEach(draw)")
    data = "document.getElementById('s1-properties').data"
    assert quiet.run(f"{data}.length") == 1 + 9
    assert quiet.run(f"{data}[0].y") == pytest.approx([0, 2 / 3, 0, 1 / 3, 0, 0])
    quiet.run(
        "const select = document.querySelector('[data-for=s1-properties]');"
        "select.value = '1'; select.dispatchEvent(new Event('change'))"
    )
    assert quiet.run(f"Math.max(...{data}[1].y)") == pytest.approx(1 / 3)


def test_quality_is_drawn_along_time_and_steps(quiet, one_seed, tmp_path):
    study = write_curves(tmp_path / "quality_gnn")
    quiet.open(report.build([one_seed, study], tmp_path / "report.html"))
    quiet.run("document.getElementById('tab-generation').click()")
    quiet.run(SETTLED)
    quiet.run("draw(document.getElementById('t1-quality'))")
    data = "document.getElementById('t1-quality').data"
    assert quiet.run(f"{data}.map(trace => trace.x)") == [[10, 20], [10, 20], [2, 4, 6]]
    quiet.run(
        "const by = document.querySelector('[data-for=t1-quality][data-choice=x]');"
        "by.value = 'samples'; by.dispatchEvent(new Event('change'))"
    )
    assert quiet.run(f"{data}[0].x") == [500, 1000]


def test_a_floor_is_a_line_across_and_no_mark(quiet, tmp_path):
    write_with_floor(tmp_path)
    quiet.open(report.build([tmp_path], tmp_path / "report.html"))
    quiet.run("document.querySelectorAll('figure.chart').forEach(draw)")
    data = "document.getElementById('s1-tradeoff').data"
    assert quiet.run(f"{data}.length") == 4 * (9 + 2)
    floors = quiet.run(f"{data}.filter(t => t.name.endsWith(', a floor')).map(t => [t.mode, t.x])")
    assert [mode for mode, _ in floors] == ["lines"] * 4
    assert all(0 < start < end for _, (start, end) in floors)


def test_floors_alone_are_drawn(quiet, tmp_path):
    for of in write_suite(tmp_path):
        write_json(tmp_path / f"{of.provenance.cell_key}.json", untrained(of, 0.5))
    quiet.open(report.build([tmp_path], tmp_path / "report.html"))
    quiet.run("document.querySelectorAll('figure.chart').forEach(draw)")
    assert quiet.run("document.getElementById('s1-tradeoff').data.length") == 4 * (9 + 1)


def test_maps_and_reliability_of_pathways_are_drawn(quiet, tmp_path):
    write_pathways(tmp_path)
    quiet.open(report.build([tmp_path], tmp_path / "report.html"))
    quiet.run("document.querySelectorAll('figure.chart').forEach(draw)")
    names = "document.getElementById('s1-map').data.map(trace => trace.name)"
    assert quiet.run(names) == ["Biosynthesis", "Degradation"]
    quiet.run(
        "const by = document.querySelector('[data-for=s1-map][data-choice=by]');"
        "by.value = 'oxygen'; by.dispatchEvent(new Event('change'))"
    )
    assert set(quiet.run("document.getElementById('s1-map').data[0].marker.color")) <= {0, 0.21}
    assert quiet.run("document.getElementById('s1-reliable').data[1].x") == [0.046, 0.5, 0.9]


def test_reliability_and_maps_of_planets_are_drawn(quiet, tmp_path):
    write_planets(tmp_path)
    quiet.open(report.build([tmp_path], tmp_path / "report.html"))
    quiet.run("document.querySelectorAll('figure.chart').forEach(draw)")
    assert quiet.run("document.getElementById('s1-reliable').data[1].x") == [0.046, 0.5, 0.95]
    title = "document.getElementById('s1-reliable').layout.yaxis.title.text"
    assert quiet.run(title) == "share that are habitable"
    size = "(({width, height}) => [width > 200, height > 100])"
    for kind in ("map", "spectrum"):
        box = f"document.querySelector('svg.planet.{kind}').getBoundingClientRect()"
        assert quiet.run(f"{size}({box})") == [True, True]


@pytest.mark.slow
@pytest.mark.skipif(not AXE.exists(), reason=f"{AXE} is missing: npm install axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(quiet, page_of_two, scheme):
    quiet.open(page_of_two, scheme=scheme)
    quiet.run(f"{AXE.read_text()}; 0")
    for place in range(quiet.run("tabs.length")):
        quiet.run(f"openPage(pages[{place}])")
        quiet.run(
            "document.querySelectorAll('figure.chart').forEach(f => f.clientWidth && draw(f))"
        )
        found = quiet.run(
            "axe.run().then(done => done.violations.map(v => [v.impact, v.id, v.nodes[0].html]))"
        )
        assert [each for each in found if each[0] in ("serious", "critical")] == []
