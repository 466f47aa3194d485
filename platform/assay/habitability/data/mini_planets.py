"""A few planets that need no network: drawn bodies, and the pathways and organisms of rules.

The climate model is our own, with shallow oceans that settle soon; the networks are those of
`mini_pathways`; the growth windows of organisms are drawn, whatever the network. Numbers are for
trying things out.
"""

from collections.abc import Mapping

import numpy as np

from assay.habitability.data.compose import Guest, Host, Invite, compose, pools_of
from assay.habitability.data.organisms import Organism
from assay.habitability.data.planet_set import PlanetSet
from assay.habitability.data.population import draw_known, dress
from assay.habitability.data.samples import pack
from assay.habitability.data.worlds import twins, worlds_of
from assay.habitability.simulator.earth import EARTH_PHYSICS
from assay.habitability.simulator.run import Physics
from assay.habitability.simulator.surface import Ground
from assay.pathways.data.mini_pathways import enumerate_pathways, table_of
from assay.pathways.graphs import PathwayGraphs
from assay.pathways.graphs import pack as pack_pathways
from assay.store.packed import SPLITS, Split
from assay.store.sets import Built, Watch

PLANETS, TWINS, SEED = 120, 16, 11
GUESTS: Mapping[Split, int] = {"train": 4, "validation": 2, "test": 2}
"""Of a planet."""
PHYSICS = Physics(
    Ground(ocean_J_m2_K=4e7),
    cloud_W_m2=EARTH_PHYSICS.cloud_W_m2,
    settled_K=0.05,
    most_years=120,
    most_years_of_grid=12,
)
MIDDLES_K, BREADTHS_K = (278.15, 293.15, 308.15, 323.15), (14.0, 24.0)
"""Of growth windows: their middles, and how far they reach to both sides."""


class MiniPlanets(PlanetSet):
    """The drawn planets."""

    name = "mini_planets"
    title = "drawn planets: model climates and spectra, rule-made networks and words, composed"
    licence = "Apache-2.0"
    citation = "Made by the rules of assay.habitability.data.mini_planets"
    version = 2
    upstream = None

    def build(self, source: str, watch: Watch) -> Built:
        """Draw, simulate, compose and pack."""
        draw = np.random.default_rng(SEED)
        bodies = twins(dress(draw_known(draw, PLANETS), 1, SEED), TWINS)
        graphs = pack_pathways(enumerate_pathways())
        worlds = worlds_of(bodies, PHYSICS, watch)
        samples = compose(worlds, graphs, invite(graphs), GUESTS, SEED, watch)
        return Built(
            pack(samples, graphs, table_of(graphs)),
            f"{len(samples):,} records of {len(worlds):,} drawn planets ({TWINS} of them from two "
            f"starts) with {' / '.join(str(GUESTS[split]) for split in SPLITS)} guests each (train "
            "/ validation / test): model climates and spectra, rule-made networks, described in "
            "words; composed, nothing observed",
        )


MINI_PLANETS = MiniPlanets()


def invite(graphs: PathwayGraphs) -> Invite:
    """Return what draws a network of a split, and an organism by the rule of this set."""
    pools = pools_of(graphs)

    def guest(draw: np.random.Generator, host: Host) -> Guest:
        graph = int(draw.choice(pools[host.split][draw.integers(2)]))
        middle, reach = draw.choice(MIDDLES_K), draw.choice(BREADTHS_K)
        breathes = graphs.consumes_oxygen[graph] == 1
        anaerobe = bool(not breathes and draw.random() < 0.5)
        return Guest(graph, Organism("rule-made", middle - reach, middle + reach, anaerobe))

    return guest
