"""The page for those who do not see it, do not point, print it, or read it on a phone.

`test_browser.py` asks axe-core in a real browser, where there is one.
"""

import json
import re

import pytest

from assay import report
from assay.report.page import ASSETS
from assay.result import write_json
from tests.report.accessibility import findings
from tests.report.markup import Element, parse
from tests.report.synthetic import write_suite

STYLE = (ASSETS / "style.css").read_text()


@pytest.fixture(scope="module")
def page_of_two(one_seed, tmp_path_factory) -> Element:
    root = tmp_path_factory.mktemp("two")
    write_suite(root / "other", seeds=(0, 1), with_samples=False)
    suite = json.loads((root / "other" / "suite.json").read_text())
    write_json(root / "other" / "suite.json", suite | {"name": "grid_other"})
    return parse(report.build([one_seed, root / "other"], root / "report.html").read_text())


def test_the_page_of_one_suite_breaks_no_rule(page_of_scattered):
    assert findings(parse(page_of_scattered.read_text())) == []


def test_the_page_of_several_suites_breaks_no_rule(page_of_two):
    assert findings(page_of_two) == []


@pytest.mark.parametrize(
    ("markup", "rule"),
    [
        ("<h1>a</h1><h3>b</h3>", "heading-order"),
        ("<h1>a</h1><p id='x'></p><p id='x'></p>", "duplicate-id"),
        ("<h1>a</h1><a href='#nowhere'>b</a>", "skip-link"),
        ("<h1>a</h1><p aria-labelledby='nowhere'></p>", "aria-valid-attr-value"),
        ("<h1>a</h1><label><input></label>", "label"),
        ("<h1>a</h1><button></button>", "name"),
        ("<h1>a</h1><p tabindex='2'></p>", "tabindex"),
        ("<h1>a</h1><a role='tab' href='#main'>b</a>", "aria-required-parent"),
        ("<h1>a</h1><svg></svg>", "svg-img-alt"),
        ("<h1>a</h1><div class='scroll'></div>", "scrollable-region-focusable"),
        ("<h1>a</h1><div role='region'></div>", "aria-name"),
        ("<h1>a</h1><table><tbody></tbody></table>", "table-caption"),
        (
            "<h1>a</h1><table><caption>a</caption><tbody><tr><th>b</th></tr></tbody></table>",
            "scope-attr-valid",
        ),
        ("<p>a</p>", "page-has-heading-one"),
        ("<h1>a</h1></main><p>b</p><main id='second'>", "region"),
    ],
)
def test_every_rule_can_be_broken(markup, rule):
    document = parse(
        "<html lang='en'><head><title>t</title><meta name='viewport' content='x'></head>"
        f"<body><a href='#main'>skip</a><main id='main'>{markup}</main></body></html>"
    )

    assert rule in {finding.partition(":")[0] for finding in findings(document)}


def test_nothing_is_found_where_nothing_is_wrong():
    document = parse(
        "<html lang='en'><head><title>t</title><meta name='viewport' content='x'></head>"
        "<body><a href='#main'>skip</a><main id='main'><h1>a</h1></main></body></html>"
    )

    assert findings(document) == []


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        *((ink, paper) for ink in ("text", "quiet", "accent") for paper in ("page", "panel")),
        ("tint-line", "tint"), ("quiet", "tint"), ("quiet", "faint"), ("warn", "warn-panel"),
        ("text", "warn-panel"), ("text", "thumb"), ("quiet", "thumb"),
    ],
)  # fmt: skip
def test_words_stand_out_from_what_is_behind_them(scheme, ink, paper):
    light, dark = re.findall(r":root \{(.*?)\n *\}", STYLE, re.DOTALL)[:2]
    found = tokens(light) | (tokens(dark) if scheme == "dark" else {})

    assert contrast(found[ink], found[paper]) >= 4.5


def test_the_style_knows_dark_print_phones_and_quiet_motion():
    for rule in ("@media (prefers-color-scheme: dark)", "@media print", "@media (max-width: 600px)",
                 "@media (prefers-reduced-motion: reduce)", ":focus-visible", "@page"):  # fmt: skip
        assert rule in STYLE
    assert "outline: none" not in STYLE
    assert "outline: 0" not in STYLE


def test_nothing_is_wider_than_a_phone():
    for value in re.findall(r"(?<![\w-])(?:min-)?width: ([\d.]+)px", STYLE):
        assert float(value) <= 320


def test_nothing_hidden_is_lost_in_print():
    script = (ASSETS / "tabs.js").read_text()

    assert 'addEventListener("beforeprint"' in script
    assert "[hidden]" not in STYLE
