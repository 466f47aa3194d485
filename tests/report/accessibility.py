"""Rules of WCAG 2 that markup alone can keep or break; named as axe-core names them where it does.

What needs a browser (contrast as painted, focus as seen, names as computed) is not here.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tests.report.markup import Element

LANDMARKS = {"header", "nav", "main", "dialog"}
NAMED_BY_TEXT = {"a", "button", "summary", "th", "option", "caption", "h1", "h2", "h3", "h4"}
ROLES = {"group", "img", "region", "status", "tab", "tablist", "tabpanel"}
REFERENCES = ("aria-labelledby", "aria-controls", "aria-describedby")


def findings(document: Element) -> list[str]:
    """Return what breaks a rule, as `rule: what`."""
    found = [*_document(document), *_headings(document), *_references(document)]
    for element, above in _walk(document, ()):
        found += _element(element, above)
    for table in document.all("table"):
        found += _table(table)
    return found


def _walk(element: Element, above: tuple[Element, ...]) -> Iterator[tuple[Element, tuple]]:
    for child in element.children:
        if isinstance(child, Element):
            yield child, above
            yield from _walk(child, (*above, child))


def _document(document: Element) -> Iterator[str]:
    if not document.one("html").attributes.get("lang"):
        yield "html-has-lang: none"
    if not document.one("head").one("title").text:
        yield "document-title: empty"
    if "user-scalable" in document.one("meta", name="viewport").attributes["content"]:
        yield "meta-viewport: zooming is taken away"
    if len(document.all("main")) != 1:
        yield "landmark-one-main: not one"
    body = document.one("body")
    first = next(child for child in body.children if isinstance(child, Element))
    if first.tag != "a" or first.attributes.get("href") != "#main":
        yield "bypass: the first thing is no link to the contents"
    landmarks = [e for e in document.all() if _is_landmark(e)]
    names = Counter((e.tag, _name(document, e)) for e in landmarks)
    yield from (f"landmark-unique: {each}" for each, count in names.items() if count > 1)
    for child in body.children:
        outside = child.tag if isinstance(child, Element) else child.strip()
        plain = isinstance(child, Element) and (
            child.tag in LANDMARKS | {"script", "svg"} or child is first
        )
        if outside and not plain:
            yield f"region: {outside[:40]} is in no landmark"


def _is_landmark(element: Element) -> bool:
    named = {"aria-label", "aria-labelledby"} & set(element.attributes)
    is_region = element.attributes.get("role") == "region" or (element.tag == "section" and named)
    return element.tag in LANDMARKS or bool(is_region)


def _headings(document: Element) -> Iterator[str]:
    levels = [(int(e.tag[1]), e.text) for e in document.all() if re.fullmatch("h[1-6]", e.tag)]
    if not levels or levels[0][0] != 1:
        yield "page-has-heading-one: the first heading is none"
    for (before, _), (level, text) in pairwise(levels):
        if level > before + 1:
            yield f"heading-order: h{level} {text!r} after h{before}"


def _references(document: Element) -> Iterator[str]:
    identities = Counter(e.attributes["id"] for e in document.all() if "id" in e.attributes)
    yield from (f"duplicate-id: {each}" for each, count in identities.items() if count > 1)
    for element in document.all():
        for name in REFERENCES:
            for each in element.attributes.get(name, "").split():
                if each not in identities:
                    yield f"aria-valid-attr-value: {name}={each} is nowhere"
        target = element.attributes.get("href", "")
        if target.startswith("#") and element.tag == "a" and target[1:] not in identities:
            yield f"skip-link: {target} leads nowhere"


def _element(element: Element, above: tuple[Element, ...]) -> Iterator[str]:
    own, tag = element.attributes, element.tag
    told = f"<{tag} {own.get('id') or own.get('class') or element.text[:30]!r}>"
    if tag in NAMED_BY_TEXT and not element.text and not own.get("aria-label"):
        yield f"name: {told} has none"
    if tag in ("input", "select", "textarea") and not own.get("aria-label"):
        labels = [each for each in above if each.tag == "label"]
        if not labels or not _own_text(labels[-1]):
            yield f"label: {told} has none"
    if int(own.get("tabindex", "0")) > 0:
        yield f"tabindex: {told} jumps ahead"
    if "role" in own and own["role"] not in ROLES:
        yield f"aria-roles: {told} is a {own['role']}"
    if own.get("role") in ("region", "img", "group", "tablist") and not (
        own.get("aria-label") or own.get("aria-labelledby")
    ):
        yield f"aria-name: {told} has none"
    if own.get("role") == "tab" and above[-1].attributes.get("role") != "tablist":
        yield f"aria-required-parent: {told} is in no tablist"
    if tag == "svg" and own.get("aria-hidden") != "true" and own.get("role") != "img":
        yield f"svg-img-alt: {told} is neither hidden nor named"
    if tag == "details":
        first = next(child for child in element.children if isinstance(child, Element))
        if first.tag != "summary":
            yield f"summary-name: {told} has none"
    if "scroll" in own.get("class", "").split() and own.get("tabindex") != "0":
        yield f"scrollable-region-focusable: {told} is not"
    if "aria-sort" in own:
        sortable = tag == "th" and element.all("button")
        if not sortable or own["aria-sort"] not in ("ascending", "descending"):
            yield f"aria-sort: {told}"


def _table(table: Element) -> Iterator[str]:
    told = table.attributes.get("id") or table.text[:40]
    captions = [e for e in table.children if isinstance(e, Element) and e.tag == "caption"]
    if len(captions) != 1:
        yield f"table-caption: {told}"
    for head in table.all("th"):
        if head.attributes.get("scope") not in ("row", "col", "colgroup", "rowgroup"):
            yield f"scope-attr-valid: {told}: {head.text!r}"
    for row in table.one("tbody").all("tr"):
        if len(row.all("th", scope="row")) != 1:
            yield f"th-has-data-cells: {told}: {row.text[:40]!r}"


def _name(document: Element, element: Element) -> str:
    named_by = element.attributes.get("aria-labelledby")
    return document.one(id=named_by).text if named_by else element.attributes.get("aria-label", "")


def _own_text(label: Element) -> str:
    return "".join(child for child in label.children if isinstance(child, str)).strip()
