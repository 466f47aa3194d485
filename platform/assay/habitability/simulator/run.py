"""The climate of many planets at once, by season, latitude and longitude.

C dT/dt = S (1 - A) - R + div(D grad T): North, Cahalan and Coakley, Reviews of Geophysics 19, 91
(1981). Starlight and outgoing radiation take an explicit step, diffusion a backward Euler one, so
that a steady state is one of the equation itself and not of the step.

Longitude comes about in two ways, and no other. A planet with days has its land and oceans, which
warm and cool at their own pace; its starlight is the mean of a day. A locked planet has a day side
and a night side. Winds, clouds and ocean currents are in D alone.

Shapes: P planets, K steps of a year, J latitudes, L longitudes, M months.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.habitability.simulator.grid import AREAS, LONGITUDES_DEG, N_MONTHS, SINES
from assay.habitability.simulator.orbit import below_the_star, daily_mean, seasons
from assay.habitability.simulator.planets import SOLAR_CONSTANT_W_M2, Planets
from assay.habitability.simulator.radiation import Longwave, Shortwave
from assay.habitability.simulator.surface import Ground, ice_albedo, state, warmed
from assay.habitability.simulator.transport import along_meridians, along_parallels, diffusivity

STEPS_A_YEAR = 48
LOCKED_STEP_D = 8.0
"""Days of a step where there are no seasons: 48 of them count as a year."""
CUBES = (
    "temperature_K", "absorbed_W_m2", "emitted_W_m2", "frozen", "ground_albedo", "planetary_albedo",
)  # fmt: skip
"""What is recorded, in the order of `Climates`."""
AT_ONCE = 512
"""Planets that step together: enough that calls weigh little, few enough that arrays stay small."""
SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True)
class Physics:
    """What is the same on all planets of a run."""

    ground: Ground = field(default_factory=Ground)
    diffusivity_W_m2_K: float = 0.5
    """Of the Earth's air and rotation; the FILLET protocol's."""
    cloud_W_m2: float = 0.0
    """Outgoing radiation that clouds hold back, beyond what the tables hold."""
    settled_K: float = 0.01
    """The run ends when no cell's annual mean changes by more in a year."""
    most_years: int = 400
    """Of zonal means, from the start."""
    most_years_of_grid: int = 60
    """Of the whole grid, from settled zonal means."""


@dataclass(frozen=True)
class Climates:
    """Climates of P planets, in months from the northern winter solstice."""

    temperature_K: NDArray[np.float32]
    """(P, J, L, M) of the surface."""
    absorbed_W_m2: NDArray[np.float32]
    """(P, J, L, M) starlight."""
    emitted_W_m2: NDArray[np.float32]
    """(P, J, L, M) outgoing radiation."""
    frozen: NDArray[np.float32]
    """(P, J, L, M) share under sea ice or snow."""
    ground_albedo: NDArray[np.float32]
    """(P, J, L, M)."""
    planetary_albedo: NDArray[np.float32]
    """(P, J, L, M) mean over time, not over light."""
    drift_K: NDArray[np.float64]
    """(P,) the largest change of a cell's annual mean over the last year."""

    def __len__(self) -> int:
        """Return P."""
        return len(self.drift_K)

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """Return the planets of all parts."""
        return cls(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in
                      fields(cls)})  # fmt: skip


def simulate(planets: Planets, physics: Physics | None = None, threads: int = 1) -> Climates:
    """Return the climates that the planets come to from their uniform starts.

    Args:
        planets: Of any number.
        physics: What they share; the FILLET protocol's by default.
        threads: Groups of planets that step at the same time.
    """
    physics = physics or Physics()
    kinds = [np.flatnonzero(planets.locked == locked) for locked in (False, True)]
    groups = [
        kind[begin : begin + AT_ONCE] for kind in kinds for begin in range(0, len(kind), AT_ONCE)
    ]
    with ThreadPoolExecutor(threads) as pool:
        found = list(
            pool.map(lambda chosen: Run.of(planets.select(chosen), physics).climates(), groups)
        )
    order = np.argsort(np.concatenate(groups))
    whole = Climates.joined(found)
    return Climates(**{f.name: getattr(whole, f.name)[order] for f in fields(whole)})


def global_mean(field: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean over area and year of (P, J, L, M)."""
    return np.einsum("pjlm,j->p", field, AREAS) / (field.shape[2] * field.shape[3])


@dataclass(frozen=True)
class Run:
    """Planets that are all locked, or none of them is; the last axis of every array is P."""

    physics: Physics
    ocean_JLP: NDArray[np.float64]
    ice_albedo_P: NDArray[np.floating]
    longwave: Longwave
    shortwave: Shortwave
    light_KJLP: NDArray[np.float64]
    """W/m² on a horizontal surface above the atmosphere; one step, or one longitude, stands for all
    where they are alike."""
    dt_P: NDArray[np.float64]
    D_dt_P: NDArray[np.float64]
    start_P: NDArray[np.float64]

    @classmethod
    def of(cls, planets: Planets, physics: Physics) -> Self:
        """Return what the steps of these planets need."""
        days = planets.year_d / STEPS_A_YEAR
        if planets.locked.all():
            days = np.full(len(planets), LOCKED_STEP_D)
            shines = below_the_star(SINES, LONGITUDES_DEG[: planets.ocean.shape[2]])
            light_KJLP = cosine_KJLP = np.repeat(shines[None, :, :, None], len(planets), axis=-1)
            distance_KP = np.ones((1, len(planets)))
        else:
            declination_KP, distance_KP = seasons(
                STEPS_A_YEAR, planets.obliquity_deg, planets.eccentricity, planets.periapsis_deg
            )
            light, cosine = daily_mean(declination_KP, SINES)
            light_KJLP, cosine_KJLP = light[:, :, None], cosine[:, :, None]
        flux_P = SOLAR_CONSTANT_W_M2 * planets.instellation
        dt_P = days * SECONDS_A_DAY
        D_P = diffusivity(physics.diffusivity_W_m2_K, planets.co2_ppm * 1e-6, planets.rotation_d)
        return cls(
            physics,
            ocean_JLP=np.ascontiguousarray(np.moveaxis(planets.ocean, 0, -1)),
            ice_albedo_P=ice_albedo(physics.ground, planets.star_K),
            longwave=Longwave.of(planets.co2_ppm, physics.cloud_W_m2),
            shortwave=Shortwave.of(cosine_KJLP, planets.co2_ppm),
            light_KJLP=light_KJLP * (distance_KP * flux_P)[:, None, None],
            dt_P=dt_P,
            D_dt_P=D_P * dt_P,
            start_P=planets.start_K,
        )

    def select(self, chosen: NDArray[np.integer]) -> Self:
        """Return the run of the planets at `chosen`."""
        longwave = self.longwave
        return replace(
            self,
            longwave=type(longwave)(
                **{f.name: getattr(longwave, f.name)[..., chosen] for f in fields(longwave)}
            ),
            shortwave=Shortwave(self.shortwave.of_term[..., chosen]),
            **{
                name: getattr(self, name)[..., chosen]
                for name in ("ocean_JLP", "ice_albedo_P", "light_KJLP", "dt_P", "D_dt_P", "start_P")
            },
        )

    def climates(self) -> Climates:
        """Settle zonal means, then the whole grid, and record a year."""
        J, L, P = self.ocean_JLP.shape
        T_JLP = np.broadcast_to(self.start_P, (J, L, P)).copy()
        years = self.physics.most_years
        if len(self.light_KJLP) > 1 and L > 1:
            zonal = replace(self, ocean_JLP=self.ocean_JLP.mean(axis=1, keepdims=True))
            T_JLP, _ = zonal.settle(T_JLP[:, :1].copy(), years)
            T_JLP, years = np.repeat(T_JLP, L, axis=1), self.physics.most_years_of_grid
        T_JLP, drift_P = self.settle(T_JLP, years)
        cubes = np.zeros((len(CUBES), N_MONTHS, J, L, P), np.float32)
        for k in range(STEPS_A_YEAR):
            T_JLP = self.step(T_JLP, k, cubes[:, k * N_MONTHS // STEPS_A_YEAR])
        cubes *= N_MONTHS / STEPS_A_YEAR
        turned = np.ascontiguousarray(cubes.transpose(0, 4, 2, 3, 1))
        return Climates(**dict(zip(CUBES, turned, strict=True)), drift_K=drift_P)

    def settle(
        self, T_JLP: NDArray[np.floating], years: int
    ) -> tuple[NDArray[np.floating], NDArray[np.float64]]:
        """Step until annual means stand still, or for `years`; return them with the last change."""
        P = T_JLP.shape[-1]
        settled_JLP, drift_P = np.empty_like(T_JLP), np.full(P, np.inf)
        left, run = np.arange(P), self
        before = np.full_like(T_JLP, np.inf)
        for year in range(years):
            mean = np.zeros_like(T_JLP)
            for k in range(STEPS_A_YEAR):
                T_JLP = run.step(T_JLP, k)
                mean += T_JLP
            mean /= STEPS_A_YEAR
            drift_P[left] = np.abs(mean - before).max(axis=(0, 1))
            before = mean
            moving = (drift_P[left] >= self.physics.settled_K) & (year < years - 1)
            if moving.all():
                continue
            settled_JLP[..., left[~moving]] = T_JLP[..., ~moving]
            left = left[moving]
            if not len(left):
                break
            T_JLP, before = T_JLP[..., moving], before[..., moving]
            run = self.select(left)
        return settled_JLP, drift_P

    def step(
        self, T_JLP: NDArray[np.floating], k: int, into: NDArray[np.float32] | None = None
    ) -> NDArray[np.floating]:
        """Return temperatures a step later; add what was before to the six sums of `into`."""
        k %= len(self.light_KJLP)
        ground, capacity, frozen = state(
            T_JLP, self.ocean_JLP, self.ice_albedo_P, self.physics.ground
        )
        albedo = self.shortwave.albedo(T_JLP, ground, k)
        absorbed = (1.0 - albedo) * self.light_KJLP[k]
        emitted = self.longwave.emitted(T_JLP)
        if into is not None:
            for total, value in zip(
                into, (T_JLP, absorbed, emitted, frozen, ground, albedo), strict=True
            ):
                total += value
        heated = absorbed
        heated -= emitted
        heated *= self.dt_P
        heated /= capacity
        heated += T_JLP
        spread = along_meridians(heated, capacity, self.D_dt_P)
        spread = along_parallels(spread, capacity, self.D_dt_P)
        return warmed(T_JLP, spread, capacity, self.ocean_JLP, self.physics.ground)
