"""HEXTOR's climates of the FILLET protocol: what the model is fitted to, and checked against.

977 climates at 488 parameter points (instellation, obliquity, CO2, diffusivity), from a warm or a
cold start. Three in ten points are held out, by hash; the radiation is fitted to the rest.

Haqq-Misra and Hayworth, Planetary Science Journal 3, 32 (2022); Deitrick et al., Planetary Science
Journal 4, 21 (2023).

Shapes: C cases, J latitudes.
"""

import csv
import gzip
import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.habitability.simulator.grid import LATITUDES_DEG
from assay.habitability.simulator.planets import Planets, earth_like

CASES, PROFILES = "hextor_ebm_cases.csv.gz", "hextor_ebm_profiles.npz"
OCEAN = 0.75
"""Of every belt."""
WARM_K, COLD_K = 288.0, 233.0
SNOWBALL, ICE_FREE, PARTIAL_ICE = "snowball", "ice_free", "partial_ice"
_HELD_OUT = 30
"""Per cent of the points."""


@dataclass(frozen=True)
class HextorCases:
    """C climates."""

    instellation: NDArray[np.float64]
    obliquity_deg: NDArray[np.float64]
    co2_ppm: NDArray[np.float64]
    diffusivity_W_m2_K: NDArray[np.float64]
    warm: NDArray[np.bool_]
    """(C,) started warm."""
    state: NDArray[np.str_]
    """(C,) ice_free, partial_ice or snowball."""
    point: NDArray[np.str_]
    """(C,) the parameter point: cases that differ in their start alone share one."""
    held_out: NDArray[np.bool_]
    """(C,) by point."""
    temperature_K: NDArray[np.float64]
    """(C, J) annual mean of the surface, as all profiles."""
    ground_albedo: NDArray[np.float64]
    planetary_albedo: NDArray[np.float64]
    emitted_W_m2: NDArray[np.float64]

    def __len__(self) -> int:
        """Return C."""
        return len(self.warm)

    def select(self, chosen: NDArray) -> Self:
        """Return the cases at `chosen`, indices or a mask."""
        return type(self)(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def planets(self) -> Planets:
        """Return the planets as the protocol has them: a circular year, 18 belts, no longitude."""
        return earth_like(
            [f"HEXTOR {name}" for name in self.point],
            np.full((len(LATITUDES_DEG), 1), OCEAN),
            instellation=self.instellation,
            obliquity_deg=self.obliquity_deg,
            co2_ppm=self.co2_ppm,
            eccentricity=0.0,
            periapsis_deg=0.0,
            start_K=np.where(self.warm, WARM_K, COLD_K),
        )


def read_hextor(folder: Path) -> HextorCases:
    """Read the two files of `folder` (planet_climates).

    Raises:
        DataError: a file is missing, or holds something else.
    """
    try:
        with gzip.open(folder / CASES, "rt", newline="") as file:
            rows = list(csv.DictReader(file))
        with np.load(folder / PROFILES, allow_pickle=False) as arrays:
            latitudes, profiles = arrays["lat_deg"], arrays["profiles"].astype(float)
        number = {name: np.array([float(row[name]) for row in rows]) for name in (
            "instellation_Searth", "obliquity_deg", "xco2_ppm", "diffusion")}  # fmt: skip
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{folder}: the climates of HEXTOR cannot be read ({error}); get {CASES} and {PROFILES}"
        ) from error
    if not np.allclose(latitudes, LATITUDES_DEG) or len(profiles) != len(rows):
        raise DataError(f"{folder / PROFILES}: has other latitudes or cases; get the file anew")
    point = np.array(["/".join(f"{value:g}" for value in values) for values in
                      zip(*number.values(), strict=True)])  # fmt: skip
    return HextorCases(
        *number.values(),
        warm=np.array([row["start"] == "warm" for row in rows]),
        state=np.array([row["state"] for row in rows]),
        point=point,
        held_out=np.array([_percent(name) < _HELD_OUT for name in point]),
        temperature_K=profiles[..., 0],
        ground_albedo=profiles[..., 1],
        planetary_albedo=profiles[..., 2],
        emitted_W_m2=profiles[..., 3],
    )


def _percent(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % 100
