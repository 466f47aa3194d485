"""The planets: of the exoplanet catalogue, and drawn from what the climate model can do.

Of a catalogued planet, star, size and orbit are known; its rotation, tilt, ocean and air are not,
so that each comes in several guises, which are in one split. Planets whose year is shorter than
`SHORTEST_SEASONS_D` are tidally locked. Everything is drawn from one seed.

Shapes: P planets, J latitudes, L longitudes.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.habitability.data.air import Air, draw_air
from assay.habitability.simulator.grid import LATITUDES_DEG, LONGITUDES_DEG
from assay.habitability.simulator.planets import RANGES, SHORTEST_SEASONS_D, Planets
from assay.pathways.data.tables import rows
from assay.store.packed import Split

CATALOGUE = "planets_joined.csv.gz"
SMALLEST_EARTHS, LARGEST_EARTHS = 0.5, 1.8
"""Radii of planets that are taken to have a surface; Rogers, ApJ 801, 41 (2015), puts the limit at
1.6, and errors of radii are about a tenth."""
EARTH_GRAVITY_M_S2 = 9.81
WARM_START_K, COLD_START_K = 288.0, 233.0
FLUX, DRAWN_FLUX = (0.35, 1.45), (0.7, 1.25)
COLD_STARTS = 0.2
_WAVES = 4
_NEEDED = ("pl_insol", "st_teff", "st_rad", "pl_rade", "pl_bmasse", "pl_orbper")
_COLUMNS = ("pl_name", "pl_orbeccen", *_NEEDED)


@dataclass(frozen=True)
class Bodies:
    """P planets with everything that is known or was drawn of them."""

    planets: Planets
    """What the climate model is told; `names` are unique."""
    groups: Sequence[str]
    """(P,) what is split as one: the planet, whatever its guises."""
    radius_earths: NDArray[np.float64]
    star_radius_suns: NDArray[np.float64]
    air: Air
    splits: Sequence[Split]

    def __len__(self) -> int:
        """Return P."""
        return len(self.groups)

    def select(self, chosen: NDArray[np.integer]) -> Self:
        """Return the planets at `chosen`, in that order."""
        return type(self)(
            self.planets.select(chosen),
            [self.groups[int(k)] for k in chosen],
            self.radius_earths[chosen],
            self.star_radius_suns[chosen],
            self.air.select(chosen),
            [self.splits[int(k)] for k in chosen],
        )

    @cached_property
    def ocean_fraction(self) -> NDArray[np.float64]:
        """(P,) of the whole surface."""
        return np.einsum("pjl,j->p", self.planets.ocean, np.cos(np.radians(LATITUDES_DEG))) / (
            self.planets.ocean.shape[2] * np.cos(np.radians(LATITUDES_DEG)).sum()
        )


@dataclass(frozen=True)
class Known:
    """One planet's star, size and orbit."""

    name: str
    instellation: float
    star_K: float
    star_radius_suns: float
    radius_earths: float
    mass_earths: float
    year_d: float
    eccentricity: float


def read_catalogue(folder: Path) -> list[Known]:
    """Return the planets of the catalogue that the climate model can take, in the file's order.

    Its habitability labels are not read: they are a rule on two of its columns.

    Raises:
        DataError: the file is missing, or lacks a column.
    """
    found = [_known(row) for row in rows(folder / CATALOGUE, _COLUMNS)]
    return [known for known in found if known is not None]


def draw_known(draw: np.random.Generator, count: int) -> list[Known]:
    """Return planets of stars of 2,600 to 6,200 K, by the relations of main-sequence stars.

    Radius and mass of the star go with temperature as in Mann et al., ApJ 804, 64 (2015), roughly:
    R = (T / 5772 K)^2, never below 0.1, L = R² T⁴, M = R. Planets have M = R^3.7 in Earth's units
    (Zeng, Sasselov and Jacobsen, ApJ 819, 127 (2016)); years follow Kepler's law.
    """
    star_K = draw.uniform(2_600, 6_200, count)
    star_radius = np.maximum((star_K / 5772) ** 2, 0.1)
    flux = draw.uniform(*DRAWN_FLUX, count)
    axis_au = np.sqrt(star_radius**2 * (star_K / 5772) ** 4 / flux)
    year_d = 365.25 * np.sqrt(axis_au**3 / star_radius)
    radius = draw.uniform(0.7, 1.6, count)
    eccentricity = np.minimum(draw.exponential(0.06, count), 0.35)
    values = (flux, star_K, star_radius, radius, radius**3.7, year_d, eccentricity)
    return [
        Known(f"Sampled-{k:05d}", *row) for k, row in
        enumerate(np.stack(values, axis=1).tolist(), start=1)
    ]  # fmt: skip


def dress(known: Sequence[Known], guises: int, seed: int) -> Bodies:
    """Return each planet in `guises`, with what nobody knows drawn from `seed`."""
    draw = np.random.default_rng(seed)
    each = [one for one in known for _ in range(guises)]
    P = len(each)
    number = {
        name: np.array([getattr(one, name) for one in each])
        for name in (
            "instellation", "star_K", "star_radius_suns", "radius_earths", "mass_earths", "year_d",
            "eccentricity",
        )
    }  # fmt: skip
    locked = number["year_d"] < SHORTEST_SEASONS_D
    rotation = np.where(locked, number["year_d"], np.exp(draw.uniform(np.log(0.5), np.log(20), P)))
    air = draw_air(draw, number["instellation"])
    low, high, _ = RANGES["gravity_m_s2"]
    gravity = EARTH_GRAVITY_M_S2 * number["mass_earths"] / number["radius_earths"] ** 2
    planets = Planets(
        names=[f"{one.name} #{k % guises + 1}" if guises > 1 else one.name
               for k, one in enumerate(each)],
        instellation=number["instellation"],
        obliquity_deg=np.where(locked, 0.0, np.degrees(np.arccos(draw.uniform(0, 1, P)))),
        eccentricity=np.where(locked, 0.0, np.minimum(number["eccentricity"], 0.4)),
        periapsis_deg=draw.uniform(0, 360, P),
        year_d=number["year_d"],
        rotation_d=rotation,
        locked=locked,
        co2_ppm=air.co2_ppm,
        star_K=number["star_K"],
        gravity_m_s2=np.clip(gravity, low, high),
        start_K=np.where(draw.random(P) < COLD_STARTS, COLD_START_K, WARM_START_K),
        ocean=draw_oceans(draw, P),
    )  # fmt: skip
    groups = [one.name for one in each]
    return Bodies(
        planets, groups, number["radius_earths"], number["star_radius_suns"], air,
        [split_of(name) for name in groups],
    )  # fmt: skip


def draw_oceans(draw: np.random.Generator, P: int) -> NDArray[np.float64]:
    """Return (P, J, L): smooth random heights, flooded to a random share of the surface."""
    latitude, longitude = np.radians(LATITUDES_DEG)[:, None], np.radians(LONGITUDES_DEG)
    heights = np.zeros((P, len(LATITUDES_DEG), len(LONGITUDES_DEG)))
    for wave in range(_WAVES):
        phase = draw.uniform(0, 2 * np.pi, (3, P, 1, 1))
        across = np.cos(wave * longitude + phase[0]) * np.cos(latitude) ** wave
        along = np.cos((wave + 1) * latitude + phase[1])
        heights += draw.normal(size=(P, 1, 1)) * across * along + 0.5 * np.sin(phase[2]) * along
    flooded = draw.uniform(0.15, 1.0, P)
    levels = np.array(
        [np.quantile(one, share) for one, share in zip(heights, flooded, strict=True)]
    )
    # Half a unit of height is shore: a cell is part sea, part land.
    return np.clip(0.5 + 2 * (levels[:, None, None] - heights), 0.0, 1.0)


def split_of(group: str) -> Split:
    """Return the split of a planet in all its guises: 70, 15 and 15 %, by hash."""
    percent = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") % 100
    return "train" if percent < 70 else "validation" if percent < 85 else "test"


def _known(row: dict[str, str]) -> Known | None:
    """Return a row as a planet, or None where something is unknown or out of range."""
    needed = [row[name] for name in _NEEDED]
    if not all(needed):
        return None
    flux, star_K, star_radius, radius, mass, year_d = map(float, needed)
    low_g, high_g, _ = RANGES["gravity_m_s2"]
    fits = (
        FLUX[0] <= flux <= FLUX[1]
        and RANGES["star_K"][0] <= star_K <= RANGES["star_K"][1]
        and SMALLEST_EARTHS <= radius <= LARGEST_EARTHS
        and RANGES["year_d"][0] <= year_d <= RANGES["year_d"][1]
        and low_g <= EARTH_GRAVITY_M_S2 * mass / radius**2 <= high_g
    )
    eccentricity = float(row["pl_orbeccen"] or 0)
    name = row["pl_name"]
    return (
        Known(name, flux, star_K, star_radius, radius, mass, year_d, eccentricity) if fits else None
    )
