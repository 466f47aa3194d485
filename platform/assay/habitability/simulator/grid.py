"""The grid of the climate model: belts of 10° of latitude, and sectors of longitude."""

import numpy as np
from numpy.typing import NDArray

N_LATITUDES, N_LONGITUDES, N_MONTHS = 18, 12, 12

EDGES_DEG = np.linspace(-90, 90, N_LATITUDES + 1)
LATITUDES_DEG = (EDGES_DEG[1:] + EDGES_DEG[:-1]) / 2
LONGITUDES_DEG = np.arange(N_LONGITUDES) * (360 / N_LONGITUDES)
"""Centres; 0 is below the star of a locked planet."""
SINES: NDArray[np.float64] = np.sin(np.radians(LATITUDES_DEG))
SINES_OF_EDGES: NDArray[np.float64] = np.sin(np.radians(EDGES_DEG))
WIDTHS: NDArray[np.float64] = np.diff(SINES_OF_EDGES)
"""(J,) of the belts in the sine of latitude, in which area is uniform; they sum to 2."""
AREAS = WIDTHS / 2
"""(J,) of the belts as fractions of the planet."""
