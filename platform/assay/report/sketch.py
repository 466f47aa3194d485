"""The first samples of a cell, oriented to be looked at and drawn as ball-and-stick SVG.

Bonds and stable atoms of molecules follow the bond table of the EDM protocol
(`assay.chemistry.bonds`). Of crystals the atoms of one cell are drawn, in the box of its edges:
that table says nothing of them, and no word is said of their valences.
Shapes: N atoms of one sample, B bonds.
"""

import colorsys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from assay.chemistry.bonds import ALLOWED_VALENCES, MAX_VALENCE, bond_orders
from assay.chemistry.crystals import Crystals
from assay.chemistry.elements import HIGHEST, SYMBOLS
from assay.chemistry.npz import load_crystals, load_npz, names_of
from assay.errors import DataError
from assay.report.wording import count_text

SIDE = 120.0
"""Width and height of a drawing, in SVG units."""

COLOURS = {
    "H": "#f4f4f4", "B": "#ffb5b5", "C": "#8a8f98", "N": "#4a63f0", "O": "#f0362b",
    "F": "#63cf3c", "Si": "#e3c08c", "P": "#ff8a1c", "S": "#f2d21f", "Cl": "#21d321",
    "Br": "#a8382c", "I": "#8f2fb3",
}  # fmt: skip
"""The colours of Corey, Pauling and Koltun as Jmol has them, toned to be told apart on any page.
Others have a hue by their atomic number, far from that of the next."""

_GOLDEN = 0.381966
"""Of a turn: the hues of neighbours in the periodic table lie as far apart as they can."""
_RADII = {"H": 0.27, "B": 0.42, "C": 0.40, "N": 0.38, "O": 0.37, "F": 0.35}
_OTHER_RADIUS = 0.48
_MARGIN = 8.0
_MOST_UNITS_AN_ANGSTROM = 20.0
_LEAST_RADIUS = 1.2
_DEPTH = 0.03
"""How much larger a ball is drawn for every Å that it is nearer."""
_INSIDE = 0.85
"""Share of a ball's radius at which its sticks begin, so that none leaves a gap."""
_SHIFTS = {1: (0.0,), 2: (-0.13, 0.13), 3: (-0.2, 0.0, 0.2)}
"""Å between the sticks of a bond and its axis, by order."""


EDGES = tuple((k, k | bit) for k in range(8) for bit in (1, 2, 4) if not k & bit)
"""The 12 edges of a cell, between corners that are numbered by the vectors they are the sum of."""
_CORNERS_83 = np.array([[(k >> axis) & 1 for axis in range(3)] for k in range(8)], dtype=np.float64)
_TILT = (np.radians(24.0), np.radians(14.0))
"""Of a cell's view, about the upright axis and then about the one across."""


@dataclass(frozen=True)
class Sketch:
    """A sample in the orientation in which it is looked at; its atoms from back to front.

    A molecule is turned to be as wide as it can, a crystal with its first vector across and its
    third upright.
    """

    positions: NDArray[np.float64]
    """(N, 3), Å, centred."""
    numbers: NDArray[np.uint8]
    """(N,)."""
    bonds: NDArray[np.int64]
    """(B, 3): two rows of atoms and the order of the bond."""
    unstable: NDArray[np.bool_]
    """(N,) whether an atom's bond orders sum to a valence that it may not have."""
    drawable: bool
    """False if a coordinate is not finite; then the positions are zero."""
    corners: NDArray[np.float64] | None = None
    """(8, 3) of a crystal's cell, Å; None of a molecule."""

    @property
    def stable(self) -> bool:
        """Whether every atom is stable."""
        return self.drawable and not self.unstable.any()

    @property
    def state(self) -> str:
        """What the page says of it in a word or two."""
        if not self.drawable:
            return "not finite" if len(self.numbers) else "no atoms"
        if self.corners is not None:
            return count_text(len(self.numbers), "atom")
        return "stable" if self.stable else "unstable"

    @property
    def mark(self) -> str:
        """How the page marks the state: good, bad, or not at all."""
        if self.drawable and self.corners is not None:
            return ""
        return "good" if self.stable else "bad"

    @property
    def formula(self) -> list[tuple[str, int]]:
        """Elements and their counts, in the order of Hill: C, H, then by the alphabet."""
        symbols, counts = np.unique(np.array(SYMBOLS)[self.numbers], return_counts=True)
        found = dict(zip(symbols.tolist(), counts.tolist(), strict=True))
        first = ("C", "H") if "C" in found else ()
        return sorted(found.items(), key=lambda item: (item[0] not in first, item[0]))

    @property
    def formula_text(self) -> str:
        """The formula in one word, such as `C7H10O2`."""
        return "".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in self.formula)


def read_sketches(path: Path, count: int) -> list[Sketch]:
    """Read the first `count` molecules or crystals of an NPZ file of samples.

    The file's own arrays say which they are: a page is made from result files alone, also of a
    data set that is not catalogued here.

    Raises:
        DataError: the file is not an NPZ of either, or names elements that there are not.
    """
    samples = load_crystals(path) if "lattices" in names_of(path) else load_npz(path)
    if np.any((samples.numbers > HIGHEST) | (samples.numbers < 1)):
        raise DataError(f"{path}: numbers must be atomic numbers, 1 to {HIGHEST}")
    shown = samples.select(range(min(count, len(samples))))
    rows = [slice(begin, end) for begin, end in pairwise(shown.offsets.tolist())]
    if isinstance(shown, Crystals):
        return [
            sketch_crystal(shown.frac_coords[row], shown.numbers[row], lattice)
            for row, lattice in zip(rows, shown.lattices, strict=True)
        ]
    return [sketch(shown.positions[row], shown.numbers[row]) for row in rows]


def sketch(positions: NDArray[np.floating], numbers: NDArray[np.integer]) -> Sketch:
    """Find the bonds of one molecule and turn it to be seen.

    Args:
        positions: (N, 3), Å.
        numbers: (N,) atomic numbers.
    """
    numbers = numbers.astype(np.uint8)
    N = len(numbers)
    if N == 0 or not np.isfinite(positions).all():
        return _undrawable(numbers, None)
    turned = _widest_view(positions.astype(np.float64))
    order = np.argsort(turned[:, 2], kind="stable")
    turned, numbers = turned[order], numbers[order]
    first, second = np.triu_indices(N, k=1)
    distances = np.linalg.norm(turned[first] - turned[second], axis=1).astype(np.float32)
    orders = bond_orders(numbers[first], numbers[second], distances).astype(np.int64)
    bonds = np.stack([first, second, orders], axis=1)[orders > 0]
    valences = np.bincount(bonds[:, :2].ravel(), weights=bonds[:, 2].repeat(2), minlength=N)
    allowed = ALLOWED_VALENCES[numbers, valences.astype(np.int64).clip(max=MAX_VALENCE)]
    return Sketch(turned, numbers, bonds, ~allowed, drawable=True)


def sketch_crystal(
    frac_coords: NDArray[np.floating],
    numbers: NDArray[np.integer],
    lattice: NDArray[np.floating],
) -> Sketch:
    """Turn one cell of a crystal to be seen, its centre at the origin.

    Args:
        frac_coords: (N, 3).
        numbers: (N,) atomic numbers.
        lattice: (3, 3), Å; the rows are the cell's vectors.
    """
    numbers, vectors_33 = numbers.astype(np.uint8), lattice.astype(np.float64)
    N = len(numbers)
    if N == 0 or not (np.isfinite(frac_coords).all() and np.isfinite(vectors_33).all()):
        return _undrawable(numbers, np.zeros((8, 3)))
    turn_33 = _cell_view(vectors_33)
    places = (np.concatenate([frac_coords, _CORNERS_83]) - 0.5) @ vectors_33 @ turn_33
    positions, corners = places[:N], places[N:]
    order = np.argsort(positions[:, 2], kind="stable")
    nothing = np.zeros((0, 3), dtype=np.int64)
    return Sketch(
        positions[order], numbers[order], nothing, np.zeros(N, dtype=bool), True, corners
    )  # fmt: skip


def svg(sample: Sketch) -> Markup:
    """Return the sample as inline SVG; its gradients `#e<number>` come from `gradients`."""
    scale = _scale(sample)
    xy = _on_page(sample.positions, scale)
    parts = [*_edges(sample, scale), *_sticks(sample, xy, scale), *_balls(sample, xy, scale)]
    depths = sample.positions[:, 2]
    stick_depths = depths[sample.bonds[:, :2]].mean(axis=1)
    order = np.argsort(np.concatenate([_edge_depths(sample), stick_depths, depths]), kind="stable")
    body = "".join(parts[k] for k in order.tolist())
    return Markup(f'<svg viewBox="0 0 {SIDE:.0f} {SIDE:.0f}" aria-hidden="true">{body}</svg>')


def gradients(numbers: set[int]) -> Markup:
    """Return the gradients that shade the balls of these elements."""
    stops = '<stop offset="0" stop-color="{}"/><stop offset="1" stop-color="{}"/>'
    shaded = "".join(
        f'<radialGradient id="e{number}" cx=".36" cy=".32" r=".78">'
        f"{stops.format(_mix(colour(number), 255, 0.6), _mix(colour(number), 0, 0.28))}"
        "</radialGradient>"
        for number in sorted(numbers)
    )
    return Markup(f'<svg class="defs" aria-hidden="true"><defs>{shaded}</defs></svg>')


def viewer_data(sample: Sketch) -> dict[str, Any]:
    """Return what the page's viewer needs: the same sample, Å to two digits."""
    return {
        "n": sample.numbers.tolist(),
        "p": sample.positions.round(2).ravel().tolist(),
        "b": sample.bonds.ravel().tolist(),
        "u": np.flatnonzero(sample.unstable).tolist(),
        "c": [] if sample.corners is None else sample.corners.round(2).ravel().tolist(),
    }


def colour(number: int) -> str:
    """Return an element's colour."""
    if SYMBOLS[number] in COLOURS:
        return COLOURS[SYMBOLS[number]]
    channels = colorsys.hls_to_rgb(number * _GOLDEN % 1.0, 0.62, 0.55)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)


def radius(number: int) -> float:
    """Return the radius in Å at which an element is drawn."""
    return _RADII.get(SYMBOLS[number], _OTHER_RADIUS)


def _widest_view(positions_N3: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre, and turn the principal axes to x, y and z; a rotation, never a mirror image."""
    centred = positions_N3 - positions_N3.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1]
    lead = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[lead, [0, 1, 2]])
    axes[:, 2] *= np.sign(np.linalg.det(axes))
    return centred @ axes


def _undrawable(numbers: NDArray[np.uint8], corners: NDArray[np.float64] | None) -> Sketch:
    N, nothing = len(numbers), np.zeros((0, 3), dtype=np.int64)
    unstable = np.ones(N, dtype=bool)
    return Sketch(np.zeros((N, 3)), numbers, nothing, unstable, False, corners)


def _cell_view(vectors_33: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what turns a cell to its view: right, up, towards who looks; never a mirror image.

    The first vector lies across, the second in the plane of the ground, then all is tilted. A flat
    cell has a view, too.
    """
    axes, along = np.linalg.qr(vectors_33.T)
    axes = axes * np.where(np.diag(along) < 0, -1.0, 1.0)
    right, into = axes[:, 0], axes[:, 1]
    upright_33 = np.stack([right, np.cross(right, into), -into], axis=1)
    (c, s), (cc, ss) = ((np.cos(angle), np.sin(angle)) for angle in _TILT)
    about_up = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    about_across = np.array([[1, 0, 0], [0, cc, ss], [0, -ss, cc]])
    return upright_33 @ about_up @ about_across


def _scale(sample: Sketch) -> float:
    """Return the SVG units an Å."""
    reach = (np.abs(sample.positions[:, :2]).max(axis=1) + _radii(sample.numbers)).max()
    if sample.corners is not None:
        reach = max(reach, np.abs(sample.corners[:, :2]).max())
    return min((SIDE / 2 - _MARGIN) / float(reach), _MOST_UNITS_AN_ANGSTROM)


def _on_page(places_N3: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Return (N, 2) in SVG units."""
    return SIDE / 2 + scale * places_N3[:, :2] * [1, -1]


def _edge_depths(sample: Sketch) -> NDArray[np.float64]:
    if sample.corners is None:
        return np.zeros(0)
    return sample.corners[np.array(EDGES), 2].mean(axis=1)


def _edges(sample: Sketch, scale: float) -> Iterator[str]:
    """Yield a path for every edge of the cell, in the order of EDGES."""
    if sample.corners is None:
        return
    xy = _on_page(sample.corners, scale).tolist()
    for begin, end in EDGES:
        (ax, ay), (bx, by) = xy[begin], xy[end]
        yield f'<path class="edge" d="M{ax:.1f} {ay:.1f}L{bx:.1f} {by:.1f}"/>'


def _sticks(molecule: Sketch, xy: NDArray[np.float64], scale: float) -> list[str]:
    """Return a path a bond, from where it leaves one ball to where it enters the other."""
    first, second, orders = molecule.bonds.T
    radii = _radii(molecule.numbers)
    lengths = np.linalg.norm(molecule.positions[second] - molecule.positions[first], axis=1)
    along = xy[second] - xy[first]
    begin = xy[first] + along * (_INSIDE * radii[first] / lengths)[:, None]
    end = xy[second] - along * (_INSIDE * radii[second] / lengths)[:, None]
    flat = np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    across = along[:, ::-1] * [-1, 1] / flat * scale
    sticks = []
    for a, b, side, order in zip(
        begin.tolist(), end.tolist(), across.tolist(), orders.tolist(), strict=True
    ):
        path = "".join(
            f"M{a[0] + shift * side[0]:.1f} {a[1] + shift * side[1]:.1f}"
            f"L{b[0] + shift * side[0]:.1f} {b[1] + shift * side[1]:.1f}"
            for shift in _SHIFTS[order]
        )
        sticks.append(f'<path class="b{order}" d="{path}"/>')
    return sticks


def _balls(molecule: Sketch, xy: NDArray[np.float64], scale: float) -> list[str]:
    nearer = np.clip(1 + _DEPTH * molecule.positions[:, 2], 0.8, 1.2)
    radii = np.maximum(_radii(molecule.numbers) * scale * nearer, _LEAST_RADIUS)
    unstable = [' class="u"' if flag else "" for flag in molecule.unstable.tolist()]
    return [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" fill="url(#e{number})"{mark}/>'
        for (x, y), r, number, mark in zip(
            xy.tolist(), radii.tolist(), molecule.numbers.tolist(), unstable, strict=True
        )
    ]


def _radii(numbers_N: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.array([radius(number) for number in numbers_N.tolist()])


def _mix(hex_colour: str, towards: int, share: float) -> str:
    channels = [int(hex_colour[k : k + 2], 16) for k in (1, 3, 5)]
    mixed = [round(channel + (towards - channel) * share) for channel in channels]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)
