"""What a property is: numbers that a network is told of a system, and that a sample is judged by.

Shapes: R records of a data set, M samples, C numbers a system.
"""

import logging
from abc import ABC, abstractmethod
from typing import ClassVar, Generic

import numpy as np
import rdkit
from numpy.typing import NDArray

from assay.generation.domain import Domain, Samples
from assay.generation.metrics.reference import kept

log = logging.getLogger(__name__)


class Property(ABC, Generic[Samples]):
    """One property, on one prepared data set."""

    name: ClassVar[str]
    unit: ClassVar[str]
    version: ClassVar[str]
    """Changes whenever a number could: results of another version are evaluated again."""
    kinds: ClassVar[tuple[str, ...]]
    """Of data sets that it belongs to: molecules, crystals."""
    standardised: ClassVar[bool] = True
    """Whether networks see values of zero mean and unit variance over the training split."""
    least_spread: ClassVar[float] = 1e-6
    """What values are divided by at least, before a network sees them."""

    def __init__(self, domain: Domain[Samples]) -> None:
        """Read what is needed of a data set.

        Raises:
            ConfigError: the data set does not tell this property.
        """
        self.domain = domain
        self.held_out = np.zeros(0, dtype=np.int64)
        """Training records that networks must not learn from, since whoever judges them has."""

    def asked(self) -> NDArray[np.float64]:
        """Return (R, C) of every record, nan where it is not known; computed once and kept."""
        records, reference = self.domain.records, self.domain.reference

        def compute() -> dict[str, NDArray]:
            log.info("%s: computing %s of %d records", reference.name, self.name, len(records))
            return {"values": self.of(records)}

        return kept(reference, self.file_name(), compute)["values"]

    def file_name(self, what: str = "") -> str:
        """Return the name under which something of this property is kept."""
        version = self.version.replace(" ", "-")
        return f"{self.name}{what}-{version}-rdkit{rdkit.__version__}"

    @abstractmethod
    def of(self, samples: Samples) -> NDArray[np.float64]:
        """Return (M, C) of samples, nan for those that have none."""
