"""What the climate model is told of planets, and what it refuses.

Shapes: P planets, J latitudes, L longitudes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError

SOLAR_CONSTANT_W_M2 = 1361.0
STEFAN_BOLTZMANN_W_M2_K4 = 5.670374e-8
SHORTEST_SEASONS_D = 60.0
"""Planets of shorter years are tidally locked, and have none."""

RANGES: Mapping[str, tuple[float, float, str]] = {
    "instellation": (0.3, 1.6, "of the Earth's"),
    "obliquity_deg": (0.0, 90.0, "degrees"),
    "eccentricity": (0.0, 0.4, ""),
    "periapsis_deg": (0.0, 360.0, "degrees"),
    "year_d": (0.5, 1_000.0, "days"),
    "rotation_d": (0.25, 1_000.0, "days"),
    "co2_ppm": (1.0, 100_000.0, "ppm"),
    "star_K": (2_300.0, 7_500.0, "K"),
    "gravity_m_s2": (2.0, 30.0, "m/s²"),
    "start_K": (190.0, 330.0, "K"),
}
"""Where the model stands for anything: the ranges of its radiation (190 to 360 K, 1 bar of N2 with
1 to 100,000 ppm of CO2) and of what was checked."""


@dataclass(frozen=True)
class Planets:
    """P planets with an atmosphere of 1 bar of N2, CO2 and water vapour."""

    names: Sequence[str]
    instellation: NDArray[np.float64]
    """(P,) stellar flux at the semi-major axis over the Earth's, 1,361 W/m²."""
    obliquity_deg: NDArray[np.float64]
    eccentricity: NDArray[np.float64]
    periapsis_deg: NDArray[np.float64]
    """(P,) solar longitude at periapsis; 0 is the northern spring equinox."""
    year_d: NDArray[np.float64]
    """(P,) days of 86,400 s."""
    rotation_d: NDArray[np.float64]
    """(P,) sidereal day, in days of 86,400 s."""
    locked: NDArray[np.bool_]
    """(P,) one side always faces the star; longitude 0 is below it, and there are no seasons."""
    co2_ppm: NDArray[np.float64]
    """(P,) partial pressure of CO2 in 1e-6 bar, beside 1 bar of N2."""
    star_K: NDArray[np.float64]
    """(P,) effective temperature of the star; the albedo of ice depends on it."""
    gravity_m_s2: NDArray[np.float64]
    start_K: NDArray[np.float64]
    """(P,) uniform temperature the model starts from: it chooses between two stable climates."""
    ocean: NDArray[np.float64]
    """(P, J, L) fraction of each cell that is ocean, 0 to 1; the rest is land."""

    def __post_init__(self) -> None:
        """Refuse what the model knows nothing of.

        Raises:
            DataError: names the planet, the parameter and its range.
        """
        for name, (low, high, unit) in RANGES.items():
            values = getattr(self, name)
            wrong = np.flatnonzero(~((values >= low) & (values <= high)))
            if len(wrong):
                raise DataError(
                    f"planet {self.names[wrong[0]]}: planet parameters: {name} is "
                    f"{values[wrong[0]]:g}; give {low:g} to {high:g} {unit}".rstrip()
                )
        seasonal = np.flatnonzero(~self.locked & (self.year_d < SHORTEST_SEASONS_D))
        if len(seasonal):
            raise DataError(
                f"planet {self.names[seasonal[0]]}: planet parameters: a year of "
                f"{self.year_d[seasonal[0]]:g} days is too short for seasons; lock its rotation"
            )
        tilted = np.flatnonzero(self.locked & ((self.obliquity_deg > 0) | (self.eccentricity > 0)))
        if len(tilted):
            raise DataError(
                f"planet {self.names[tilted[0]]}: planet parameters: is tidally locked and has "
                "seasons; give obliquity 0 and eccentricity 0"
            )
        wrong = np.flatnonzero(~((self.ocean >= 0) & (self.ocean <= 1)).all(axis=(1, 2)))
        if len(wrong):
            raise DataError(
                f"planet {self.names[wrong[0]]}: planet parameters: an ocean fraction is outside "
                "[0, 1]; correct it"
            )

    def __len__(self) -> int:
        """Return P."""
        return len(self.names)

    def select(self, chosen: NDArray[np.integer]) -> Self:
        """Return the planets at `chosen`, in that order."""
        arrays = {f.name: getattr(self, f.name)[chosen] for f in fields(self) if f.name != "names"}
        return type(self)(names=[self.names[int(k)] for k in chosen], **arrays)


def equilibrium_temperature_K(
    instellation: NDArray[np.floating], albedo: NDArray[np.floating] | float
) -> NDArray[np.float64]:
    """Return (P,) K of a black body that absorbs what the albedo leaves: no greenhouse."""
    absorbed = SOLAR_CONSTANT_W_M2 * instellation * (1 - albedo) / 4
    return (absorbed / STEFAN_BOLTZMANN_W_M2_K4) ** 0.25


def earth_like(
    names: Sequence[str], ocean: NDArray[np.floating], **given: NDArray | float | bool
) -> Planets:
    """Return planets that are the Earth but for what is given.

    Args:
        names: (P,).
        ocean: (J, L) or (P, J, L) fractions of ocean.
        given: Fields of `Planets`, numbers or arrays (P,).
    """
    earth: dict[str, float | bool] = {
        "instellation": 1.0, "obliquity_deg": 23.44, "eccentricity": 0.0167, "periapsis_deg": 282.9,
        "year_d": 365.25, "rotation_d": 1.0, "locked": False, "co2_ppm": 280.0, "star_K": 5772.0,
        "gravity_m_s2": 9.81, "start_K": 288.0,
    }  # fmt: skip
    P = len(names)
    arrays = {
        name: np.broadcast_to(np.asarray(given.get(name, default), type(default)), (P,)).copy()
        for name, default in earth.items()
    }
    unknown = set(given) - set(earth)
    if unknown:
        raise TypeError(f"planets have no {sorted(unknown)[0]}")
    oceans = np.broadcast_to(np.asarray(ocean, float), (P, *np.shape(ocean)[-2:])).copy()
    return Planets(names=list(names), ocean=oceans, **arrays)
