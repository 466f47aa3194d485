"""Planets put together from climates, spectra, networks and words: composed, and said to be.

No public data pair these modalities. A record joins a planet, catalogued or drawn, with the climate
and the spectrum that our models give it, and with a network and an organism of the same split that
are drawn for it: whatever the planet, or half of the time by where the organism can live
(`assay.habitability.data.natives`). Nothing was observed together. A planet is in several records,
each with another guest.

Shapes: P planets, W bins, K parameters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assay.habitability.data.descriptions import Described, describe
from assay.habitability.data.modalities import MODALITIES
from assay.habitability.data.organisms import Organism
from assay.habitability.data.population import Bodies
from assay.habitability.data.samples import Sample
from assay.habitability.data.target import (
    NEEDS,
    liquid_water_fraction,
    metabolic_habitability,
    need_of,
)
from assay.habitability.data.worlds import Worlds, depths_of, parameters_of
from assay.habitability.spectra.instruments import INSTRUMENTS, noise_ppm
from assay.pathways.graphs import PathwayGraphs
from assay.store.packed import SPLITS, Split
from assay.store.sets import Watch

GUEST = ", guest "
"""Between the name of a planet and the number of its guest, in that of a record."""
ABSENT = 0.1
"""The chance of each modality to be missing."""


@dataclass(frozen=True)
class Guest:
    """A network and who runs it."""

    graph: int
    organism: Organism


@dataclass(frozen=True)
class Seat:
    """A guest on a planet."""

    guest: Guest
    need: int
    """As a code of `NEEDS`."""
    habitability: float


@dataclass(frozen=True)
class Host:
    """What may decide who is invited to a planet; most sets look at the split alone."""

    split: int
    """As a code of `SPLITS`."""
    mean_K: float
    """Over area and year."""
    oxygen_bar: float


Invite = Callable[[np.random.Generator, Host], Guest]
"""`invite(draw, host)`: a guest of the planet's split."""


def compose(
    worlds: Worlds,
    graphs: PathwayGraphs,
    invite: Invite,
    guests: Mapping[Split, int],
    seed: int,
    watch: Watch,
) -> list[Sample]:
    """Return samples: every planet with its first guest, then with its second, and so on.

    What is told of a planet is drawn anew for each guest: the instrument and its noise, the words,
    and what is missing.

    Args:
        worlds: The planets and their climates.
        graphs: What guests run.
        invite: Draws a guest.
        guests: How many are drawn for a planet of each split.
        seed: Of everything that is drawn here.
        watch: Told how far it is.
    """
    draw, samples = np.random.default_rng(seed), list[Sample]()
    bodies, params_PK, depth_PW = worlds.bodies, parameters_of(worlds.bodies), depths_of(worlds)
    liquid_P = liquid_water_fraction(worlds.temperature_K)
    for turn in range(max(guests.values())):
        watch("guests", turn / max(guests.values()))
        hosts = [k for k, split in enumerate(bodies.splits) if guests[split] > turn]
        chosen = np.array(hosts, int)
        seats = seated(worlds, chosen, graphs, invite, draw)
        spectra = observed(depth_PW[chosen], bodies.select(chosen), draw)
        absent = drawn_absent(draw, len(hosts))
        for k, seat, spectrum, gone in zip(hosts, seats, spectra, absent, strict=True):
            organism = seat.guest.organism
            whole = Sample(
                name=f"{bodies.planets.names[k]}{GUEST}{turn + 1}",
                group=bodies.groups[k],
                split=bodies.splits[k],
                habitability=seat.habitability,
                liquid_water=float(liquid_P[k]),
                graph=seat.guest.graph,
                cube=worlds.cubes[k],
                spectrum=spectrum,
                description=describe(draw, described(bodies, k, organism)),
                params=params_PK[k],
                bistable=int(worlds.bistable_P[k]),
                window_K=np.array([organism.lowest_K, organism.highest_K]),
                need=seat.need,
                oxygen_bar=float(bodies.air.oxygen_bar[k]),
                co2_ppm=float(bodies.planets.co2_ppm[k]),
            )
            samples.append(without(whole, gone))
    return samples


def described(bodies: Bodies, k: int, organism: Organism) -> Described:
    """Return what may be said of a planet and its guest."""
    planets = bodies.planets
    return Described(
        star_K=planets.star_K[k],
        instellation=planets.instellation[k],
        radius_earths=bodies.radius_earths[k],
        locked=bool(planets.locked[k]),
        rotation_d=planets.rotation_d[k],
        obliquity_deg=planets.obliquity_deg[k],
        ocean_fraction=bodies.ocean_fraction[k],
        lowest_K=organism.lowest_K,
        highest_K=organism.highest_K,
    )


def seated(
    worlds: Worlds,
    hosts: NDArray[np.integer],
    graphs: PathwayGraphs,
    invite: Invite,
    draw: np.random.Generator,
) -> list[Seat]:
    """Return a guest for each of the planets at `hosts`, and how well it fares there."""
    bodies = worlds.bodies
    oxygen_bar, mean_K = bodies.air.oxygen_bar, worlds.mean_K
    guests = [
        invite(draw, Host(SPLITS.index(bodies.splits[k]), float(mean_K[k]), float(oxygen_bar[k])))
        for k in hosts
    ]
    windows = np.array([(g.organism.lowest_K, g.organism.highest_K) for g in guests])
    needs = np.array([
        NEEDS.index(need_of(bool(graphs.consumes_oxygen[g.graph] == 1), g.organism.anaerobe))
        for g in guests
    ])  # fmt: skip
    habitability = metabolic_habitability(
        worlds.temperature_K[hosts], windows, needs, oxygen_bar[hosts]
    )
    return [Seat(*each) for each in zip(guests, needs.tolist(), habitability.tolist(), strict=True)]


def pools_of(graphs: PathwayGraphs) -> list[list[NDArray[np.int64]]]:
    """Return the networks of each split, those that take up no O2 and those that do.

    Half of the guests are of each: the need for oxygen would be nearly one thing otherwise.
    """
    takes = graphs.consumes_oxygen == 1
    return [
        [np.flatnonzero((graphs.split == code) & (takes == which)) for which in (False, True)]
        for code in range(len(SPLITS))
    ]


def observed(
    depth_PW: NDArray[np.floating], bodies: Bodies, draw: np.random.Generator
) -> NDArray[np.float32]:
    """Return (P, 2, W) ppm as observed, each by an instrument that is drawn."""
    all_noise = np.stack([
        noise_ppm(instrument, bodies.planets.star_K, bodies.star_radius_suns)
        for instrument in INSTRUMENTS.values()
    ])  # fmt: skip
    sigma = all_noise[draw.integers(len(INSTRUMENTS), size=len(bodies)), np.arange(len(bodies))]
    seen = depth_PW + sigma * draw.normal(size=depth_PW.shape)
    seen -= seen.mean(axis=1, keepdims=True)
    return np.stack([seen, sigma], axis=1).astype(np.float32)


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
