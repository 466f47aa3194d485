"""A suite of planets that nobody ran, with all that its figures are drawn from."""

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from assay.habitability.data.modalities import MODALITIES, PARAMETERS
from assay.habitability.figures import PlanetFile, ShownPlanet
from assay.result import write_json
from assay.task import Estimate
from tests.report.synthetic import cell, result

LATITUDES, LONGITUDES, WAVES = [-60.0, 0.0, 60.0], [0.0, 90.0, 180.0, 270.0], [1.0, 2.0, 5.0]
MAP = [[250.0, 251.0, 252.0, 253.0], [300.0, 310.0, 290.0, 280.0], [255.0, 256.0, 257.0, 258.0]]
BINS = ([(80, 0.05, 0.1), (20, 0.95, 1.0)], [(20, 0.03, 0.0), (10, 0.5, 0.4)])
"""Records, chance and share; of the first seed, and of all others."""
FLOOR = "training_mean"
"""Which reads nothing, and owes nothing to any modality."""


def planets(foretold: float) -> PlanetFile:
    """Two planets: one with everything, one with words alone, both foretold as told."""
    common = {"foretold": foretold, "habitable": foretold / 2}
    whole = ShownPlanet(
        record=7, name="Vulcan <b>, guest 1", temperature_K=MAP, depth_ppm=[10.0, -30.0, 20.0],
        sigma_ppm=[5.0, 5.0, 5.0], words="A world of <i>an M dwarf</i>.", network="PWY-1",
        parameters=[1.0] * len(PARAMETERS), habitability=0.25, **common,
    )  # fmt: skip
    bare = ShownPlanet(
        record=9, name="Nibiru, guest 1", temperature_K=None, depth_ppm=None, sigma_ppm=None,
        words="Dark.", network="", parameters=None, habitability=0.0, **common,
    )  # fmt: skip
    return PlanetFile(
        latitudes_deg=LATITUDES, longitudes_deg=LONGITUDES, wavelengths_um=WAVES,
        planets=[whole, bare],
    )  # fmt: skip


def write_planets(
    folder: Path,
    models: Sequence[str] = ("late", FLOOR),
    seeds: Sequence[int] = (0, 1),
    with_planets: bool = True,
) -> None:
    """Write a whole published folder."""
    for place, model in enumerate(models):
        for seed in seeds:
            of = cell({"fusion": model}, seed) | {"family": "habitability"}
            rises = {} if model == FLOOR else _rises(0.01 * seed)
            scored = {"habitability/mae": _estimate(0.1 + 0.1 * place + 0.01 * seed), **rises}
            plain = result(of, 0.5).model_copy(update={"estimates": scored})
            key = plain.provenance.cell_key
            write_json(folder / f"{key}.json", plain)
            if with_planets:
                write_json(folder / f"{key}.planets.json", planets(0.2 + 0.2 * place + 0.1 * seed))
            names = ("records", "probability", "share")
            told = [dict(zip(names, each, strict=True)) for each in BINS[min(seed, 1)]]
            (folder / f"{key}.reliability.json").write_text(json.dumps(told))
            write_json(folder / f"{key}.modalities.json", _modalities(rises, 0.01 * seed))
    suite = {
        "name": "habitability_mini", "title": "Planets", "family": "habitability",
        "data": "mini_planets", "grid": {"fusion": list(models)}, "seeds": list(seeds),
        "budget": {"steps": 100},
    }  # fmt: skip
    write_json(folder / "suite.json", suite)


def _estimate(value: float) -> Estimate:
    return Estimate(
        value=value, low=value - 0.05, high=value + 0.05, n=24, version="1", better="lower"
    )


def _rises(more: float) -> dict[str, Estimate]:
    """Of two modalities; the network is used more than words are."""
    return {
        f"modalities/{control}_{name}": _estimate(value + more)
        for control, (name, value) in product(
            ("without", "shuffled"), {MODALITIES[0]: 0.2, MODALITIES[3]: 0.02}.items()
        )
    }


def _modalities(rises: dict[str, Estimate], more: float) -> dict:
    whole = [({}, 0.3), ({MODALITIES[0]}, 0.15), (set(MODALITIES), 0.1)]
    return {
        "subsets": [
            {
                "modalities": [name for name in MODALITIES if name in names],
                "r2": _estimate(0.5 - mae).model_dump(mode="json"),
                "mae": _estimate(mae + more).model_dump(mode="json"),
            }
            for names, mae in whole
        ],
        "rises": {name: each.model_dump(mode="json") for name, each in rises.items()},
    }
