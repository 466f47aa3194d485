"""Which crystals are the same one: pymatgen's StructureMatcher, on many crystals.

Two crystals match if their primitive cells, brought to one volume, can be laid on each other with
edges, angles and sites within tolerances: those that CDVAE and all after it use. Source: Ong et
al., Comput. Mater. Sci. 68 (2013) 314. Only crystals of one reduced formula can match, so only
those are compared; what pymatgen cannot bring to a primitive cell matches nothing.

Shapes: M crystals, K pairs.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.crystals import Crystals
from assay.chemistry.elements import SYMBOLS
from assay.chemistry.extras import needing
from assay.generation.metrics.crystal_validity import compositions
from assay.generation.metrics.parallel import spread

if TYPE_CHECKING:
    from pymatgen.core import Structure
    from pymatgen.core.structure_matcher import StructureMatcher

Group = TypeVar("Group", bound=tuple[Crystals, ...])
"""Crystals of one formula, and those that they are compared with."""

SITE_TOLERANCE = 0.5
"""In units of the cube root of the volume an atom."""

ANGLE_TOLERANCE = 10.0
"""Degrees."""

LENGTH_TOLERANCE = 0.3
"""Of an edge, relative."""

_PAIRS_AT_ONCE = 50
_CRYSTALS_AT_ONCE = 200
_PARTS_A_PROCESS = 4  # fewer are done before a further process has started
_REFUSALS = (ValueError, RuntimeError, ArithmeticError, IndexError, TypeError)
"""What pymatgen raises where a cell cannot be reduced, or two cells cannot be compared."""


def distances(predictions: Crystals, targets: Crystals, processes: int = 1) -> NDArray[np.float64]:
    """Return (K,) the root mean square distance of the sites of each prediction from its target's.

    In units of the cube root of the volume an atom; nan where the two do not match.

    Args:
        predictions: K crystals.
        targets: K crystals, the target of each prediction.
        processes: 1 works in this process; more are spawned, so a script that asks for them must
            guard its main part by `if __name__ == "__main__"`.

    Raises:
        MachineError: pymatgen is missing.
    """
    found = np.full(len(predictions), np.nan)
    pairs = zip(_formulas(predictions), _formulas(targets), strict=True)
    alike = np.flatnonzero([one == other for one, other in pairs])
    cuts = range(_PAIRS_AT_ONCE, len(alike), _PAIRS_AT_ONCE)
    parts = [(predictions.select(k), targets.select(k)) for k in np.split(alike, cuts)]
    found[alike] = spread(_distances, parts, min(processes, len(parts) // _PARTS_A_PROCESS))
    return found


def firsts(crystals: Crystals, processes: int = 1) -> NDArray[np.bool_]:
    """Return (M,) whether a crystal matches none of those that are firsts before it.

    As many are firsts as StructureMatcher's `group_structures` finds groups.

    Args:
        crystals: to look at.
        processes: as in `distances`.
    """
    found = np.ones(len(crystals), dtype=bool)
    by_formula = defaultdict(list)
    for k, formula in enumerate(_formulas(crystals)):
        by_formula[formula].append(k)
    groups = [group for group in by_formula.values() if len(group) > 1]
    work = [(crystals.select(group),) for group in groups]
    for group, are_first in zip(groups, _spread_groups(_firsts, work, processes), strict=True):
        found[group] = are_first
    return found


def known(crystals: Crystals, among: Crystals, processes: int = 1) -> NDArray[np.bool_]:
    """Return (M,) whether a crystal matches one of the others.

    Args:
        crystals: to look at.
        among: the others.
        processes: as in `distances`.
    """
    found = np.zeros(len(crystals), dtype=bool)
    by_formula: defaultdict[bytes, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, of in enumerate((crystals, among)):
        for k, formula in enumerate(_formulas(of)):
            by_formula[formula][side].append(k)
    groups = [(ours, theirs) for ours, theirs in by_formula.values() if ours and theirs]
    work = [(crystals.select(ours), among.select(theirs)) for ours, theirs in groups]
    for (ours, _), are_known in zip(groups, _spread_groups(_known, work, processes), strict=True):
        found[ours] = are_known
    return found


def structures(crystals: Crystals) -> "list[Structure]":
    """Return the crystals as pymatgen has them."""
    with needing("crystals"):
        from pymatgen.core import Structure
    found = []
    offsets = crystals.offsets
    for k, lattice_33 in enumerate(crystals.lattices.astype(np.float64)):
        rows = slice(offsets[k], offsets[k + 1])
        species = [SYMBOLS[number] for number in crystals.numbers[rows]]
        frac_N3 = crystals.frac_coords[rows].astype(np.float64)
        found.append(Structure(lattice_33, species, frac_N3))
    return found


def _formulas(crystals: Crystals) -> list[bytes]:
    kinds, which = compositions(crystals)
    keys = [kind.tobytes() for kind in kinds]
    return [keys[kind] for kind in which]


def _spread_groups(
    function: Callable[[list[Group]], list[NDArray[np.bool_]]],
    groups: Sequence[Group],
    processes: int,
) -> list[NDArray[np.bool_]]:
    """Return what `function` makes of each group; small ones go to a process together."""
    sizes = np.cumsum([sum(map(len, group)) for group in groups])
    part_of = (sizes // _CRYSTALS_AT_ONCE).tolist()
    parts = defaultdict(list)
    for part, group in zip(part_of, groups, strict=True):
        parts[part].append(group)
    return spread(function, list(parts.values()), min(processes, len(parts) // _PARTS_A_PROCESS))


def _distances(pair: tuple[Crystals, Crystals]) -> list[float]:
    matcher = _matcher()
    found = []
    for prediction, target in zip(*map(structures, pair), strict=True):
        try:
            outcome = matcher.get_rms_dist(prediction, target)
        except _REFUSALS:
            outcome = None
        found.append(np.nan if outcome is None else float(outcome[0]))
    return found


def _firsts(groups: list[tuple[Crystals]]) -> list[NDArray[np.bool_]]:
    found = []
    for (crystals,) in groups:
        representatives: list[Structure] = []
        are_first = np.ones(len(crystals), dtype=bool)
        for k, structure in enumerate(_reduced(crystals)):
            are_first[k] = not _fits_one(representatives, structure)
            if are_first[k] and structure is not None:
                representatives.append(structure)
        found.append(are_first)
    return found


def _known(groups: list[tuple[Crystals, Crystals]]) -> list[NDArray[np.bool_]]:
    found = []
    for crystals, among in groups:
        others = [structure for structure in _reduced(among) if structure is not None]
        found.append(np.array([_fits_one(others, structure) for structure in _reduced(crystals)]))
    return found


def _fits_one(others: "list[Structure]", structure: "Structure | None") -> bool:
    matcher = _matcher()
    if structure is None:
        return False
    for other in others:
        try:
            if matcher.fit(other, structure, skip_structure_reduction=True):
                return True
        except _REFUSALS:
            continue
    return False


def _reduced(crystals: Crystals) -> "list[Structure | None]":
    """Return the primitive Niggli cells, as StructureMatcher makes them before it compares."""
    found: list[Structure | None] = []
    for structure in structures(crystals):
        try:
            niggli = structure.get_reduced_structure(reduction_algo="niggli")
            found.append(niggli.get_primitive_structure())
        except _REFUSALS:
            found.append(None)
    return found


def _matcher() -> "StructureMatcher":
    from pymatgen.core.structure_matcher import StructureMatcher

    return StructureMatcher(ltol=LENGTH_TOLERANCE, stol=SITE_TOLERANCE, angle_tol=ANGLE_TOLERANCE)
