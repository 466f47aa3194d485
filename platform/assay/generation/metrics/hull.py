"""Energies above the hull: what a crystal would gain by falling apart into known ones.

The hull of a chemical system is the lower convex envelope of the energies of its known crystals
over composition; a crystal above it by ΔE is unstable by that much. Source: Ong et al., Chem.
Mater. 20 (2008) 1798. At one composition the envelope is the least energy of any mixture of known
crystals, a linear programme: that costs next to nothing more in a system of many elements, whose
facets, by which pymatgen's PhaseDiagram finds the same, cannot be counted.

Shapes: M crystals, K known ones of a system, S elements of it.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from assay.chemistry.crystals import Crystals

_System = frozenset[int]
"""Atomic numbers."""


@dataclass(frozen=True)
class _Known:
    """Crystals of one chemical system."""

    counts: list[dict[int, int]]
    """Of the atoms of each element."""
    energies: list[float]
    """eV an atom."""


class Hull:
    """Of known crystals, in every chemical system that is asked for."""

    def __init__(self, known: Crystals, energies_M: NDArray[np.float64]) -> None:
        """Gather known crystals by their elements; one whose energy is nan is left out.

        Args:
            known: M crystals.
            energies_M: eV an atom.
        """
        self._known: defaultdict[_System, _Known] = defaultdict(lambda: _Known([], []))
        for counts, energy in zip(_counts(known), energies_M.tolist(), strict=True):
            if np.isfinite(energy):
                of_system = self._known[frozenset(counts)]
                of_system.counts.append(counts)
                of_system.energies.append(energy)

    def above(self, crystals: Crystals, energies_M: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (M,) eV an atom above the hull, below 0 where a crystal would lower it.

        nan where a crystal has no energy, or where an element of it is not known alone.
        """
        found = np.full(len(crystals), np.nan)
        of_system: defaultdict[_System, list[int]] = defaultdict(list)
        counts = _counts(crystals)
        for k in np.flatnonzero(np.isfinite(energies_M)).tolist():
            of_system[frozenset(counts[k])].append(k)
        for system, places in of_system.items():
            if all(frozenset({number}) in self._known for number in system):
                elements = sorted(system)
                shares_MS = _shares([counts[k] for k in places], elements)
                found[places] = energies_M[places] - self._lowest(elements, shares_MS)
        return found

    def _lowest(self, elements: list[int], shares_MS: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (M,) eV an atom of the best mixtures of known crystals at given compositions."""
        parts = [known for own, known in self._known.items() if own <= frozenset(elements)]
        energies_K = np.concatenate([part.energies for part in parts])
        shares_KS = _shares([counts for part in parts for counts in part.counts], elements)
        found = [linprog(energies_K, A_eq=shares_KS.T, b_eq=shares_S) for shares_S in shares_MS]
        return np.array([each.fun if each.success else np.nan for each in found])


def _counts(crystals: Crystals) -> list[dict[int, int]]:
    """Return how many atoms of each element crystals have."""
    found = []
    for numbers_N in np.split(crystals.numbers, crystals.offsets[1:-1]):
        kinds, counts = np.unique(numbers_N, return_counts=True)
        found.append(dict(zip(kinds.tolist(), counts.tolist(), strict=True)))
    return found[: len(crystals)]


def _shares(counts: list[dict[int, int]], elements: list[int]) -> NDArray[np.float64]:
    """Return (M, S) the shares of the elements."""
    counts_MS = np.array([[each.get(number, 0) for number in elements] for each in counts], float)
    return counts_MS / counts_MS.sum(axis=1, keepdims=True)
