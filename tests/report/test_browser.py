"""The page in a real browser: nothing complains, tables sort, charts draw, molecules turn."""

import pytest

from tests.report.browser import CHROMIUM, browser

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"{CHROMIUM} is missing: apt-get install chromium"
)
LABELS = "[...document.querySelectorAll('.board tbody tr')].map(row => row.dataset.label)"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


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
    assert quiet.run("document.getElementById('s1-tradeoff').data.length") == 2 * (9 + 2)
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
