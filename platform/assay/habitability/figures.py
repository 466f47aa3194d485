"""What the report draws of a cell of planets: small files beside its result.

    planets.json       the first test planets: what was read of them, foretold, and is so
    reliability.json   the reliability diagram, by bins (`metrics.habitability.reliability`)
    modalities.json    every set of modalities that may be read (`metrics.modalities.Control`)

The report is made of results alone, without the data set: what a figure says stands in its file.

Shapes: J latitudes, L longitudes, W bins, K parameters.
"""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, NonNegativeInt, model_validator

from assay.config import Settings
from assay.habitability.data.modalities import MODALITIES, PARAMETERS, Modality
from assay.habitability.data.samples import pathways_in, texts_in
from assay.habitability.simulator.grid import LATITUDES_DEG, LONGITUDES_DEG
from assay.habitability.spectra.bands import WAVELENGTHS_UM
from assay.pathways.data.packing import graphs_of
from assay.store.packed import PackedSet
from assay.store.texts import Texts
from assay.task import Estimate

PLANETS = 4
"""Test records that are shown: the first ones, which are of different planets; nobody chose."""
SURFACE_TEMPERATURE = 0
"""Its place among `CUBE_VARIABLES`."""
_DIGITS, _WAVE_DIGITS, _FIGURES = 4, 3, 4


class ShownPlanet(Settings):
    """A record of the test split; None, or "", is what it lacks and no model has read."""

    record: NonNegativeInt
    name: str
    temperature_K: list[list[float]] | None
    """(J, L) of the surface, the mean over the year, in whole K."""
    depth_ppm: list[float] | None
    """(W,) transit depth as observed, less its mean."""
    sigma_ppm: list[float] | None
    """(W,) of its noise."""
    words: str
    network: str
    """The source's name of the metabolic network."""
    parameters: list[float] | None
    """(K,) in the order and units of `PARAMETERS`."""
    habitability: NonNegativeFloat
    foretold: NonNegativeFloat
    habitable: NonNegativeFloat
    """The chance that was given to a half or more."""


class PlanetFile(Settings):
    """`planets.json`."""

    latitudes_deg: list[float]
    """(J,) of belts that are equally wide, from the south."""
    longitudes_deg: list[float]
    """(L,)"""
    wavelengths_um: list[float]
    """(W,)"""
    planets: list[ShownPlanet]

    @model_validator(mode="after")
    def _shapes_agree(self) -> Self:
        J, L, W = (
            len(each) for each in (self.latitudes_deg, self.longitudes_deg, self.wavelengths_um)
        )
        for one in self.planets:
            rows = one.temperature_K
            if rows is not None and (len(rows) != J or any(len(row) != L for row in rows)):
                raise ValueError(f"planet {one.name}: its map is not of {J} by {L} places")
            for values in (one.depth_ppm, one.sigma_ppm):
                if values is not None and len(values) != W:
                    raise ValueError(f"planet {one.name}: its spectrum is not of {W} bins")
            if (one.depth_ppm is None) != (one.sigma_ppm is None):
                raise ValueError(f"planet {one.name}: a spectrum is a depth and its sigma")
            if one.parameters is not None and len(one.parameters) != len(PARAMETERS):
                raise ValueError(f"planet {one.name}: there are {len(PARAMETERS)} parameters")
        return self


class ReliabilityBin(Settings):
    """The records to which about the same chance was given."""

    records: NonNegativeInt
    probability: NonNegativeFloat
    """The mean of what was said."""
    share: NonNegativeFloat
    """Of the records that are habitable."""


class ReliabilityFile(Settings):
    """`reliability.json`, whose list is `bins`."""

    bins: list[ReliabilityBin]


class Subset(Settings):
    """What is foretold where only some modalities may be read."""

    modalities: list[Modality]
    r2: Estimate
    mae: Estimate


class ModalityFile(Settings):
    """`modalities.json`."""

    subsets: list[Subset]
    rises: dict[str, Estimate]


def planet_file(
    packed: PackedSet,
    rows: NDArray[np.integer],
    expected_N: NDArray[np.floating],
    habitable_N: NDArray[np.floating],
) -> PlanetFile:
    """Return the first records of a test split, with what a model foretells of them.

    Args:
        packed: A set of planets.
        rows: Of the test split, in the order of what was foretold.
        expected_N: Habitability as foretold.
        habitable_N: The chance of a half or more.
    """
    networks = graphs_of(pathways_in(packed)).ids
    return PlanetFile(
        latitudes_deg=LATITUDES_DEG.tolist(),
        longitudes_deg=LONGITUDES_DEG.tolist(),
        wavelengths_um=WAVELENGTHS_UM.round(_WAVE_DIGITS).tolist(),
        planets=[
            _shown(packed, networks, int(row), float(expected_N[k]), float(habitable_N[k]))
            for k, row in enumerate(rows[:PLANETS])
        ],
    )


def _shown(
    packed: PackedSet, networks: Texts, row: int, expected: float, habitable: float
) -> ShownPlanet:
    arrays = packed.arrays
    has = dict(zip(MODALITIES, np.asarray(arrays["presence"][row]).tolist(), strict=True))
    cube, graph = int(arrays["cube_of"][row]), int(arrays["graph_of"][row])
    depth_W, sigma_W = np.asarray(arrays["spectra"][row], np.float64)
    return ShownPlanet(
        record=row,
        name=texts_in(packed, "names")[row],
        temperature_K=(
            _annual_mean(arrays["climate_cubes"][cube]) if has["climate_cubes"] else None
        ),
        depth_ppm=_rounded(depth_W) if has["spectra"] else None,
        sigma_ppm=_rounded(sigma_W) if has["spectra"] else None,
        words=texts_in(packed, "descriptions")[row] if has["text_descriptions"] else "",
        network=networks[graph] if has["bio_graphs"] else "",
        parameters=_rounded(arrays["planet_params"][row]) if has["planet_params"] else None,
        habitability=round(float(arrays["habitability"][row]), _DIGITS),
        foretold=round(expected, _DIGITS),
        habitable=round(habitable, _DIGITS),
    )


def _annual_mean(cube_JLMV: NDArray[np.floating]) -> list[list[float]]:
    surface_JLM = np.asarray(cube_JLMV[..., SURFACE_TEMPERATURE], np.float64)
    return surface_JLM.mean(axis=-1).round().tolist()


def _rounded(values: NDArray[np.floating]) -> list[float]:
    """Return numbers to four figures."""
    return [float(f"{value:.{_FIGURES}g}") for value in np.asarray(values, np.float64).tolist()]
