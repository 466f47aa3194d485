"""The CDVAE protocol: validity of crystals, coverage of a test set, and distances of properties.

Source: Xie et al., "Crystal Diffusion Variational Autoencoder for Periodic Material Generation",
ICLR 2022, section 5, and its public code. docs/protocols_crystals.md compares
the two and says what each interval is.

Shapes: M samples.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.crystals import Crystals
from assay.chemistry.elements import SYMBOLS
from assay.chemistry.extras import needing
from assay.generation.metrics.crystal_coverage import (
    CUTOFFS,
    Coverage,
    Fingerprints,
    coverage,
)
from assay.generation.metrics.crystal_fingerprints import (
    composition_fingerprints,
    structure_fingerprints,
)
from assay.generation.metrics.crystal_validity import compositionally_valid, structurally_valid
from assay.generation.metrics.distances import wasserstein
from assay.generation.metrics.protocol import (
    LEAST,
    Reference,
    Scoring,
    ScoringProtocol,
    missing,
    require,
    sub_sample,
)
from assay.generation.metrics.reference import kept
from assay.statistics.intervals import linearised, wilson
from assay.store.packed import Split
from assay.task import Estimate

VERSION = "1"
"""Changes whenever a number could: results of another version are evaluated again."""

SUBSAMPLE = 1000
"""Valid samples whose properties are compared."""

_GRAMS_PER_CM3 = 1.66053906660
"""One atomic mass unit a cubic ångström."""


@dataclass(frozen=True)
class Validity:
    """Which samples are valid, and why not."""

    structural: NDArray[np.bool_]
    """(M,) no two atoms too near, in a cell with a volume."""
    compositional: NDArray[np.bool_]
    """(M,) charges can balance."""

    @property
    def both(self) -> NDArray[np.bool_]:
        """(M,)."""
        return self.structural & self.compositional


class CDVAE(ScoringProtocol[Crystals]):
    """Validity; and with a reference, coverage of its test split and distances from it."""

    name: ClassVar[str] = "cdvae"
    version: ClassVar[str] = VERSION
    data_row: ClassVar[Split] = "validation"

    def lacks(self) -> str | None:
        """Return how to install pymatgen, smact and spglib where one is not."""
        return next(filter(None, (missing(name, "crystals") for name in _PACKAGES)), None)

    def evaluate(self, scoring: Scoring[Crystals]) -> dict[str, Estimate]:
        """Return the estimates; those of coverage and of properties need a reference."""
        require(self)
        valid = validity(scoring.samples)
        n = len(scoring.samples) + scoring.rejected
        found = {
            "structural_validity": _fraction(int(valid.structural.sum()), n),
            "compositional_validity": _fraction(int(valid.compositional.sum()), n),
            "validity": _fraction(int(valid.both.sum()), n),
        }
        if scoring.reference is not None:
            ours = fingerprints(scoring.samples, scoring.processes)
            theirs = _kept_fingerprints(scoring.reference, scoring.processes)
            cutoffs = CUTOFFS.get(scoring.reference.name, CUTOFFS["mp20"])
            covered = coverage(ours, theirs, cutoffs)
            found["cov_recall"] = _recall(covered, scoring.rejected, scoring.seed)
            found["cov_precision"] = _fraction(int(covered.samples.sum()), n)
            usable = scoring.samples.select(np.flatnonzero(valid.both & ours.exist))
            found |= properties(usable, scoring.reference.of("test"), scoring.seed)
        return {f"{self.name}/{metric}": estimate for metric, estimate in found.items()}


def validity(crystals: Crystals) -> Validity:
    """Judge every crystal by its distances and by its composition."""
    return Validity(structurally_valid(crystals), compositionally_valid(crystals))


def fingerprints(crystals: Crystals, processes: int = 1) -> Fingerprints:
    """Return what coverage compares; `processes` as in `structure_fingerprints`."""
    return Fingerprints(
        structure_fingerprints(crystals, processes), composition_fingerprints(crystals)
    )


def properties(valid: Crystals, test: Crystals, seed: int = 0) -> dict[str, Estimate]:
    """Return the Wasserstein distances of density and of the number of elements.

    Of SUBSAMPLE valid samples drawn without replacement, or of all where there are fewer, from
    all test crystals. Of one valid sample, or none, there is no estimate.
    """
    if len(valid) < LEAST or len(test) == 0:
        return {}
    drawn = valid.select(sub_sample(len(valid), SUBSAMPLE, seed))
    found = {}
    for name, of in (("density", densities), ("elements", element_counts)):
        compared = wasserstein(of(drawn), of(test))
        low, high = linearised(compared.value, compared.influence, least=0.0, seed=seed)
        found[f"wasserstein_{name}"] = Estimate(
            value=compared.value,
            low=low,
            high=high,
            n=len(drawn),
            version=VERSION,
            better="lower",
        )
    return found


def densities(crystals: Crystals) -> NDArray[np.float64]:
    """Return (M,) g/cm³."""
    with needing("crystals"):
        from pymatgen.core import Element
    kinds, which = np.unique(crystals.numbers, return_inverse=True)
    masses = np.array([float(Element(SYMBOLS[kind]).atomic_mass) for kind in kinds])
    totals = np.bincount(crystals.owner, masses[which], minlength=len(crystals))
    return totals * _GRAMS_PER_CM3 / np.abs(crystals.volumes)


def element_counts(crystals: Crystals) -> NDArray[np.float64]:
    """Return (M,) how many different elements a crystal has."""
    different = np.unique(np.stack([crystals.owner, crystals.numbers]), axis=1)[0]
    return np.bincount(different, minlength=len(crystals)).astype(np.float64)


def _kept_fingerprints(reference: Reference[Crystals], processes: int) -> Fingerprints:
    """Return the fingerprints of the test split; those of structure are computed once."""
    test = reference.of("test")
    arrays = kept(
        reference,
        f"cdvae-{VERSION}-fingerprints",
        lambda: {"structure": structure_fingerprints(test, processes)},
    )
    return Fingerprints(arrays["structure"], composition_fingerprints(test))


def _recall(found: Coverage, rejected: int, seed: int) -> Estimate:
    """Return the share of covered test crystals.

    The interval is the wider, on either side, of Wilson's for T independent trials and of what
    leaving out a sample does to the share (the jackknife, whose variance is on average no less
    than the true one: Efron and Stein, Ann. Stat. 9 (1981) 586). One sample covers many test
    crystals at once, so that Wilson's alone was measured to be up to four times too narrow.
    """
    estimate = _fraction(int(found.test.sum()), len(found.test))
    if not (len(found.test) and len(found.lost)):
        return estimate
    lost_M = np.append(found.lost, np.zeros(rejected))
    influence_M = lost_M * len(lost_M) / len(found.test)
    low, high = linearised(estimate.value, influence_M, least=0.0, most=1.0, seed=seed)
    wider = {"low": min(low, estimate.low), "high": max(high, estimate.high)}
    return estimate.model_copy(update=wider)


def _fraction(successes: int, n: int) -> Estimate:
    low, high = wilson(successes, n)
    value = successes / n if n else 0.0
    return Estimate(value=value, low=low, high=high, n=n, version=VERSION, better="higher")


_PACKAGES = ("pymatgen", "smact", "spglib")
