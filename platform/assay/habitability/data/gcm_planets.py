"""Planets whose habitability a general circulation model gave: 164 of ROCKE-3D.

The target is the share of area and year with surface temperatures of 0 to 100 °C and enough
precipitation, as the three-dimensional model has it. The cubes are those of our own model at the
same rotation, tilt and orbit, with the Earth's air and the Earth's share of ocean by latitude; no
networks, no spectra. 164 are few: `folds` divides them into five for cross-validation, by hash of
the point (rotation and tilt), so that orbits of one planet are in one fold; `split` is one of the
five choices, in which fold 1 is the test and fold 2 the validation.

Adams, Colose, Merrelli, Turnbull and Kane (2024), "Habitability in 4-D".
"""

import hashlib
from pathlib import Path

import numpy as np

from assay.errors import DataError
from assay.habitability.data.columns import half_pressure_height_m
from assay.habitability.data.descriptions import Described, describe
from assay.habitability.data.planet_set import PlanetSet
from assay.habitability.data.samples import Sample, pack
from assay.habitability.data.target import liquid_water_fraction
from assay.habitability.simulator.earth import EARTH_PHYSICS, OCEAN_OF_EARTH
from assay.habitability.simulator.grid import AREAS, N_LONGITUDES
from assay.habitability.simulator.planets import Planets, earth_like
from assay.habitability.simulator.run import simulate
from assay.pathways.data.mini_pathways import enumerate_pathways, table_of
from assay.pathways.data.tables import check_pinned, rows
from assay.pathways.graphs import pack as pack_pathways
from assay.store.packed import Split
from assay.store.sets import Built, Watch, is_url

METRICS = "rocke3d_hab4d_metrics.csv.gz"
PINNED = {METRICS: "1775d1aa20724b27e460173897695542"}
"""MD5."""
COLUMNS = (
    "habitability_global", "rotation_period_d", "obliquity_deg", "eccentricity",
    "longitude_at_periapse_deg", "subset", "case",
)  # fmt: skip
FOLDS, SEED = 5, 5


class GcmPlanets(PlanetSet):
    """The 164 planets of ROCKE-3D."""

    name = "gcm_planets"
    title = "164 Earth-like planets of ROCKE-3D with its habitability, cubes by our own model"
    licence = "none given (adadams/habitability_metrics): cite Adams et al. 2024"
    citation = "Adams, Colose, Merrelli, Turnbull and Kane (2024)"
    version = 2
    upstream = "https://github.com/adadams/habitability_metrics"
    folder = "planet_climates"

    def build(self, source: str, watch: Watch) -> Built:
        """Read the metrics, simulate and pack.

        Raises:
            DataError: the file is missing, or holds something else.
        """
        if is_url(source):
            raise DataError(
                f"{self.name}: is read from a folder; set ASSAY_DATA to the one that holds "
                f"{self.folder}"
            )
        watch("read", 0.0)
        check_pinned(Path(source), PINNED)
        table = rows(Path(source) / METRICS, COLUMNS)
        watch("climates", 0.0)
        planets = planets_of_metrics(table)
        climates = simulate(planets, EARTH_PHYSICS, threads=2)
        draw = np.random.default_rng(SEED)
        height = half_pressure_height_m(climates.temperature_K, planets.gravity_m_s2[0])
        cubes = np.stack([climates.temperature_K, climates.absorbed_W_m2, climates.emitted_W_m2,
                          np.clip(climates.frozen, 0, 1), height], axis=-1)  # fmt: skip
        liquid = liquid_water_fraction(climates.temperature_K)
        samples = [
            _sample(row, planets, k, cubes[k], float(liquid[k]), draw)
            for k, row in enumerate(table)
        ]
        # A set of planets holds networks; these planets have none of them.
        graphs = pack_pathways(enumerate_pathways()[:1])
        return Built(
            pack(samples, graphs, table_of(graphs)),
            f"{len(samples)} planets of ROCKE-3D with its habitability; cubes by our own model; "
            f"{FOLDS} folds by rotation and tilt",
        )


GCM_PLANETS = GcmPlanets()


def planets_of_metrics(table: list[dict[str, str]]) -> Planets:
    """Return the planets: the Earth with another day, tilt and orbit."""

    def column(name: str, default: float = 0.0) -> np.ndarray:
        return np.array([float(row[name] or default) for row in table])

    return earth_like(
        [f"ROCKE-3D {row['subset']} {row['case']}" for row in table],
        np.repeat(OCEAN_OF_EARTH[:, None], N_LONGITUDES, axis=1),
        rotation_d=column("rotation_period_d"),
        obliquity_deg=column("obliquity_deg"),
        eccentricity=column("eccentricity"),
        periapsis_deg=column("longitude_at_periapse_deg") % 360,
    )


def fold_of(row: dict[str, str]) -> int:
    """Return 1 to 5, the same for all orbits of one rotation and tilt."""
    point = f"{float(row['rotation_period_d']):g}/{float(row['obliquity_deg']):g}"
    return 1 + int.from_bytes(hashlib.sha256(point.encode()).digest()[:8], "big") % FOLDS


def _sample(
    row: dict[str, str],
    planets: Planets,
    k: int,
    cube: np.ndarray,
    liquid: float,
    draw: np.random.Generator,
) -> Sample:
    fold = fold_of(row)
    split: Split = "test" if fold == 1 else "validation" if fold == 2 else "train"
    ocean = float(AREAS @ OCEAN_OF_EARTH)
    described = Described(
        star_K=planets.star_K[k], instellation=1.0, radius_earths=1.0, locked=False,
        rotation_d=planets.rotation_d[k], obliquity_deg=planets.obliquity_deg[k],
        ocean_fraction=ocean, lowest_K=None, highest_K=None,
    )  # fmt: skip
    params = np.array([
        1.0, planets.star_K[k], 1.0, planets.gravity_m_s2[k], planets.year_d[k],
        planets.rotation_d[k], planets.obliquity_deg[k], planets.eccentricity[k],
        planets.periapsis_deg[k], 0.0, ocean,
    ], np.float32)  # fmt: skip
    return Sample(
        name=planets.names[k],
        group=f"rotation {planets.rotation_d[k]:g} d, tilt {planets.obliquity_deg[k]:g}",
        split=split,
        habitability=float(row["habitability_global"]),
        liquid_water=liquid,
        cube=cube,
        description=describe(draw, described),
        params=params,
        fold=fold,
        co2_ppm=float(planets.co2_ppm[k]),
    )
