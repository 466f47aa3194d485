"""Mass density of crystals."""

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.crystals import Crystals
from assay.generation.metrics.cdvae import densities
from assay.generation.properties.property import Property


class Density(Property[Crystals]):
    """Mass of the cell's atoms by its volume, which every crystal has."""

    name = "density"
    unit = "g/cm³"
    version = "1"
    kinds = ("crystals",)

    def of(self, samples: Crystals) -> NDArray[np.float64]:
        """Return (M, 1)."""
        return densities(samples)[:, None]
