"""The contract of a record: five modalities with a mask each, in these units and orders.

Shapes: J latitudes, L longitudes, M months, V variables, W bins, K parameters.
"""

from dataclasses import dataclass
from typing import Literal

from assay.habitability.simulator.grid import N_LATITUDES, N_LONGITUDES, N_MONTHS
from assay.habitability.spectra.bands import N_BINS

Modality = Literal["bio_graphs", "climate_cubes", "spectra", "text_descriptions", "planet_params"]
MODALITIES: tuple[Modality, ...] = (
    "bio_graphs", "climate_cubes", "spectra", "text_descriptions", "planet_params",
)  # fmt: skip
"""In the order of the presence mask."""


@dataclass(frozen=True)
class Quantity:
    """A number of a record: its unit, where it may lie, and how models see it."""

    name: str
    unit: str
    low: float
    high: float
    centre: float
    scale: float
    """Normalised is (value - centre) / scale."""


CUBE_VARIABLES = (
    Quantity("surface_temperature", "K", 100.0, 450.0, 270.0, 40.0),
    Quantity("absorbed_starlight", "W/m²", 0.0, 3_000.0, 240.0, 150.0),
    Quantity("outgoing_radiation", "W/m²", 0.0, 1_000.0, 230.0, 80.0),
    Quantity("frozen_fraction", "", 0.0, 1.0, 0.5, 0.5),
    Quantity("half_pressure_height", "m", 500.0, 60_000.0, 5_500.0, 2_500.0),
)
"""The last axis of a cube. The height is that of half the surface pressure, hydrostatic under a
lapse rate: see `assay.habitability.data.columns`."""
CUBE_SHAPE = (N_LATITUDES, N_LONGITUDES, N_MONTHS, len(CUBE_VARIABLES))

SPECTRUM_CHANNELS = ("transit_depth", "sigma")
"""In ppm; the depth less its mean over the bins, one sigma of its noise."""
SPECTRUM_SHAPE = (len(SPECTRUM_CHANNELS), N_BINS)

PARAMETERS = (
    Quantity("instellation", "of the Earth's", 0.3, 1.6, 1.0, 0.3),
    Quantity("star_temperature", "K", 2_300.0, 7_500.0, 4_000.0, 1_200.0),
    Quantity("radius", "of the Earth's", 0.3, 2.5, 1.1, 0.3),
    Quantity("gravity", "m/s²", 2.0, 30.0, 11.0, 4.0),
    Quantity("year", "days", 0.5, 1_000.0, 150.0, 150.0),
    Quantity("rotation", "days", 0.25, 1_000.0, 10.0, 20.0),
    Quantity("obliquity", "degrees", 0.0, 90.0, 25.0, 25.0),
    Quantity("eccentricity", "", 0.0, 0.4, 0.1, 0.1),
    Quantity("periapsis", "degrees", 0.0, 360.0, 180.0, 100.0),
    Quantity("tidally_locked", "", 0.0, 1.0, 0.5, 0.5),
    Quantity("ocean_fraction", "", 0.0, 1.0, 0.6, 0.3),
)
"""What orbit, star and body tell: nothing of the air, and not which of two climates it is in."""
