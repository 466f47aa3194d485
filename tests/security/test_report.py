"""What stands in result files is text in the report, whoever wrote it; the page fetches nothing."""

import json
import re
from pathlib import Path

import pytest

from assay import report
from tests.report.markup import Element, parse
from tests.report.synthetic import GRID, write_suite

EVIL = "\"'--></style></script><script>alert(1)</script><img src=https://evil/x onerror=alert(2)>"
KEPT = {"cell_key", "created_utc", "version", "better", "kind"}
"""Texts that the reader checks by their form."""


def read(path: Path) -> Element:
    return parse(path.read_text(encoding="utf-8"))


def poison(value, key: str = ""):
    """Return `value` with `EVIL` after every text in it that is free to be anything."""
    if isinstance(value, dict):
        return {name: poison(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [poison(each, key) for each in value]
    return f"{value}{EVIL}" if isinstance(value, str) and key not in KEPT else value


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evil")
    write_suite(folder, title=EVIL, grid={**GRID, "process": ["diffusion", EVIL]})
    for path in folder.glob("*.json"):
        plain = json.loads(path.read_text())
        for part in ("provenance", "label"):
            if part in plain:
                plain[part] = poison(plain[part])
        path.write_text(json.dumps(plain))
    return report.build([folder], folder / "report.html")


def test_no_text_of_a_file_becomes_markup(page):
    document = read(page)
    elements = document.all()
    assert not document.all("img")
    assert not document.all("iframe")
    assert not [e for e in elements if any(name.startswith("on") for name in e.attributes)]
    assert EVIL in document.one("h1").text
    assert page.read_text().count("<script>alert") == 0
    assert page.read_text().count("evil") > 20  # the poison arrived, as text


def test_the_page_fetches_nothing(page):
    document = read(page)
    policy = next(
        e.attributes["content"] for e in document.all("meta")
        if e.attributes.get("http-equiv") == "Content-Security-Policy"
    )  # fmt: skip
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "https:" not in policy
    assert "base-uri 'none'" in policy
    assert "form-action 'none'" in policy
    for element in document.all():
        assert "src" not in element.attributes
        link = element.attributes.get("href") or "#"
        assert re.match(r"#|https://|\./", link), link
