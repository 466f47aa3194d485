"""The environment of a pathway: pH, temperature, O2 and redox, most of which is unknown.

A vector has the columns of `assay.pathways.graphs.ENVIRONMENT` and a mask of its own: what is not
known is False there and NaN or 0 in the vector, which nobody may read. Models see `normalised`.

Shapes: G graphs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.pathways.graphs import ENVIRONMENT

ZERO_CELSIUS = 273.15

FINE_RANKS = ("phylum", "class", "order", "family", "genus", "species")
"""Taxa as broad as "Bacteria" say next to nothing of where a pathway runs."""
FEWEST_SPECIES = 3
"""That a mean is taken over."""
ATMOSPHERE, MICROAEROBIC = 0.21, 0.02
"""Fractions of O2 that stand for aerobic or facultative, and for microaerophilic growth."""


@dataclass(frozen=True)
class Entry:
    """One column of the environment."""

    unit: str
    low: float
    high: float
    low_excluded: bool
    centre: float
    scale: float
    """Normalised is (value - centre) / scale."""


ENTRIES: Mapping[str, Entry] = {
    "pH": Entry("", -1, 15, False, 7.0, 1.0),
    "temperature": Entry("K", 0, 450, True, 310.0, 15.0),
    "oxygen": Entry("as a fraction", 0, 1, False, 0.1, 0.1),
    "redox": Entry("mV", -2000, 2000, False, 250.0, 500.0),
}
"""Physical range and normalisation, by the names of `ENVIRONMENT`."""

_CENTRES = np.array([ENTRIES[name].centre for name in ENVIRONMENT], np.float32)
_SCALES = np.array([ENTRIES[name].scale for name in ENVIRONMENT], np.float32)


def normalised(
    environment_G4: NDArray[np.floating], known_G4: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return (G, 4) of order one; 0, which is then also a value, where nothing is known."""
    scaled = (environment_G4.astype(np.float32) - _CENTRES) / _SCALES
    return np.where(known_G4, scaled, np.float32(0)).astype(np.float32)


def physical(normalised_G4: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (G, 4) in the units of `ENVIRONMENT`: what `normalised` was given."""
    return (normalised_G4 * _SCALES + _CENTRES).astype(np.float32)


def check_environment(values: Sequence[float | None], where: str) -> None:
    """Refuse what cannot be: only what is known is judged, and None is not known.

    Raises:
        DataError: not four entries, one that is no finite number, or out of its physical range.
    """
    if len(values) != len(ENVIRONMENT):
        raise DataError(
            f"{where}: the environment has {len(values)} entries; give {len(ENVIRONMENT)}: "
            f"{', '.join(ENVIRONMENT)}"
        )
    for name, value in zip(ENVIRONMENT, values, strict=True):
        if value is None:
            continue
        entry = ENTRIES[name]
        below = value <= entry.low if entry.low_excluded else value < entry.low
        if not np.isfinite(value) or below or value > entry.high:
            opening = "(" if entry.low_excluded else "["
            raise DataError(
                f"{where}: {name} is {value:g} {entry.unit}".rstrip()
                + f", which is outside {opening}{entry.low:g}, {entry.high:g}]; correct it, or "
                "give none where it is not known"
            )


def environment_of_taxon(row: Mapping[str, str]) -> tuple[float | None, ...]:
    """Return the environment in which the species of a pathway's taxa grow, None where unknown.

    It is a weak label: where such organisms live, not what the pathway needs. O2 is what the shares
    of aerobic, facultative and microaerophilic species stand for (`ATMOSPHERE`, `MICROAEROBIC`);
    redox is the mean of textbook potentials of electron acceptors at pH 7, measured by nobody.

    Args:
        row: Of `pathway_environment_by_taxon.csv.gz`.
    """
    if row["broadest_rank"] not in FINE_RANKS:
        return (None,) * len(ENVIRONMENT)

    def known(column: str) -> bool:
        return float(row[column] or 0) >= FEWEST_SPECIES

    aerobic = float(row["frac_aerobic"] or 0) + float(row["frac_facultative"] or 0)
    oxygen = ATMOSPHERE * aerobic + MICROAEROBIC * float(row["frac_microaerophilic"] or 0)
    return (
        float(row["ph_mean"]) if known("ph_n") else None,
        float(row["temp_C_mean"]) + ZERO_CELSIUS if known("temp_n") else None,
        oxygen if known("o2_n") else None,
        float(row["acceptor_E0_mV_mean"]) if known("redox_n") else None,
    )
