"""Who is bonded to whom in a crystal, with what probability: CrystalNN's coordination shells.

A neighbour weighs as much as the solid angle of its Voronoi face, the more the nearer the face and
the more the electronegativities differ, and nothing beyond the sum of radii and 1 Å. The shell of
n neighbours is as probable as the gap between the n-th weight and the next. Source: Pan, Ganose
et al., Inorg. Chem. 60 (2021) 1590, with the defaults of pymatgen's `CrystalNN`, whose answers
these are: tests/reference compare them. It is written anew because pymatgen takes some 50 ms a
site, and a reference has a hundred thousand.

Shapes: N atoms of a crystal, S sites and K shells of many crystals, I images, P neighbours of a
site, V vertices of Voronoi cells, F = ΣP faces of all cells, E edges.
"""

import functools
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from assay.chemistry.crystals import Crystals
from assay.chemistry.elements import SYMBOLS
from assay.chemistry.extras import needing
from assay.chemistry.lattices import niggli_reduced
from assay.errors import DataError

_SEARCH = 7.0
"""Å: CrystalNN's search_cutoff; further only where a cell is not closed by then."""

_FULL, _NONE = 0.5, 1.0
"""Å beyond the sum of radii: up to the first a neighbour weighs all, from the second on nothing."""

_ELECTRONEGATIVITY, _LARGEST_DIFFERENCE = 3.0, 3.3
_DECIMALS = 3
_COINCIDENT = 1e-3
_NEIGHBOURS_AIMED_AT = 60  # enough to close most cells at once
_IMAGES_AT_MOST = 2_000_000
_IMAGES_AT_ONCE = 500_000
_IMAGES_OF_A_CELL = 20_000  # beyond it, it is worth another choice of cell


@dataclass(frozen=True)
class Shells:
    """Coordination shells of S sites, one after the other; the n nearest in weight are a shell."""

    site: NDArray[np.int64]
    """(K,) whose shell."""
    size: NDArray[np.int64]
    """(K,) its number of neighbours."""
    probability: NDArray[np.float64]
    """(K,) that it is the site's coordination."""
    first: NDArray[np.int64]
    """(K,) row of `directions` of its first neighbour; the others follow."""
    directions: NDArray[np.float64]
    """(ΣP, 3) unit vectors to the neighbours of each site, the heaviest first."""


@dataclass(frozen=True)
class _Cell:
    """A site's Voronoi cell, as the convex hull of its neighbours' inverse points."""

    neighbours: NDArray[np.int64]
    """(P,) atoms."""
    vectors_P3: NDArray[np.float64]
    """Å."""
    simplices_V3: NDArray[np.int64]
    """The neighbours whose faces meet in each vertex of the cell."""
    adjacent_V3: NDArray[np.int64]
    """The vertex at the other end of the edge that leaves out that neighbour."""
    vertices_V3: NDArray[np.float64]
    """Å."""


def shells(crystals: Crystals) -> tuple[Shells, NDArray[np.bool_]]:
    """Return the shells of every site, and (M,) which crystals have none to speak of.

    A crystal fails as a whole: where a site has no closed Voronoi cell, or shares its place with
    another, where a number is not finite, and where an element has no radius (beyond curium).
    Its sites then have no shells.
    """
    failed = np.zeros(len(crystals), dtype=bool)
    _, radius = _elements()
    failed[crystals.owner[np.isnan(radius[crystals.numbers])]] = True
    cells: list[_Cell] = []
    sites: list[int] = []
    offsets = crystals.offsets
    for k in np.flatnonzero(~failed).tolist():
        try:
            of_crystal = _voronoi_cells(crystals.select([k]))
        except DataError:
            failed[k] = True
            continue
        cells += of_crystal
        sites += range(offsets[k], offsets[k + 1])
    if not cells:
        nothing = np.zeros(0, dtype=np.int64)
        return Shells(nothing, nothing, np.zeros(0), nothing, np.zeros((0, 3))), failed
    return _shells(crystals, cells, np.array(sites)), failed


def _voronoi_cells(crystal: Crystals) -> list[_Cell]:
    """Return the cell of each site.

    Raises:
        DataError: there is none.
    """
    lattice_33 = crystal.lattices[0].astype(np.float64)
    frac_N3 = crystal.frac_coords.astype(np.float64)
    if not (np.isfinite(lattice_33).all() and np.isfinite(frac_N3).all() and len(frac_N3)):
        raise DataError("it has no atoms, or numbers that are not finite")
    volume = abs(np.linalg.det(lattice_33))
    corners = np.array([[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]]) @ lattice_33
    furthest = np.linalg.norm(corners, axis=1).max() + 0.01
    radius = min(_SEARCH, (_NEIGHBOURS_AIMED_AT * volume / len(frac_N3) * 0.75 / np.pi) ** (1 / 3))
    cells: list[_Cell | None] = [None] * len(frac_N3)
    images_I3 = _images(lattice_33, radius)
    if images_I3 is None or len(images_I3) > _IMAGES_OF_A_CELL:
        crystal = niggli_reduced(crystal)
        lattice_33, frac_N3 = crystal.lattices[0].astype(float), crystal.frac_coords.astype(float)
    while True:
        missing = [n for n, cell in enumerate(cells) if cell is None]
        neighbours = _neighbours(lattice_33, frac_N3, np.array(missing), radius)
        for n, (atoms, vectors_P3) in zip(missing, neighbours, strict=True):
            cells[n] = _voronoi_cell(atoms, vectors_P3, radius)
        if all(cells):
            return [cell for cell in cells if cell is not None]
        if radius >= max(_SEARCH, furthest):
            raise DataError("a site has no closed Voronoi cell")
        radius = min(2 * radius, _SEARCH if radius < _SEARCH else furthest + 0.001)


def _neighbours(
    lattice_33: NDArray[np.float64],
    frac_N3: NDArray[np.float64],
    centres: NDArray[np.int64],
    radius: float,
) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Return the atoms and vectors in Å to all images within the radius of each centre."""
    images_I3 = _images(lattice_33, radius)
    if images_I3 is None or len(images_I3) * len(frac_N3) > _IMAGES_AT_MOST:
        raise DataError("its cell is as good as flat")
    found = []
    parts = -(-len(centres) * len(frac_N3) * len(images_I3) // _IMAGES_AT_ONCE)
    for part in np.array_split(centres, min(parts, len(centres))):
        difference = frac_N3[None, :] - frac_N3[part, None]
        difference -= np.rint(difference)
        vectors = (difference @ lattice_33)[:, :, None] + images_I3 @ lattice_33
        squares = np.einsum("cnij,cnij->cni", vectors, vectors)
        squares[np.arange(len(part)), part, len(images_I3) // 2] = np.inf  # itself
        if squares.min(initial=np.inf) < _COINCIDENT**2:
            raise DataError("two of its sites are at one place")
        for c in range(len(part)):
            atoms, image = np.nonzero(squares[c] <= radius**2)
            found.append((atoms, vectors[c, atoms, image]))
    return found


def _images(lattice_33: NDArray[np.float64], radius: float) -> NDArray[np.float64] | None:
    """Return (I, 3) the cells that can hold an atom within the radius, or None where too many."""
    with np.errstate(divide="ignore", invalid="ignore"):
        planes_3 = abs(np.linalg.det(lattice_33)) / np.linalg.norm(
            np.cross(lattice_33[[1, 2, 0]], lattice_33[[2, 0, 1]]), axis=1
        )
        reach_3 = np.floor(radius / planes_3 + 0.5)
    if not np.prod(2 * reach_3 + 1) <= _IMAGES_AT_MOST:
        return None
    axes = [np.arange(-reach, reach + 1) for reach in reach_3]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _voronoi_cell(
    atoms: NDArray[np.int64], vectors_P3: NDArray[np.float64], radius: float
) -> _Cell | None:
    """Return the Voronoi cell of the origin, or None where a larger radius could change it.

    The plane midway to a neighbour p is that of the points x with x·p/|p|² = 1/2, so a vertex is a
    plane through three inverse points p/|p|² that has all the others on the origin's side: a
    facet of their convex hull. As in pymatgen, a closed cell is taken as it is at 7 Å, even where
    a neighbour further away could still cut it.
    """
    if len(vectors_P3) < 4:
        return None
    try:
        hull = ConvexHull(vectors_P3 / np.einsum("pj,pj->p", vectors_P3, vectors_P3)[:, None])
    except QhullError:
        return None
    offsets_V = hull.equations[:, 3]
    if not (offsets_V < -1e-12).all():
        return None
    vertices_V3 = hull.equations[:, :3] / (-2 * offsets_V[:, None])
    if radius < _SEARCH and 2 * np.linalg.norm(vertices_V3, axis=1).max() > radius:
        return None
    simplices_V3, adjacent_V3 = (x.astype(np.int64) for x in (hull.simplices, hull.neighbors))
    return _Cell(atoms, vectors_P3, simplices_V3, adjacent_V3, vertices_V3)


def _shells(crystals: Crystals, cells: list[_Cell], sites: NDArray[np.int64]) -> Shells:
    solid_angle, area = _faces(cells)
    counts = [len(cell.neighbours) for cell in cells]
    cell_of = np.repeat(np.arange(len(cells)), counts)
    vectors = np.concatenate([cell.vectors_P3 for cell in cells])
    distance = np.linalg.norm(vectors, axis=1)
    first_atom = crystals.offsets[crystals.owner[sites]]
    neighbours = first_atom[cell_of] + np.concatenate([cell.neighbours for cell in cells])
    centre, other = crystals.numbers[sites][cell_of], crystals.numbers[neighbours]
    weight = _weights(solid_angle, area, distance, centre, other, cell_of)

    order = np.lexsort((-weight, cell_of))
    order = order[np.round(weight[order], _DECIMALS) > 0]
    weight, cell_of = np.round(weight[order], _DECIMALS), cell_of[order]
    following = np.zeros_like(weight)
    following[:-1] = np.where(cell_of[1:] == cell_of[:-1], weight[1:], 0.0)
    last = np.flatnonzero(following != weight)
    first = np.searchsorted(cell_of, cell_of[last])
    return Shells(
        site=sites[cell_of[last]],
        size=last - first + 1,
        probability=_quarter_disc(weight[last]) - _quarter_disc(following[last]),
        first=first,
        directions=vectors[order] / distance[order, None],
    )


def _faces(cells: list[_Cell]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (ΣP,) the solid angle and the area in Å² of each neighbour's face, 0 without one.

    A face is the triangles between the middle of its corners and its edges; an edge lies on two.
    """
    atoms_before = np.cumsum([0] + [len(cell.neighbours) for cell in cells])
    vertices_before = np.cumsum([0] + [len(cell.vertices_V3) for cell in cells])
    before = list(zip(cells, atoms_before[:-1], vertices_before[:-1], strict=True))
    simplices_V3 = np.concatenate([cell.simplices_V3 + atoms for cell, atoms, _ in before])
    adjacent_V3 = np.concatenate([cell.adjacent_V3 + vertices for cell, _, vertices in before])
    vertices_V3 = np.concatenate([cell.vertices_V3 for cell in cells])
    count = int(atoms_before[-1])

    corners = simplices_V3.ravel()
    totals = [np.bincount(corners, np.repeat(axis, 3), count) for axis in vertices_V3.T]
    middle_F3 = np.stack(totals, 1) / np.maximum(np.bincount(corners, minlength=count), 1)[:, None]
    here, left_out = np.nonzero(adjacent_V3 > np.arange(len(adjacent_V3))[:, None])
    there = adjacent_V3[here, left_out]
    solid_angle, area = np.zeros(count), np.zeros(count)
    for step in (1, 2):
        face = simplices_V3[here, (left_out + step) % 3]
        a, b, c = middle_F3[face], vertices_V3[here], vertices_V3[there]
        area += np.bincount(face, np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2, count)
        solid_angle += np.bincount(face, _solid_angles(a, b, c), count)
    return solid_angle, area


def _solid_angles(
    a_E3: NDArray[np.float64], b_E3: NDArray[np.float64], c_E3: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (E,) the solid angles of triangles from the origin (van Oosterom and Strackee)."""
    a, b, c = (np.linalg.norm(x, axis=1) for x in (a_E3, b_E3, c_E3))
    ab, bc, ca = ((x * y).sum(1) for x, y in ((a_E3, b_E3), (b_E3, c_E3), (c_E3, a_E3)))
    triple = np.abs((a_E3 * np.cross(b_E3, c_E3)).sum(1))
    return 2 * np.arctan2(triple, a * b * c + ab * c + bc * a + ca * b)


def _weights(
    solid_angle: NDArray[np.float64],
    area: NDArray[np.float64],
    distance: NDArray[np.float64],
    centre: NDArray[np.uint8],
    other: NDArray[np.uint8],
    cell_of: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return (ΣP,) the weights of neighbours; of a site's, the heaviest is 1 before distances."""
    electronegativity, radius = _elements()
    difference = np.abs(electronegativity[centre] - electronegativity[other])
    chemical = 1 + _ELECTRONEGATIVITY * np.sqrt(np.nan_to_num(difference) / _LARGEST_DIFFERENCE)
    # In open structures solid angles mislead: hence by the area of the face again.
    weight = np.divide(solid_angle**2, area, out=np.zeros_like(area), where=area > 1e-12) * chemical
    heaviest = np.zeros(cell_of[-1] + 1)
    np.maximum.at(heaviest, cell_of, weight)
    beyond = (distance - radius[centre] - radius[other] - _FULL) / (_NONE - _FULL)
    return weight / heaviest[cell_of] * (np.cos(beyond.clip(0, 1) * np.pi) + 1) / 2


def _quarter_disc(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of a quarter of the unit disc that lies between 0 and x."""
    return (x * np.sqrt(1 - x * x) + np.arcsin(x)) * 2 / np.pi


@functools.cache
def _elements() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Pauling's electronegativities (nan: unknown) and radii in Å by atomic number."""
    with needing("crystals"):
        from pymatgen.core import Element
        from pymatgen.core.molecule_structure_comparator import CovalentRadius
    electronegativity, radius = np.full((2, 256), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of elements that have neither
        for number, symbol in enumerate(SYMBOLS[1:], start=1):
            element = Element(symbol)
            electronegativity[number] = element.X
            radius[number] = CovalentRadius.radius.get(symbol, element.atomic_radius or np.nan)
    return electronegativity, radius
