"""A pathway as inline SVG: compounds with their names, reactions as arrows, from top to bottom.

It is drawn here and not by the page, so that it prints, needs no script, and is read aloud by its
title and description; colours follow the page's style (`.pathway` in `assets/style.css`).

Shapes: N nodes.
"""

import math
from collections.abc import Sequence, Set

from markupsafe import Markup, escape

from assay.pathways.figures import Drawn
from assay.report.layered import Layers, Slot, layered
from assay.report.wording import count_text

LONGEST_NAME = 24
"""Characters; a longer name is cut, and whole in its tooltip and in the table."""
_LETTER, _DOWN, _MARGIN = 5.6, 44.0, 12.0
"""SVG units: of a letter, between layers, around the drawing."""
_BALL, _GAP, _PASSING = 5.0, 14.0, 16.0
"""SVG units: a node's radius, between neighbours of a layer, and the room of a passing edge."""
_HEAD = 6.0
"""Length of an arrow's head."""
_SHOWN = 1.25
"""Pixels of an SVG unit where there is room: letters of 12.5 pixels."""

XY = tuple[float, float]


def svg(pathway: Drawn, identity: str, shared: Set[str]) -> Markup:
    """Return the drawing.

    Args:
        pathway: What to draw.
        identity: Of this drawing in the page.
        shared: Compounds, by id, that the pathway beside it has too: they are ringed.
    """
    flags = _lines(pathway)
    layers = layered(len(pathway.names), list(flags))
    shown = [_cut(name) for name in pathway.names]
    places, width = _places(layers, shown)
    height = (max(len(layers.slots), 1) - 1) * _DOWN + 2 * _MARGIN
    lines = [
        _line([places[slot] for slot in layers.ways[edge]], both) for edge, both in flags.items()
    ]
    balls = [
        _node(places[k], short, name, compound in shared)
        for k, (short, name, compound) in enumerate(
            zip(shown, pathway.names, pathway.compounds, strict=True)
        )
    ]
    return Markup(
        f'<svg class="pathway" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="max-width:{_SHOWN * width:.0f}px" aria-labelledby="{identity}-t {identity}-d">'
        f'<title id="{identity}-t">{escape(pathway.title)}</title>'
        f'<desc id="{identity}-d">{escape(described(pathway))}</desc>'
        f"{''.join(lines)}{''.join(balls)}</svg>"
    )


def described(pathway: Drawn) -> str:
    """Return in a sentence what a drawing shows."""
    reversible = sum(flag for _, _, flag in pathway.edges)
    back = f", {reversible} of them reversible" if reversible else ""
    return (
        f"{count_text(len(pathway.names), 'compound')} and "
        f"{count_text(len(pathway.edges), 'directed edge')}{back}"
    )


def edge_rows(pathway: Drawn) -> list[tuple[str, str, str]]:
    """Return the same as a table: from, to, and whether it is reversible; edges as they came."""
    names = pathway.names
    return [(names[s], names[t], "yes" if flag else "no") for s, t, flag in pathway.edges]


def _lines(pathway: Drawn) -> dict[tuple[int, int], bool]:
    """Return the lines to draw, and which have two heads; an edge and its reverse is one line."""
    found: dict[tuple[int, int], bool] = {}
    for source, target, reversible in pathway.edges:
        if (target, source) in found:
            found[target, source] = True
        else:
            found[source, target] = reversible
    return found


def _places(layers: Layers, names: Sequence[str]) -> tuple[dict[Slot, XY], float]:
    """Return where slots are, and the width; layers are centred, names right of their node."""

    def room(slot: Slot) -> float:
        if isinstance(slot, tuple):
            return _PASSING
        return 2 * _BALL + 4 + _LETTER * len(names[slot]) + _GAP

    widths = [sum(map(room, layer)) for layer in layers.slots]
    width = max(widths, default=0.0) + 2 * _MARGIN
    found: dict[Slot, XY] = {}
    for row, (layer, own) in enumerate(zip(layers.slots, widths, strict=True)):
        left, y = (width - own) / 2, _MARGIN + row * _DOWN
        for slot in layer:
            inset = _PASSING / 2 if isinstance(slot, tuple) else _BALL
            found[slot] = (left + inset, y)
            left += room(slot)
    return found, width


def _line(points: Sequence[XY], both: bool) -> str:
    """Return a line through points, from rim to rim, and its heads."""
    start = _towards(points[0], points[1], _BALL + (_HEAD if both else 0))
    end = _towards(points[-1], points[-2], _BALL + _HEAD)
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in [start, *points[1:-1], end])
    heads = [_head(points[-2], points[-1])] + ([_head(points[1], points[0])] if both else [])
    return f'<path class="line" d="M{path}"/>{"".join(heads)}'


def _head(before: XY, node: XY) -> str:
    """Return the head of an arrow that arrives at a node."""
    tip, foot = _towards(node, before, _BALL), _towards(node, before, _BALL + _HEAD)
    x, y = (foot[0] - tip[0]) / 2, (foot[1] - tip[1]) / 2
    corners = (tip, (foot[0] - y, foot[1] + x), (foot[0] + y, foot[1] - x))
    return f'<path class="head" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in corners)}Z"/>'


def _towards(start: XY, end: XY, far: float) -> XY:
    """Return the point that is so far from the start on the way to the end."""
    length = math.dist(start, end) or 1.0
    return (
        start[0] + (end[0] - start[0]) * far / length,
        start[1] + (end[1] - start[1]) * far / length,
    )


def _node(at: XY, short: str, name: str, shared: bool) -> str:
    x, y = at
    mark = ' class="shared"' if shared else ""
    whole = f"<title>{escape(name)}</title>" if short != name else ""
    return (
        f'<g{mark}>{whole}<circle cx="{x:.1f}" cy="{y:.1f}" r="{_BALL:.0f}"/>'
        f'<text x="{x + _BALL + 4:.1f}" y="{y + 3.5:.1f}">{escape(short)}</text></g>'
    )


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
