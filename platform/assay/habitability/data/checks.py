"""What a record must be before it is packed: every fault in one sentence, with planet and modality.

Shapes: J latitudes, L longitudes, M months, V variables, W bins, K parameters.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.habitability.data.modalities import (
    CUBE_SHAPE,
    CUBE_VARIABLES,
    MODALITIES,
    PARAMETERS,
    SPECTRUM_SHAPE,
    Quantity,
)
from assay.habitability.spectra.bands import WAVELENGTHS_UM

CELSIUS_AT_MOST = 100.0
"""No surface is colder in K, and none is warmer in °C."""


def check_cube(cube_JLMV: NDArray[np.floating], planet: str) -> None:
    """Refuse a cube of other axes or units, or with values that cannot be.

    Raises:
        DataError: says which.
    """
    where = f"planet {planet}: climate_cubes"
    if cube_JLMV.shape != CUBE_SHAPE:
        raise DataError(
            f"{where}: has axes {cube_JLMV.shape}; give {CUBE_SHAPE}: latitude, longitude, month, "
            "variable"
        )
    if not np.isfinite(cube_JLMV).all():
        raise DataError(f"{where}: {np.sum(~np.isfinite(cube_JLMV)):,} values are not finite")
    surface = cube_JLMV[..., 0]
    if surface.max() < CELSIUS_AT_MOST:
        raise DataError(
            f"{where}: surface temperatures of {surface.min():g} to {surface.max():g} look like "
            "°C; give K"
        )
    for v, quantity in enumerate(CUBE_VARIABLES):
        _check_range(cube_JLMV[..., v], quantity, where)


def check_spectrum(
    wavelength_um: NDArray[np.floating], spectrum_2W: NDArray[np.floating], planet: str
) -> None:
    """Refuse a spectrum of other bins, with gaps, or without noise.

    Raises:
        DataError: says which.
    """
    where = f"planet {planet}: spectra"
    if spectrum_2W.shape != SPECTRUM_SHAPE or wavelength_um.shape != SPECTRUM_SHAPE[1:]:
        raise DataError(
            f"{where}: has shape {spectrum_2W.shape} at {wavelength_um.shape} wavelengths; give "
            f"{SPECTRUM_SHAPE}: transit depth and sigma in ppm"
        )
    if not np.isfinite(spectrum_2W).all():
        bad = np.flatnonzero(~np.isfinite(spectrum_2W).all(axis=0))
        raise DataError(
            f"{where}: {len(bad)} bins are NaN or infinite, the first at "
            f"{wavelength_um[bad[0]]:.3f} µm; interpolate them, or leave the spectrum out"
        )
    if not (np.diff(wavelength_um) > 0).all():
        at = int(np.flatnonzero(~(np.diff(wavelength_um) > 0))[0])
        raise DataError(
            f"{where}: wavelengths do not increase at {wavelength_um[at]:.3f} µm; sort them"
        )
    if not np.allclose(wavelength_um, WAVELENGTHS_UM, rtol=1e-3):
        raise DataError(
            f"{where}: wavelengths are not those of the {len(WAVELENGTHS_UM)} bins from "
            f"{WAVELENGTHS_UM[0]:.3f} to {WAVELENGTHS_UM[-1]:.3f} µm; bin the spectrum to them"
        )
    if (spectrum_2W[1] <= 0).any():
        raise DataError(f"{where}: sigma is not positive everywhere; give its noise in ppm")


def check_parameters(values_K: NDArray[np.floating], planet: str) -> None:
    """Refuse parameters of a planet that cannot be.

    Raises:
        DataError: names the first, with its range.
    """
    where = f"planet {planet}: planet_params"
    if values_K.shape != (len(PARAMETERS),):
        names = ", ".join(quantity.name for quantity in PARAMETERS)
        raise DataError(f"{where}: has shape {values_K.shape}; give {len(PARAMETERS)}: {names}")
    for value, quantity in zip(values_K, PARAMETERS, strict=True):
        _check_range(np.array([value]), quantity, where)


def check_graph(nodes: int, planet: str) -> None:
    """Refuse a graph without nodes.

    Raises:
        DataError: it has none.
    """
    if nodes == 0:
        raise DataError(
            f"planet {planet}: bio_graphs: the metabolic graph has no nodes; leave the graph out"
        )


def check_text(tokens: int, context: int, planet: str) -> None:
    """Refuse a description that the encoder would cut off.

    Raises:
        DataError: it is empty, or longer than the context.
    """
    where = f"planet {planet}: text_descriptions"
    if tokens == 0:
        raise DataError(f"{where}: the description is empty; leave it out")
    if tokens > context:
        raise DataError(
            f"{where}: the description has {tokens:,} tokens, the context holds {context:,}; "
            "shorten it"
        )


def check_presence(presence: Sequence[bool], planet: str) -> None:
    """Refuse a record of which nothing is known.

    Raises:
        DataError: all modalities are missing.
    """
    if not any(presence):
        raise DataError(
            f"planet {planet}: all modalities are missing ({', '.join(MODALITIES)}); give one, or "
            "leave the planet out"
        )


def _check_range(values: NDArray[np.floating], quantity: Quantity, where: str) -> None:
    # What is stored in single precision may round over a limit.
    slack = 1e-5 * max(abs(quantity.low), abs(quantity.high))
    wrong = ~((values >= quantity.low - slack) & (values <= quantity.high + slack))
    if wrong.any():
        raise DataError(
            f"{where}: {quantity.name} is {values[wrong].flat[0]:g}; give {quantity.low:g} to "
            f"{quantity.high:g} {quantity.unit}".rstrip()
        )
