"""The planet that networks are asked for: its climate and its oxygen, from a file or a data set.

Shapes: J latitudes, L longitudes, M months.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from assay.config import Settings, did_you_mean, validate
from assay.errors import ConfigError, DataError
from assay.habitability.data.checks import check_cube
from assay.habitability.data.columns import half_pressure_height_m
from assay.habitability.data.compose import GUEST
from assay.habitability.data.samples import planets_of, texts_in
from assay.habitability.simulator.earth import EARTH_PHYSICS, OCEAN_OF_EARTH
from assay.habitability.simulator.grid import N_LATITUDES, N_LONGITUDES
from assay.habitability.simulator.planets import Planets, earth_like
from assay.habitability.simulator.run import global_mean, simulate
from assay.pathways.graphs import ENVIRONMENT
from assay.result import read_plain
from assay.store import sets


class PlanetFile(Settings):
    """A planet as its file gives it; what is left out is the Earth's, but for oxygen."""

    name: str = Field(default="the planet", min_length=1)
    oxygen_bar: float = Field(ge=0, le=1)
    """Partial pressure of O2, of which nothing else tells; the air is of a bar."""
    instellation: float | None = None
    """Of the Earth's."""
    obliquity_deg: float | None = None
    eccentricity: float | None = None
    periapsis_deg: float | None = None
    year_d: float | None = None
    rotation_d: float | None = None
    locked: bool | None = None
    """One side always faces the star; then there are no seasons."""
    co2_ppm: float | None = None
    star_K: float | None = None
    gravity_m_s2: float | None = None
    start_K: float | None = None
    """Which of two climates it is in: the uniform temperature that the model starts from."""
    ocean_fraction: float | None = None
    """The same everywhere; by default that of the Earth's belts."""


@dataclass(frozen=True)
class World:
    """What networks are asked for, and judged by."""

    name: str
    source: str
    """Where its climate is from."""
    temperature_JLM: NDArray[np.floating]
    """K, of the surface."""
    oxygen_bar: float

    @property
    def mean_K(self) -> float:
        """The mean over area and year."""
        return float(global_mean(self.temperature_JLM[None])[0])

    @property
    def oxygen(self) -> float:
        """The share of O2 in a bar of air with the same partial pressure, as `ENVIRONMENT` has it.

        Organisms feel the partial pressure, and the Earth's 0.21 are of a bar.
        """
        return self.oxygen_bar

    @property
    def environment_4(self) -> NDArray[np.float32]:
        """In the units of `ENVIRONMENT`; pH and redox, which nothing tells, are 0."""
        told = {"temperature": self.mean_K, "oxygen": self.oxygen}
        return np.array([told.get(name, 0.0) for name in ENVIRONMENT], np.float32)

    @property
    def known_4(self) -> NDArray[np.bool_]:
        """Which entries are known."""
        return np.array([name in ("temperature", "oxygen") for name in ENVIRONMENT])


def world_of(planet: str) -> World:
    """Return a planet: of a file `NAME.json`, or of a prepared set, `SET:NAME`.

    Raises:
        ConfigError: a key of the file is unknown or no number, or there is no such set or planet.
        DataError: the file cannot be read, the planet is none that the climate model stands for, or
            the record lacks its climate or its oxygen.
    """
    if planet.endswith(".json"):
        return _of_file(Path(planet))
    data_set, separator, name = planet.partition(":")
    if not separator:
        raise ConfigError(
            f"--planet {planet}: give a file that ends in .json, or a set and the name of one of "
            "its planets, such as mini_planets:Sampled-00001"
        )
    return _of_record(data_set, name)


def _of_file(path: Path) -> World:
    given = validate(PlanetFile, read_plain(path), str(path))
    orbit = given.model_dump(exclude={"name", "oxygen_bar", "ocean_fraction"}, exclude_none=True)
    planets = earth_like([given.name], _ocean(given.ocean_fraction), **_locked(orbit))
    climates = simulate(planets, EARTH_PHYSICS)
    surface_JLM = climates.temperature_K[0]
    variables = (surface_JLM, climates.absorbed_W_m2[0], climates.emitted_W_m2[0],
                 np.clip(climates.frozen[0], 0, 1),
                 half_pressure_height_m(surface_JLM, planets.gravity_m_s2[0]))  # fmt: skip
    check_cube(np.stack(variables, axis=-1), given.name)
    return World(given.name, f"our climate model, {_told(planets)}", surface_JLM, given.oxygen_bar)


def _locked(orbit: dict[str, Any]) -> dict[str, Any]:
    """Return the same; a locked planet has the Earth's seasons only if it is given them."""
    if not orbit.get("locked"):
        return orbit
    still = {"obliquity_deg": 0.0, "eccentricity": 0.0, "rotation_d": orbit.get("year_d", 365.25)}
    return still | orbit


def _ocean(fraction: float | None) -> NDArray[np.float64]:
    by_belt = OCEAN_OF_EARTH if fraction is None else np.full(N_LATITUDES, fraction)
    return np.repeat(by_belt[:, None], N_LONGITUDES, axis=1)


def _told(planets: Planets) -> str:
    """Return the parameters that a climate depends on most, in words."""
    return (
        f"{planets.instellation[0]:g} of the Earth's light, {planets.co2_ppm[0]:g} ppm of CO2, "
        f"tilt {planets.obliquity_deg[0]:g} degrees, a day of {planets.rotation_d[0]:g} days"
    )


def _of_record(data_set: str, name: str) -> World:
    packed = planets_of(sets.open_set(data_set))
    planets = [each.partition(GUEST)[0] for each in texts_in(packed, "names")]
    rows = [k for k, each in enumerate(planets) if each == name.partition(GUEST)[0]]
    if not rows:
        raise ConfigError(f"{data_set}: has no planet {name!r}{did_you_mean(name, planets)}")
    # All records of a planet, one a guest, have its cube but where that is missing.
    cube_of = packed.arrays["cube_of"][rows]
    if not (cube_of >= 0).any():
        raise DataError(f"{data_set}: planet {name} has no climate cube; take another")
    row, cube = rows[0], int(cube_of.max())
    oxygen_bar = float(packed.arrays["oxygen_bar"][row])
    if not np.isfinite(oxygen_bar):
        raise DataError(
            f"{data_set}: of the oxygen of planet {name} nothing is known; describe it in a file "
            "with oxygen_bar"
        )
    surface_JLM = np.asarray(packed.arrays["climate_cubes"][cube, ..., 0])
    return World(planets[row], f"the climate cube of {data_set}", surface_JLM, oxygen_bar)
