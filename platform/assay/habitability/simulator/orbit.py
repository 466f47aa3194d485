"""Where the star stands: Kepler's orbit, declination, and the flux that each latitude receives.

Berger, Journal of the Atmospheric Sciences 35, 2362 (1978), for the daily means.

Shapes: P planets, K steps of a year, J latitudes, L longitudes.
"""

import numpy as np
from numpy.typing import NDArray

WINTER_SOLSTICE = np.radians(270.0)
"""Solar longitude at which the year begins: a month is a twelfth of the year from there, so that
the first is about the Earth's January."""
_NEWTON_STEPS = 12


def true_anomaly(
    mean_anomaly: NDArray[np.floating], eccentricity: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Return the true anomaly in radians, by Kepler's equation M = E - e sin E."""
    E = np.asarray(mean_anomaly + eccentricity * np.sin(mean_anomaly), float)
    for _ in range(_NEWTON_STEPS):
        E = E - (E - eccentricity * np.sin(E) - mean_anomaly) / (1 - eccentricity * np.cos(E))
    turns = np.sqrt((1 + eccentricity) / (1 - eccentricity))
    return 2 * np.arctan2(turns * np.sin(E / 2), np.cos(E / 2))


def mean_anomaly(
    true: NDArray[np.floating], eccentricity: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Return the mean anomaly in radians of a true one: the time since periapsis."""
    turns = np.sqrt((1 - eccentricity) / (1 + eccentricity))
    E = 2 * np.arctan2(turns * np.sin(true / 2), np.cos(true / 2))
    return E - eccentricity * np.sin(E)


def seasons(
    steps: int,
    obliquity_deg: NDArray[np.floating],
    eccentricity: NDArray[np.floating],
    periapsis_deg: NDArray[np.floating],
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return declination (K, P) in radians and (a/r)² (K, P) at the middle of K equal steps."""
    periapsis = np.radians(periapsis_deg)
    begins = mean_anomaly(WINTER_SOLSTICE - periapsis, eccentricity)
    time_K1 = 2 * np.pi * (np.arange(steps)[:, None] + 0.5) / steps
    anomaly = true_anomaly(begins + time_K1, eccentricity)
    declination = np.arcsin(np.sin(np.radians(obliquity_deg)) * np.sin(anomaly + periapsis))
    distance = (1 - eccentricity**2) / (1 + eccentricity * np.cos(anomaly))
    return declination, distance**-2


def daily_mean(
    declination_KP: NDArray[np.floating], sine_J: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the mean over a day of the star's cosine, and its mean while the star is up.

    Args:
        declination_KP: In radians.
        sine_J: Sines of the latitudes.

    Returns:
        (K, J, P) the fraction of the flux that falls on a horizontal surface, and (K, J, P) the
        cosine of the zenith angle by day, 0 in polar night.
    """
    sine = sine_J[:, None]
    cosine = np.sqrt(1 - sine**2)
    declination = declination_KP[:, None, :]
    up = np.sin(declination) * sine
    across = np.cos(declination) * cosine
    # Half the length of the day, as an angle; all and none of it beyond the polar circles.
    half_day = np.arccos(np.clip(-up / np.maximum(across, 1e-12), -1, 1))
    falls = (half_day * up + across * np.sin(half_day)) / np.pi
    by_day = np.divide(falls * np.pi, half_day, out=np.zeros_like(falls), where=half_day > 0)
    return falls, by_day


def below_the_star(
    sine_J: NDArray[np.floating], longitude_deg_L: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Return (J, L) the star's cosine over a locked planet, 0 on its night side."""
    cosine = np.sqrt(1 - sine_J[:, None] ** 2) * np.cos(np.radians(longitude_deg_L))
    return np.maximum(cosine, 0.0)
