"""Spectra that others computed or measured, against which ours are checked.

TRAPPIST-1 e: Duque-Castaño et al., arXiv:2407.19167 (MultiREx). The Earth: Lin, MacDonald,
Kaltenegger and Wilson, MNRAS 505, 3562 (2021).

Shapes: S spectra, W wavelengths, G gases.
"""

import csv
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.habitability.spectra.bands import GASES, binned
from assay.habitability.spectra.transmission import (
    EARTH_RADIUS_M,
    SOLAR_RADIUS_M,
    Atmospheres,
)

SPECTRA, PARAMETERS = "trappist1e_transmission.npz", "trappist1e_transmission_params.csv.gz"
REFERENCE = "reference_planets.csv.gz"
STAR_RADIUS_M = 0.1192 * SOLAR_RADIUS_M
"""TRAPPIST-1; Agol et al., Planetary Science Journal 2, 1 (2021), as the planet's mass."""
MASS_EARTHS = 0.692
EARTH_AIR: Mapping[str, float] = {
    "H2O": 5e-6, "CO2": 4e-4, "CH4": 1.5e-6, "O3": 3e-6, "O2": 0.21,
}  # fmt: skip
"""Mixing ratios of the stratosphere, at whose height a transit sees the Earth."""
EARTH_K = 235.0


@dataclass(frozen=True)
class Simulated:
    """S spectra of TRAPPIST-1 e."""

    depth: NDArray[np.float64]
    """(S, W) of the transit, in our bins."""
    temperature_K: NDArray[np.float64]
    pressure_Pa: NDArray[np.float64]
    log10_ratio: NDArray[np.float64]
    """(S, G) of mixing ratios; -inf where a gas is absent."""
    set_name: NDArray[np.str_]
    airless: float
    """Depth of the planet without air."""

    def __len__(self) -> int:
        """Return S."""
        return len(self.depth)

    def select(self, chosen: NDArray) -> Self:
        """Return the spectra at `chosen`, indices or a mask."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        return type(self)(**{name: one if name == "airless" else one[chosen]
                             for name, one in arrays.items()})  # fmt: skip

    def fitted(self, gas: str) -> NDArray[np.bool_]:
        """Return (S,) the spectra that the bands of a gas are fitted to."""
        if gas == "CO2":
            return self.set_name == gas
        even = np.isin(self.log10_ratio[:, GASES.index(gas)], np.arange(-10.0, 0.0, 2.0))
        return (self.set_name == gas) & even

    def ever_fitted(self) -> NDArray[np.bool_]:
        """Return (S,) those of any gas."""
        return np.any([self.fitted(gas) for gas in GASES], axis=0)

    def star_m(self) -> NDArray[np.float64]:
        """Return (S,) radii of the star."""
        return np.full(len(self), STAR_RADIUS_M)

    def atmospheres(self) -> Atmospheres:
        """Return what the spectra are of."""
        radius = np.full(len(self), np.sqrt(self.airless) * STAR_RADIUS_M)
        gravity = 9.82 * MASS_EARTHS * (EARTH_RADIUS_M / radius) ** 2
        ratio = 10.0**self.log10_ratio
        return Atmospheres(self.temperature_K, self.pressure_Pa, ratio, radius, gravity)


def read_simulated(folder: Path) -> Simulated:
    """Read the two files of TRAPPIST-1 e in `folder` (planet_spectra).

    Raises:
        DataError: a file is missing, or holds something else.
    """
    try:
        with gzip.open(folder / PARAMETERS, "rt", newline="") as file:
            rows = list(csv.DictReader(file))
        with np.load(folder / SPECTRA, allow_pickle=False) as arrays:
            wavelength, depth = (arrays[name].astype(float) for name in
                                 ("wavelength_um", "transit_depth"))  # fmt: skip
        absent = -np.inf
        ratio = [[float(row.get(f"log10_{gas}") or absent) for gas in GASES] for row in rows]
        names = np.array([row["set"] for row in rows])
        temperature = np.array([float(row["temperature_K"]) for row in rows])
        pressure = np.array([float(row["base_pressure_Pa"]) for row in rows])
        airless = depth[names == "airless"][0].mean()
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise DataError(
            f"{folder}: the spectra of TRAPPIST-1 e cannot be read ({error}); get {PARAMETERS} and "
            f"{SPECTRA}"
        ) from error
    found = Simulated(
        binned(wavelength, depth), temperature, pressure, np.array(ratio), names, airless
    )
    return found.select(names != "airless")


def read_earth(folder: Path, epoch: str) -> NDArray[np.float64]:
    """Return (W,) the effective height of the Earth in km, of "Earth_0.0Ga" (today) or 2.0.

    Raises:
        DataError: the file is missing, or lacks the epoch.
    """
    try:
        with gzip.open(folder / REFERENCE, "rt", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["planet"] == epoch]
        table = np.array([(float(row["wavelength_um"]), float(row["value"])) for row in rows])
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{folder / REFERENCE}: cannot be read ({error}); get it anew") from error
    if not len(table):
        raise DataError(f"{folder / REFERENCE}: has no spectrum of {epoch}; get it anew")
    return binned(table[:, 0], table[:, 1])


def earth_atmosphere() -> Atmospheres:
    """Return the Earth's air as a transit sees it."""
    one = np.ones(1)
    ratio = np.array([[EARTH_AIR[gas] for gas in GASES]])
    return Atmospheres(EARTH_K * one, 101_325 * one, ratio, EARTH_RADIUS_M * one, 9.81 * one)
