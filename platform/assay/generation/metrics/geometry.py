"""Geometry: bond lengths, bond and dihedral angles against the reference's, and strain.

Types and discrepancy (`_mmd`) are those of Huang et al., "Learning Joint 2D & 3D Diffusion Models
for Complete Molecule Generation" (JODO), arXiv 2305.12347, and its public code; the Wasserstein
distances say the same in Å and degrees. Bonds are looked up as in `edm`, for samples and
reference alike. docs/protocols.md says where it departs.

Shapes: M molecules, V values of a family, K types.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.molecules import Molecules
from assay.generation.metrics.distances import Compared, mean_discrepancy, wasserstein
from assay.generation.metrics.internal_coordinates import Values, internal_coordinates, kind_of
from assay.generation.metrics.protocol import (
    LEAST,
    Scoring,
    ScoringProtocol,
    estimated,
    share,
    sub_sample,
)
from assay.generation.metrics.strain import strain_energies
from assay.statistics.intervals import bootstrap, linearised
from assay.store.packed import Split
from assay.task import Estimate

TYPES: Mapping[str, tuple[str, ...]] = {
    "bond_length": ("C1H", "C1C", "C1O", "N1C", "N1H", "C2O", "O1H", "C2C"),
    "bond_angle": (
        "C1C-C1H", "C1C-C1C", "C1C-C1O", "C1C-C1N", "C1N-N1C", "C1O-O1C", "O1C-C1H", "C2C-C1C",
    ),
    "dihedral": (
        "H1C-C1C-C1C", "C1C-C1C-C1C", "H1C-C1C-C1H", "H1C-C1C-C1O", "C1C-C1C-C1O", "C1N-N1C-C1C",
        "H1C-C1N-N1C", "H1C-C1C-C1N",
    ),
}  # fmt: skip
"""The types of each family, by JODO's names: those that it chose for QM9 with hydrogens."""

STRAINED = 1000
"""At most this many samples are relaxed."""

_HALF_TURN = 180.0


class Geometry(ScoringProtocol[Molecules]):
    """Distributions of internal coordinates, and MMFF94 strain."""

    name: ClassVar[str] = "geometry"
    version: ClassVar[str] = "1"
    data_row: ClassVar[Split] = "validation"

    def evaluate(self, scoring: Scoring[Molecules]) -> dict[str, Estimate]:
        """Return the estimates; without a reference, strain only.

        `n` counts molecules. Distances are `linearised` over whole molecules, because the values
        of one molecule are not independent.
        """
        estimates = {}
        if scoring.reference is not None:
            theirs = internal_coordinates(scoring.reference.of("test"))
            ours = internal_coordinates(scoring.samples)
            for family, mine, other in zip(TYPES, ours, theirs, strict=True):
                estimates |= self._family(family, mine, other, scoring)
        return estimates | self._strain(scoring)

    def _family(
        self, family: str, ours: Values, theirs: Values, scoring: Scoring[Molecules]
    ) -> dict[str, Estimate]:
        kinds = [kind_of(label) for label in TYPES[family]]
        kinds = [kind for kind in kinds if np.any(theirs.kind == kind)]
        counted = np.unique(ours.owner[np.isin(ours.kind, kinds)])
        if len(counted) < LEAST:
            return {}
        found = {}
        for suffix, compare in (("mmd", mean_discrepancy), ("wasserstein", _distance_of(family))):
            each = [_compared(compare, kind, ours, theirs, len(scoring.samples)) for kind in kinds]
            value = float(np.mean([one.value for one in each]))
            influence_M = np.mean([one.influence for one in each], axis=0)
            interval = linearised(value, influence_M, least=0.0, seed=scoring.seed)
            name = f"{self.name}/{family}_{suffix}"
            found[name] = estimated(self, value, interval, len(counted), "lower")
        return found

    def _strain(self, scoring: Scoring[Molecules]) -> dict[str, Estimate]:
        """Relax a sub-sample; a record that could not be read has no type."""
        total = len(scoring.samples) + scoring.rejected
        chosen = sub_sample(total, STRAINED, scoring.seed)
        readable = chosen[chosen < len(scoring.samples)]
        energies = strain_energies(scoring.samples.select(readable), scoring.processes)
        known = np.sort(energies[np.isfinite(energies)])
        found = {f"{self.name}/mmff_typed": share(self, len(known), len(chosen))}
        if len(known) >= LEAST:
            middle = float(np.median(known))
            spread = bootstrap(known, lambda x: np.median(x, axis=-1), seed=scoring.seed)
            name = f"{self.name}/strain_energy"
            found[name] = estimated(self, middle, spread, len(known), "lower")
        return found


Compare = Callable[[NDArray[np.float64], NDArray[np.float64]], Compared]


def _compared(compare: Compare, kind: int, ours: Values, theirs: Values, M: int) -> Compared:
    """Compare the values of one type, and return the influence of each of M molecules."""
    chosen = ours.kind == kind
    found = compare(ours.value[chosen], theirs.value[theirs.kind == kind])
    influence_V = found.influence - (found.influence.mean() if chosen.any() else 0.0)
    by_molecule = np.bincount(ours.owner[chosen], weights=influence_V, minlength=M)
    return Compared(found.value, by_molecule * M / max(1, int(chosen.sum())))


def _distance_of(family: str) -> Compare:
    """Return the Wasserstein distance of a family; of dihedral angles, without their sign."""

    def distance(values_V: NDArray[np.float64], reference_T: NDArray[np.float64]) -> Compared:
        ours_V, theirs_T = np.abs(values_V), np.abs(reference_T)
        if len(ours_V):
            return wasserstein(ours_V, theirs_T)
        furthest = float(theirs_T.max()) if family == "bond_length" else _HALF_TURN
        middle = float(theirs_T.mean())
        return Compared(max(middle, furthest - middle), np.zeros(0))

    return distance
