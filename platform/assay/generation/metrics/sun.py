"""The protocol sun: how many crystals are stable, unique and novel, by a potential that is named.

Each sample is relaxed by the potential, atoms and cell. The hull is of the reference's training
split, by the same potential, its crystals as they are published: DFT has relaxed them. Sources:
Zeni et al., "A generative model for inorganic materials design" (MatterGen), Nature 639 (2025)
624; the limits 0 and 0.1 eV an atom: Miller et al., "FlowMM", ICML 2024. docs/protocols_crystals.md
has more.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.crystals import Crystals
from assay.generation.energies.evaluator import Evaluator, energies, relaxed
from assay.generation.metrics.crystal_matching import firsts, known
from assay.generation.metrics.crystal_validity import structurally_valid
from assay.generation.metrics.hull import Hull
from assay.generation.metrics.protocol import (
    LEAST,
    Reference,
    Scoring,
    ScoringProtocol,
    mean_of,
    missing,
    require,
    share,
    sub_sample,
)
from assay.generation.metrics.reference import kept
from assay.task import Estimate

RELAXED = 1_000
"""At most this many samples are relaxed."""

LIMITS: Mapping[str, float] = {"stable": 0.0, "metastable": 0.1}
"""eV an atom above the hull."""

DENSEST = 1.0
"""Å³ an atom, a fifth of diamond's: what is denser is no crystal, and has so many neighbours in a
potential's reach that memory would run out."""

_ROUNDING = 1e-6
"""eV an atom, to which a hull is found."""


class SUN(ScoringProtocol[Crystals]):
    """Shares of stable and metastable samples, and of those that are unique and novel besides."""

    name: ClassVar[str] = "sun"
    version: ClassVar[str] = "2"
    at_most: ClassVar[int | None] = RELAXED

    def __init__(self, evaluator: Evaluator) -> None:
        """Take energies from `evaluator`."""
        self.evaluator = evaluator

    @property
    def identity(self) -> str:
        """The version, and what gives energies."""
        return f"{self.version}: {self.evaluator.identity}"

    def lacks(self) -> str | None:
        """Return how to install the potential, or pymatgen, ASE and spglib, where one is not."""
        needed = (missing(package, "crystals") for package in ("pymatgen", "ase", "spglib"))
        return self.evaluator.lacks() or next(filter(None, needed), None)

    def evaluate(self, scoring: Scoring[Crystals]) -> dict[str, Estimate]:
        """Return the estimates; none without a reference, which the hull is of.

        A sample that could not be read, has no energy or no hull, or has atoms that are too near or
        is denser than `DENSEST`, before or after it is relaxed, is not judged, and not stable.
        """
        require(self)
        if scoring.reference is None:
            return {}
        total = len(scoring.samples) + scoring.rejected
        chosen = sub_sample(total, RELAXED, scoring.seed)
        n, samples = len(chosen), scoring.samples.select(chosen[chosen < len(scoring.samples)])
        sound = samples.select(np.flatnonzero(_sound(samples)))
        found = relaxed(self.evaluator, sound, scoring.processes)
        # No potential has learnt how atoms keep apart: some fall into each other.
        energies_M = np.where(_sound(found.crystals), found.energies_M, np.nan)
        hull = Hull(*self._known(scoring.reference, scoring.processes))
        above_M = hull.above(found.crystals, energies_M)
        judged_M = np.isfinite(above_M)
        estimates = {"judged": share(self, int(judged_M.sum()), n)}
        for name, limit in LIMITS.items():
            stable = np.flatnonzero(judged_M & (above_M <= limit + _ROUNDING))
            estimates[name] = share(self, len(stable), n)
            new = self._new(found.crystals.select(stable), scoring)
            estimates[f"{name}_unique_novel"] = share(self, new, n)
        if judged_M.sum() >= LEAST:
            values = above_M[judged_M]
            estimates["above_hull"] = mean_of(values, self.identity, "lower", scoring.seed)
        return {f"{self.name}/{name}": one for name, one in estimates.items()}

    def _known(
        self, reference: Reference[Crystals], processes: int
    ) -> tuple[Crystals, NDArray[np.float64]]:
        """Return the training split with its energies, which are computed once."""
        train = reference.of("train")
        slug = "".join(c if c.isalnum() or c == "." else "_" for c in self.evaluator.identity)
        arrays = kept(
            reference,
            f"energies-{slug}",
            lambda: {"energies": energies(self.evaluator, train, processes)},
        )
        return train, arrays["energies"]

    def _new(self, stable: Crystals, scoring: Scoring[Crystals]) -> int:
        """Return how many crystals match neither one before them nor a training crystal."""
        assert scoring.reference is not None
        distinct = stable.select(np.flatnonzero(firsts(stable, scoring.processes)))
        train = scoring.reference.of("train")
        return len(distinct) - int(known(distinct, train, scoring.processes).sum())


def _sound(crystals: Crystals) -> NDArray[np.bool_]:
    """Return (M,) whether atoms are as far apart as in a crystal."""
    roomy_M = np.abs(crystals.volumes) >= DENSEST * crystals.n_atoms
    return structurally_valid(crystals) & roomy_M
