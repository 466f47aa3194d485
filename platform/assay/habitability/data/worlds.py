"""Planets with the climates that our model gives them, and what a transit sees of them.

Shapes: P planets, J latitudes, L longitudes, M months, V variables, G gases, W bins, K parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from assay.habitability.data.air import mixing_ratios, pressure_bar
from assay.habitability.data.columns import half_pressure_height_m
from assay.habitability.data.modalities import CUBE_VARIABLES
from assay.habitability.data.population import COLD_START_K, WARM_START_K, Bodies
from assay.habitability.simulator.run import Climates, Physics, global_mean, simulate
from assay.habitability.spectra.transmission import (
    EARTH_RADIUS_M,
    PPM,
    SOLAR_RADIUS_M,
    Atmospheres,
    transit_depth,
)
from assay.store.sets import Watch

TWO_CLIMATES_K = 10.0
"""Difference of global means from which on a planet has two climates."""
AT_ONCE = 1024
ABOVE = 0.85
"""Temperature of the air that a transit sees over that of the ground, roughly the Earth's."""


@dataclass(frozen=True)
class Worlds:
    """P planets with the climates that our model gives them."""

    bodies: Bodies
    temperature_K: NDArray[np.float32]
    """(P, J, L, M) of the surface."""
    cubes: Sequence[NDArray[np.float32]]
    """(P,) of (J, L, M, V), as `CUBE_VARIABLES` orders them; records share them."""
    bistable_P: NDArray[np.int8]
    """As `two_climates`."""

    def __len__(self) -> int:
        """Return P."""
        return len(self.bodies)

    @cached_property
    def mean_K(self) -> NDArray[np.float64]:
        """(P,) over area and year."""
        return global_mean(self.temperature_K)


def worlds_of(bodies: Bodies, physics: Physics, watch: Watch) -> Worlds:
    """Return the planets with their climates, without those of a climate that no record has.

    Args:
        bodies: The planets.
        physics: Of the climate model.
        watch: Told how far the climates have come.
    """
    climates = climates_of(bodies, physics, watch)
    cubes_PJLMV = cubes_of(climates, bodies)
    fit = np.flatnonzero(are_of_records(cubes_PJLMV))
    return Worlds(
        bodies.select(fit),
        climates.temperature_K[fit],
        [cubes_PJLMV[k] for k in fit],
        two_climates(bodies, climates)[fit],
    )


def climates_of(bodies: Bodies, physics: Physics, watch: Watch) -> Climates:
    """Return the climates of all planets."""
    parts = []
    for begin in range(0, len(bodies), AT_ONCE):
        watch("climates", begin / len(bodies))
        chosen = np.arange(begin, min(begin + AT_ONCE, len(bodies)))
        parts.append(simulate(bodies.planets.select(chosen), physics, threads=2))
    return Climates.joined(parts)


def cubes_of(climates: Climates, bodies: Bodies) -> NDArray[np.float32]:
    """Return (P, J, L, M, V) as `CUBE_VARIABLES` orders them."""
    gravity = bodies.planets.gravity_m_s2[:, None, None, None]
    height = half_pressure_height_m(climates.temperature_K, gravity)
    variables = (climates.temperature_K, climates.absorbed_W_m2, climates.emitted_W_m2,
                 np.clip(climates.frozen, 0, 1), height)  # fmt: skip
    return np.stack(variables, axis=-1).astype(np.float32)


def are_of_records(cubes_PJLMV: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return (P,) whether all variables of a climate lie where those of a record may.

    Beyond, such as on a planet that boils, the radiation of our model is extrapolated too far.
    """
    low, high = np.array([(q.low, q.high) for q in CUBE_VARIABLES], np.float32).T
    return ((cubes_PJLMV >= low) & (cubes_PJLMV <= high)).all((1, 2, 3, 4))


def depths_of(worlds: Worlds) -> NDArray[np.float64]:
    """Return (P, W) ppm without noise.

    A transit sees air 15 % colder than the ground, above the ground's pressure.
    """
    bodies, surface_K = worlds.bodies, worlds.mean_K
    atmospheres = Atmospheres(
        temperature_K=surface_K * ABOVE,
        pressure_Pa=pressure_bar(bodies.air) * 1e5,
        mixing_ratio=mixing_ratios(bodies.air, surface_K),
        radius_m=bodies.radius_earths * EARTH_RADIUS_M,
        gravity_m_s2=bodies.planets.gravity_m_s2,
    )
    return transit_depth(atmospheres, bodies.star_radius_suns * SOLAR_RADIUS_M) * PPM


def parameters_of(bodies: Bodies) -> NDArray[np.float32]:
    """Return (P, K) as `PARAMETERS` orders them."""
    p = bodies.planets
    columns = (
        p.instellation, p.star_K, bodies.radius_earths, p.gravity_m_s2, p.year_d, p.rotation_d,
        p.obliquity_deg, p.eccentricity, p.periapsis_deg, p.locked, bodies.ocean_fraction,
    )  # fmt: skip
    return np.stack(columns, axis=1).astype(np.float32)


def twins(bodies: Bodies, count: int) -> Bodies:
    """Return the planets, and the first `count` once more from the other start."""
    both = bodies.select(np.concatenate([np.arange(len(bodies)), np.arange(count)]))
    start_K, names = both.planets.start_K.copy(), list(both.planets.names)
    start_K[len(bodies) :] = WARM_START_K + COLD_START_K - start_K[len(bodies) :]
    names[len(bodies) :] = [f"{name}, other start" for name in names[len(bodies) :]]
    return replace(both, planets=replace(both.planets, names=names, start_K=start_K))


def two_climates(bodies: Bodies, climates: Climates) -> NDArray[np.int8]:
    """Return (P,) 1 and 0 for planets that were run from both starts, -1 for the others."""
    mean_K = global_mean(climates.temperature_K)
    place = {name: k for k, name in enumerate(bodies.planets.names)}
    found = np.full(len(bodies), -1, np.int8)
    for name, k in place.items():
        other = place.get(f"{name}, other start")
        if other is not None:
            found[[k, other]] = abs(mean_K[k] - mean_K[other]) > TWO_CLIMATES_K
    return found
