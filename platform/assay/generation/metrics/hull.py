"""Energies above the hull: what a crystal would gain by falling apart into known ones.

The hull of a chemical system is the lower convex envelope of the energies of its known crystals
over composition; a crystal above it by ΔE is unstable by that much. Source: Ong et al., Chem.
Mater. 20 (2008) 1798; pymatgen's PhaseDiagram.

Shapes: M crystals.
"""

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.crystals import Crystals
from assay.chemistry.elements import SYMBOLS
from assay.chemistry.extras import needing

if TYPE_CHECKING:
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram

_System = frozenset[int]
"""Atomic numbers."""


class Hull:
    """Of known crystals, in every chemical system that is asked for."""

    def __init__(self, known: Crystals, energies_M: NDArray[np.float64]) -> None:
        """Gather known crystals by their elements; one whose energy is nan is left out.

        Args:
            known: M crystals.
            energies_M: eV an atom.

        Raises:
            MachineError: pymatgen is missing.
        """
        self._entries: defaultdict[_System, list[PDEntry]] = defaultdict(list)
        there = np.flatnonzero(np.isfinite(energies_M))
        entries = _entries(known.select(there), energies_M[there])
        for system, entry in zip(_systems(known.select(there)), entries, strict=True):
            self._entries[system].append(entry)

    def above(self, crystals: Crystals, energies_M: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (M,) eV an atom above the hull, below 0 where a crystal would lower it.

        nan where a crystal has no energy, or where an element of it has no known crystal.
        """
        found = np.full(len(crystals), np.nan)
        there = np.flatnonzero(np.isfinite(energies_M))
        some = crystals.select(there)
        of_system: defaultdict[_System, list[int]] = defaultdict(list)
        for k, system in enumerate(_systems(some)):
            of_system[system].append(k)
        entries = _entries(some, energies_M[there])
        for system, places in of_system.items():
            diagram = self._diagram(system)
            if diagram is None:
                continue
            for k in places:
                _, above = diagram.get_decomp_and_e_above_hull(entries[k], allow_negative=True)
                found[there[k]] = above
        return found

    def _diagram(self, system: _System) -> "PhaseDiagram | None":
        """Return the diagram of a system; None where an element of it is not known alone."""
        from pymatgen.analysis.phase_diagram import PhaseDiagram

        if not all(frozenset({number}) in self._entries for number in system):
            return None
        return PhaseDiagram(
            [e for own, some in self._entries.items() if own <= system for e in some]
        )


def _systems(crystals: Crystals) -> list[_System]:
    offsets, numbers = crystals.offsets, crystals.numbers
    return [frozenset(numbers[offsets[k] : offsets[k + 1]].tolist()) for k in range(len(crystals))]


def _entries(crystals: Crystals, energies_M: NDArray[np.float64]) -> "list[PDEntry]":
    with needing("crystals"):
        from pymatgen.analysis.phase_diagram import PDEntry
        from pymatgen.core import Composition
    offsets, found = crystals.offsets, []
    for k, energy in enumerate(energies_M.tolist()):
        kinds, counts = np.unique(crystals.numbers[offsets[k] : offsets[k + 1]], return_counts=True)
        formula = {SYMBOLS[z]: n for z, n in zip(kinds.tolist(), counts.tolist(), strict=True)}
        found.append(PDEntry(Composition(formula), energy * int(counts.sum())))
    return found
