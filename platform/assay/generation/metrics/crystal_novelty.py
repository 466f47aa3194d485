"""The matcher protocol: how many crystals are different from each other, and from known ones.

Source: the evaluation of generated crystals in Joshi et al., "All-atom Diffusion Transformers"
(ADiT), ICML 2025: valid crystals in the sense of CDVAE are grouped by pymatgen's StructureMatcher,
and each group's first is compared with the training set. docs/protocols_crystals.md has more.
"""

from typing import ClassVar

import numpy as np

from assay.chemistry.crystals import Crystals
from assay.generation.metrics import cdvae
from assay.generation.metrics.crystal_matching import firsts, known
from assay.generation.metrics.protocol import Scoring, ScoringProtocol, require
from assay.statistics.intervals import wilson
from assay.task import Estimate


class Matcher(ScoringProtocol[Crystals]):
    """Uniqueness of valid crystals, and with a reference novelty against its training split."""

    name: ClassVar[str] = "matcher"
    version: ClassVar[str] = "1"

    def lacks(self) -> str | None:
        """Return how to install pymatgen, smact and spglib where one is not."""
        return cdvae.CDVAE().lacks()

    def evaluate(self, scoring: Scoring[Crystals]) -> dict[str, Estimate]:
        """Return the estimates; those of novelty need a reference."""
        require(self)
        valid = scoring.samples.select(np.flatnonzero(cdvae.validity(scoring.samples).both))
        distinct = valid.select(np.flatnonzero(firsts(valid, scoring.processes)))
        n = len(scoring.samples) + scoring.rejected
        found = {
            "matcher/uniqueness": self._fraction(len(distinct), len(valid)),
            "matcher/valid_unique": self._fraction(len(distinct), n),
        }
        if scoring.reference is not None:
            train = scoring.reference.of("train")
            new = len(distinct) - int(known(distinct, train, scoring.processes).sum())
            found["matcher/novelty"] = self._fraction(new, len(distinct))
            found["matcher/valid_unique_novel"] = self._fraction(new, n)
        return found

    def _fraction(self, successes: int, n: int) -> Estimate:
        low, high = wilson(successes, n)
        value = successes / n if n else 0.0
        return Estimate(value=value, low=low, high=high, n=n, version=self.version, better="higher")
