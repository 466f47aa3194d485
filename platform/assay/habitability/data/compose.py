"""Planets put together from climates, spectra, networks and words: composed, and said to be.

No public data pair these modalities. A record joins a planet, catalogued or drawn, with the climate
and the spectrum that our models give it, and with a network and an organism of the same split that
are drawn for it; nothing was observed together.

Shapes: P planets, J latitudes, L longitudes, M months, V variables, G gases, W bins.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assay.habitability.data.air import mixing_ratios, pressure_bar
from assay.habitability.data.columns import half_pressure_height_m
from assay.habitability.data.descriptions import Described, describe
from assay.habitability.data.modalities import CUBE_VARIABLES, MODALITIES
from assay.habitability.data.organisms import Organism
from assay.habitability.data.population import COLD_START_K, WARM_START_K, Bodies
from assay.habitability.data.samples import Sample
from assay.habitability.data.target import (
    NEEDS,
    liquid_water_fraction,
    metabolic_habitability,
    need_of,
)
from assay.habitability.simulator.run import Climates, Physics, global_mean, simulate
from assay.habitability.spectra.instruments import INSTRUMENTS, noise_ppm
from assay.habitability.spectra.transmission import (
    EARTH_RADIUS_M,
    PPM,
    SOLAR_RADIUS_M,
    Atmospheres,
    transit_depth,
)
from assay.pathways.graphs import PathwayGraphs
from assay.store.packed import SPLITS
from assay.store.sets import Watch

ABSENT = 0.1
"""The chance of each modality to be missing."""
TWO_CLIMATES_K = 10.0
"""Difference of global means from which on a planet has two climates."""
AT_ONCE = 1024
ABOVE = 0.85
"""Temperature of the air that a transit sees over that of the ground, roughly the Earth's."""


@dataclass(frozen=True)
class Guest:
    """A network and who runs it."""

    graph: int
    organism: Organism


Invite = Callable[[np.random.Generator, int], Guest]
"""`invite(draw, split code)`: a guest for a planet of that split."""


def compose(
    bodies: Bodies, graphs: PathwayGraphs, invite: Invite, physics: Physics, seed: int, watch: Watch
) -> list[Sample]:
    """Return a sample a planet, in their order, without those of a climate that no record has.

    Args:
        bodies: The planets.
        graphs: What guests run.
        invite: Draws a guest.
        physics: Of the climate model.
        seed: Of everything that is drawn here.
        watch: Told how far the climates have come.
    """
    draw = np.random.default_rng(seed)
    climates = climates_of(bodies, physics, watch)
    guests = [invite(draw, SPLITS.index(split)) for split in bodies.splits]
    windows = np.array([(g.organism.lowest_K, g.organism.highest_K) for g in guests])
    needs = np.array([
        NEEDS.index(need_of(bool(graphs.consumes_oxygen[g.graph] == 1), g.organism.anaerobe))
        for g in guests
    ])  # fmt: skip
    habitability = metabolic_habitability(
        climates.temperature_K, windows, needs, bodies.air.oxygen_bar
    )
    watch("spectra", 0.0)
    cubes, spectra = cubes_of(climates, bodies), spectra_of(climates, bodies, draw)
    params, liquid = parameters_of(bodies), liquid_water_fraction(climates.temperature_K)
    absent = drawn_absent(draw, len(bodies))
    two = two_climates(bodies, climates)
    samples = []
    for k, guest in enumerate(guests):
        described = Described(
            star_K=bodies.planets.star_K[k],
            instellation=bodies.planets.instellation[k],
            radius_earths=bodies.radius_earths[k],
            locked=bool(bodies.planets.locked[k]),
            rotation_d=bodies.planets.rotation_d[k],
            obliquity_deg=bodies.planets.obliquity_deg[k],
            ocean_fraction=bodies.ocean_fraction[k],
            lowest_K=guest.organism.lowest_K,
            highest_K=guest.organism.highest_K,
        )
        whole = Sample(
            name=bodies.planets.names[k],
            group=bodies.groups[k],
            split=bodies.splits[k],
            habitability=float(habitability[k]),
            liquid_water=float(liquid[k]),
            graph=guest.graph,
            cube=cubes[k],
            spectrum=spectra[k],
            description=describe(draw, described),
            params=params[k],
            bistable=int(two[k]),
            window_K=windows[k],
            need=int(needs[k]),
            oxygen_bar=float(bodies.air.oxygen_bar[k]),
            co2_ppm=float(bodies.planets.co2_ppm[k]),
        )
        samples.append(without(whole, absent[k]))
    return [sample for sample, may_be in zip(samples, are_of_records(cubes), strict=True) if may_be]


def pools_of(graphs: PathwayGraphs) -> list[list[NDArray[np.int64]]]:
    """Return the networks of each split, those that take up no O2 and those that do.

    Half of the guests are of each: the need for oxygen would be nearly one thing otherwise.
    """
    takes = graphs.consumes_oxygen == 1
    return [
        [np.flatnonzero((graphs.split == code) & (takes == which)) for which in (False, True)]
        for code in range(len(SPLITS))
    ]


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


def atmospheres_of(climates: Climates, bodies: Bodies) -> Atmospheres:
    """Return what a transit sees: air 15 % colder than the ground, above the ground's pressure."""
    surface_K = global_mean(climates.temperature_K)
    return Atmospheres(
        temperature_K=surface_K * ABOVE,
        pressure_Pa=pressure_bar(bodies.air) * 1e5,
        mixing_ratio=mixing_ratios(bodies.air, surface_K),
        radius_m=bodies.radius_earths * EARTH_RADIUS_M,
        gravity_m_s2=bodies.planets.gravity_m_s2,
    )


def spectra_of(
    climates: Climates, bodies: Bodies, draw: np.random.Generator
) -> NDArray[np.float32]:
    """Return (P, 2, W) ppm as observed, each by an instrument that is drawn."""
    star_m = bodies.star_radius_suns * SOLAR_RADIUS_M
    depth = transit_depth(atmospheres_of(climates, bodies), star_m) * PPM
    all_noise = np.stack([
        noise_ppm(instrument, bodies.planets.star_K, bodies.star_radius_suns)
        for instrument in INSTRUMENTS.values()
    ])  # fmt: skip
    sigma = all_noise[draw.integers(len(INSTRUMENTS), size=len(bodies)), np.arange(len(bodies))]
    seen = depth + sigma * draw.normal(size=depth.shape)
    seen -= seen.mean(axis=1, keepdims=True)
    return np.stack([seen, sigma], axis=1).astype(np.float32)


def parameters_of(bodies: Bodies) -> NDArray[np.float32]:
    """Return (P, K) as `PARAMETERS` orders them."""
    p = bodies.planets
    columns = (
        p.instellation, p.star_K, bodies.radius_earths, p.gravity_m_s2, p.year_d, p.rotation_d,
        p.obliquity_deg, p.eccentricity, p.periapsis_deg, p.locked, bodies.ocean_fraction,
    )  # fmt: skip
    return np.stack(columns, axis=1).astype(np.float32)


def drawn_absent(draw: np.random.Generator, P: int) -> NDArray[np.bool_]:
    """Return (P, 5): which modalities are missing; of no planet all."""
    absent = draw.random((P, len(MODALITIES))) < ABSENT
    absent[absent.all(axis=1)] = False
    return absent


def without(sample: Sample, absent: Sequence[bool] | NDArray[np.bool_]) -> Sample:
    """Return the sample without what is absent, in the order of MODALITIES."""
    fields = ("graph", "cube", "spectrum", "description", "params")
    return replace(
        sample, **{name: None for name, gone in zip(fields, absent, strict=True) if gone}
    )


def twins(bodies: Bodies, count: int) -> Bodies:
    """Return the planets, and the first `count` once more from the other start."""
    chosen = np.concatenate([np.arange(len(bodies)), np.arange(count)])
    planets, air = bodies.planets.select(chosen), bodies.air
    start = planets.start_K.copy()
    start[len(bodies) :] = WARM_START_K + COLD_START_K - start[len(bodies) :]
    names = [*bodies.planets.names, *(f"{name}, other start" for name in planets.names[:count])]
    return Bodies(
        replace(planets, names=names, start_K=start),
        [bodies.groups[int(k)] for k in chosen],
        bodies.radius_earths[chosen],
        bodies.star_radius_suns[chosen],
        type(air)(air.co2_ppm[chosen], air.oxygen_bar[chosen], air.methane_ratio[chosen]),
        [bodies.splits[k] for k in chosen],
    )


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
