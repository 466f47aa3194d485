"""Which of two data sets a system is of, where a network learns from both."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.generation.properties.property import Property

SOURCE = -1.0
"""The label of the source's records; that of the cell's own is 1."""


class DataSetLabel(Property[Any]):
    """A label is asked for, and nothing about a sample can be measured against it."""

    name = "data_set"
    unit = ""
    version = "1"
    kinds = ("molecules", "crystals")
    standardised: ClassVar[bool] = False

    def asked(self) -> NDArray[np.float64]:
        """Return (R, 1) ones: every record of the cell's own data set is of it."""
        return np.ones((len(self.domain.records), 1))

    def of(self, samples: Any) -> NDArray[np.float64]:
        """Return (M, 1) nan."""
        return np.full((len(samples), 1), np.nan)
