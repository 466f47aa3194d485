"""The composed set: catalogued and drawn planets, MetaCyc's networks, and who runs them."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from assay.errors import DataError
from assay.habitability.data import population
from assay.habitability.data.compose import Guest, Host, Invite, compose, pools_of
from assay.habitability.data.natives import half_natives
from assay.habitability.data.organisms import (
    SPECIES,
    Organism,
    candidates,
    choose,
    read_species,
    read_taxa,
)
from assay.habitability.data.planet_set import PlanetSet
from assay.habitability.data.population import Bodies, draw_known, dress, read_catalogue
from assay.habitability.data.samples import pack
from assay.habitability.data.worlds import twins, worlds_of
from assay.habitability.simulator.earth import EARTH_PHYSICS
from assay.pathways.data import metacyc
from assay.pathways.data.faults import Faults
from assay.pathways.data.metacyc import METACYC_SET, compound_table, read_metacyc
from assay.pathways.data.tables import check_pinned
from assay.pathways.graphs import PathwayGraphs
from assay.store.packed import SPLITS, Split
from assay.store.sets import Built, Watch, is_url

DRAWN, TWINS, GUISES, SEED = 2_800, 300, 4, 7
GUESTS: Mapping[Split, int] = {"train": 8, "validation": 4, "test": 4}
"""Of a planet: what joins window and temperature is learned from pairs, which cost no climate."""
PHYSICS = replace(EARTH_PHYSICS, settled_K=0.03, most_years=150, most_years_of_grid=25)
CATALOGUE, ORGANISMS = "exoplanet_catalog", "organism_environment"
PINNED = {
    CATALOGUE: {population.CATALOGUE: "64673d738f6462717bdf7e8b7e23d337"},
    ORGANISMS: {SPECIES: "be808f4c8ba9715bc95b312838c4c004"},
    str(METACYC_SET.folder): metacyc.PINNED,
}
"""MD5 by folder and file."""
Guests = Mapping[int, Sequence[Organism]]
"""Who may run each network, by its position."""


class PlanetsComposed(PlanetSet):
    """Catalogued planets in guises, and drawn ones."""

    name = "planets"
    title = "planets with model climates and spectra, MetaCyc networks and words, composed"
    licence = (
        "planets: NASA Exoplanet Archive (acknowledge); networks: MetaCyc's open licence of 2020; "
        "organisms: CC-BY-4.0"
    )
    citation = (
        "NASA Exoplanet Archive; Caspi et al., doi:10.1093/nar/gkz862; Madin et al., "
        "doi:10.1038/s41597-020-0497-4; Sato et al., TEMPURA (2020)"
    )
    version = 2
    upstream = "https://exoplanetarchive.ipac.caltech.edu"
    folder = CATALOGUE
    also_told = ""
    """Of the guests, at the end of the set's description."""

    def inviting(self, graphs: PathwayGraphs, guests: Guests) -> Invite:
        """Return what draws a guest."""
        return invite(graphs, guests)

    def build(self, source: str, watch: Watch) -> Built:
        """Read, simulate, compose and pack.

        Args:
            source: The folder of the catalogue; the networks and organisms are in the folders
                beside it.
            watch: Told the phase and the fraction of it.

        Raises:
            DataError: a file is missing, or holds something else.
        """
        if is_url(source):
            raise DataError(
                f"{self.name}: is composed from several folders; set ASSAY_DATA to the one that "
                f"holds {CATALOGUE}"
            )
        watch("read", 0.0)
        root = Path(source).parent
        for folder, files in PINNED.items():
            check_pinned(root / folder, files)
        known = read_catalogue(root / CATALOGUE)
        networks = root / str(METACYC_SET.folder)
        every = read_metacyc(networks, Faults(refuse=False))
        guests = guests_of(every, read_taxa(networks), read_species(root / ORGANISMS))
        graphs = every.select(sorted(guests))
        renumbered = {k: guests[graph] for k, graph in enumerate(sorted(guests))}
        drawn = draw_known(np.random.default_rng(SEED), DRAWN)
        bodies = joined(twins(dress(drawn, 1, SEED), TWINS), dress(known, GUISES, SEED + 1))
        worlds = worlds_of(bodies, PHYSICS, watch)
        inviting = self.inviting(graphs, renumbered)
        samples = compose(worlds, graphs, inviting, GUESTS, SEED, watch)
        watch("pack", 0.0)
        too_far = len(bodies) - len(worlds)
        counts = " / ".join(f"{worlds.bodies.splits.count(split):,}" for split in SPLITS)
        return Built(
            pack(samples, graphs, compound_table(networks, graphs)),
            f"{len(samples):,} records of {len(worlds):,} planets ({counts}, train / validation / "
            f"test), with {' / '.join(str(GUESTS[split]) for split in SPLITS)} guests each: "
            f"{len(known):,} of the catalogue in {GUISES} guises, {DRAWN:,} drawn, {TWINS} of "
            "these from two starts; climates and spectra by our models"
            f"{f' ({too_far} left out: too hot or too cold for them)' if too_far else ''}"
            f", {len(graphs):,} MetaCyc networks with organisms of their taxa, words by templates; "
            f"composed, nothing observed together; split by planet and by network{self.also_told}",
        )


class PlanetsNatives(PlanetsComposed):
    """The same planets, half of whose guests live there."""

    name = "planets_natives"
    title = "the same planets, half of whose guests live there, composed"
    version = 1
    also_told = "; half of the guests live there where anybody can, the others are drawn as ever"

    def inviting(self, graphs: PathwayGraphs, guests: Guests) -> Invite:
        """Return what draws a native or a stranger."""
        return half_natives(graphs, guests, invite(graphs, guests))


PLANETS, PLANETS_NATIVES = PlanetsComposed(), PlanetsNatives()


def guests_of(
    graphs: PathwayGraphs,
    taxa: Mapping[str, Sequence[tuple[str, str]]],
    species: Mapping[tuple[str, str], Sequence[Organism]],
) -> dict[int, list[Organism]]:
    """Return who may run each network, by its position; those that nobody runs are left out."""
    found = {}
    for k, name in enumerate(graphs.ids):
        breathes = bool(graphs.consumes_oxygen[k] == 1)
        among = candidates(taxa.get(name, ()), species, breathes)
        if among:
            found[k] = among
    return found


def invite(graphs: PathwayGraphs, guests: Guests) -> Invite:
    """Return what draws a network of a split and one of its organisms."""
    pools = pools_of(graphs)

    def guest(draw: np.random.Generator, host: Host) -> Guest:
        graph = int(draw.choice(pools[host.split][draw.integers(2)]))
        return Guest(graph, choose(draw, guests[graph]))

    return guest


def joined(one: Bodies, other: Bodies) -> Bodies:
    """Return the planets of both."""

    def both(a: object, b: object) -> dict:
        pairs = {f.name: (getattr(a, f.name), getattr(b, f.name)) for f in fields(a)}  # type: ignore[arg-type]
        return {
            name: [*x, *y] if isinstance(x, list) else np.concatenate([x, y])
            for name, (x, y) in pairs.items()
            if isinstance(x, list | np.ndarray)
        }

    planets = type(one.planets)(**both(one.planets, other.planets))
    air = type(one.air)(**both(one.air, other.air))
    return Bodies(planets=planets, air=air, **both(one, other))
