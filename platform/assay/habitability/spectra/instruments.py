"""What an instrument makes of a spectrum: photon noise, by wavelength and star, above a floor.

A bin of a transit depth is known to sigma² = floor² + reference² (photons of the reference star in
that bin / photons of this star), Batalha et al., PASP 129, 064501 (2017) (PandExo), for a star that
is a black body at the distance of TRAPPIST-1. The throughput is taken as flat.

Shapes: P planets, W bins.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.habitability.spectra.bands import EDGES_UM, WAVELENGTHS_UM

_SECOND_RADIATION_UM_K = 14_387.77
REFERENCE_K, REFERENCE_RADIUS_SUNS, REFERENCE_UM = 2566.0, 0.1192, 1.6
"""TRAPPIST-1, whose noise is given at this wavelength."""


@dataclass(frozen=True)
class Instrument:
    """An instrument and how long it looks."""

    reference_ppm: float
    """One sigma at 1.6 µm for TRAPPIST-1, in one of 96 bins."""
    floor_ppm: float


INSTRUMENTS: Mapping[str, Instrument] = {
    "prism_10_transits": Instrument(30.0, 5.0),
    "prism_100_transits": Instrument(9.5, 5.0),
    "large_telescope": Instrument(1.0, 0.1),
    "very_large_telescope": Instrument(0.2, 0.02),
}
"""NIRSpec's PRISM for 10 and 100 transits of TRAPPIST-1 e (tens of ppm a bin for ten), and two
telescopes to come, without which no planet of a Sunlike star has a spectrum."""


def noise_ppm(
    instrument: Instrument, star_K: NDArray[np.floating], star_radius_suns: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return (P, W) one sigma of the transit depth in each bin."""
    photons = _photons(star_K) * star_radius_suns[:, None] ** 2
    reference = _photons(np.array([REFERENCE_K])) * REFERENCE_RADIUS_SUNS**2
    at = np.abs(WAVELENGTHS_UM - REFERENCE_UM).argmin()
    shot = instrument.reference_ppm * np.sqrt(reference[0, at] / photons)
    return np.hypot(shot, instrument.floor_ppm)


def _photons(star_K: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (P, W) photons of a black body in each bin, per area of the star."""
    x = _SECOND_RADIATION_UM_K / (WAVELENGTHS_UM * star_K[:, None])
    return np.diff(EDGES_UM) * WAVELENGTHS_UM**-4 / np.expm1(x)
