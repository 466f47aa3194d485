"""Composition: how many atoms of each element."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.crystals import Crystals
from assay.chemistry.molecules import Molecules
from assay.generation.properties.property import Property


class Composition(Property[Any]):
    """Atoms of each element of the vocabulary, in its order; counted exactly."""

    name = "composition"
    unit = "atoms"
    version = "1"
    kinds = ("molecules", "crystals")
    least_spread: ClassVar[float] = 1.0

    def asked(self) -> NDArray[np.float64]:
        """Return (R, K) counts; they are not worth keeping."""
        return self.of(self.domain.records)

    def of(self, samples: Molecules | Crystals) -> NDArray[np.float64]:
        """Return (M, K) counts; elements outside the vocabulary are not counted."""
        vocabulary = np.array(self.domain.vocabulary)
        known = np.isin(samples.numbers, vocabulary)
        columns = np.searchsorted(vocabulary, samples.numbers[known])
        M, K = len(samples), len(vocabulary)
        owner = np.repeat(np.arange(M), samples.n_atoms)[known]
        return np.bincount(owner * K + columns, minlength=M * K).reshape(M, K).astype(np.float64)
