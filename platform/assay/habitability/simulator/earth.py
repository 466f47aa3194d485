"""The Earth, as the climate model has it and as it was observed.

Observed: the NCEP/NCAR reanalysis, monthly means; Kalnay et al., Bulletin of the American
Meteorological Society 77, 437 (1996).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.habitability.simulator.grid import EDGES_DEG, N_LATITUDES
from assay.habitability.simulator.run import Physics
from assay.habitability.simulator.surface import Ground

FILE = "earth_ncep_climatology.npz"
ZERO_CELSIUS_K = 273.15

LAND_PERCENT = (
    100, 73, 10, 1, 3, 11, 23, 22, 24, 23, 26, 38, 43, 52, 57, 71, 29, 7,
)  # fmt: skip
"""Of each belt of 10°, from the south pole; Sellers, "Physical Climatology" (1965)."""
OCEAN_OF_EARTH: NDArray[np.float64] = 1 - np.array(LAND_PERCENT) / 100
EARTH_PHYSICS = Physics(Ground(), diffusivity_W_m2_K=0.58, cloud_W_m2=14.5)
"""The Earth before industry: a diffusivity of 0.58 as HEXTOR has it, and clouds that hold back as
much more than in the FILLET protocol as the observed global mean, 287.1 K, asks for: the one number
that is fitted to the Earth."""


def read_earth_K(folder: Path) -> NDArray[np.float64]:
    """Return (12, 73, 144) surface air temperatures by calendar month, from 90° N, in K.

    Raises:
        DataError: the file is missing, or holds something else.
    """
    try:
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            celsius = arrays["surface_air_temp_C"].astype(float)
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{folder / FILE}: cannot be read ({error}); get it anew") from error
    if celsius.shape != (12, 73, 144) or not -100 < celsius.min() < celsius.max() < 60:
        raise DataError(f"{folder / FILE}: holds no monthly temperatures in °C; get it anew")
    return celsius + ZERO_CELSIUS_K


def zonal_of_earth(T_K: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (J, M) means over the belts, months moved to begin at the winter solstice.

    The model's first month begins on 21 December; a third of it is December's.
    """
    latitudes = np.linspace(90, -90, T_K.shape[1])
    area = np.cos(np.radians(latitudes))
    place = np.clip(np.digitize(latitudes, EDGES_DEG) - 1, 0, N_LATITUDES - 1)
    member_JY = (place == np.arange(N_LATITUDES)[:, None]) * area
    zonal_JM = member_JY @ T_K.mean(axis=2).T / member_JY.sum(axis=1, keepdims=True)
    return (2 * zonal_JM + np.roll(zonal_JM, 1, axis=1)) / 3
