"""The air of a planet, drawn: CO2, oxygen or methane, and the ozone and water that follow.

Partial pressures are beside 1 bar of N2. CO2 is what weathering leaves: more under a fainter star,
by `CO2_DECADES` for the whole flux of the Earth, and by chance (Walker, Hays and Kasting, JGR 86,
9776 (1981)). Six in ten planets have oxygen, from a thousandth of a bar up; the others none to
speak of, and methane. Ozone follows oxygen as in the Earth's past: a column of half today's at a
hundredth of today's O2; Segura et al., Astrobiology 3, 689 (2003). The water above is what a cold
trap lets through, `COLD_TRAP_K` below the surface's mean temperature; saturation over ice by Murphy
and Koop, QJRMS 131, 1539 (2005), eq. 7.

Shapes: P planets, G gases.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.habitability.simulator.planets import RANGES
from assay.habitability.simulator.radiation import EARTH_CO2_PPM

CO2_DECADES, CO2_SPREAD = 8.0, 0.8
RICH, OXYGEN_BAR = 0.6, (1e-3, 0.4)
TRACE_OXYGEN_BAR = (1e-8, 1e-5)
METHANE_RICH, METHANE_POOR = (1e-5, 5e-3), (1e-8, 3e-6)
OZONE_TODAY, OXYGEN_TODAY_BAR, OZONE_POWER = 3e-6, 0.21, 0.15
"""0.01^0.15 is a half."""
COLD_TRAP_K, HUMIDITY = 60.0, 0.5


@dataclass(frozen=True)
class Air:
    """What is in the air of P planets."""

    co2_ppm: NDArray[np.float64]
    oxygen_bar: NDArray[np.float64]
    methane_ratio: NDArray[np.float64]

    def select(self, chosen: NDArray[np.integer]) -> Self:
        """Return the air of the planets at `chosen`."""
        return type(self)(*(getattr(self, f.name)[chosen] for f in fields(self)))


def draw_air(draw: np.random.Generator, instellation: NDArray[np.floating]) -> Air:
    """Return the air of planets of an instellation (P,)."""
    P = len(instellation)
    low, high, _ = RANGES["co2_ppm"]
    decades = CO2_DECADES * (1 - instellation) + CO2_SPREAD * draw.normal(size=P)
    co2_ppm = np.clip(EARTH_CO2_PPM * 10.0**decades, low, high)
    rich = draw.random(P) < RICH
    oxygen = np.where(rich, _log(draw, OXYGEN_BAR, P), _log(draw, TRACE_OXYGEN_BAR, P))
    methane = np.where(rich, _log(draw, METHANE_POOR, P), _log(draw, METHANE_RICH, P))
    return Air(co2_ppm, oxygen, methane)


def mixing_ratios(air: Air, surface_K: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (P, G) what a transit sees, in the order of `assay.habitability.spectra.bands.GASES`.

    Args:
        air: Of P planets.
        surface_K: (P,) mean temperature of the ground.
    """
    total_bar = pressure_bar(air)
    co2, oxygen = air.co2_ppm * 1e-6 / total_bar, air.oxygen_bar / total_bar
    ozone = OZONE_TODAY * (air.oxygen_bar / OXYGEN_TODAY_BAR) ** OZONE_POWER
    ozone = np.where(air.oxygen_bar >= OXYGEN_BAR[0], ozone, 1e-10)
    trap = np.clip(surface_K - COLD_TRAP_K, 150.0, 273.0)
    ice_Pa = np.exp(9.550426 - 5723.265 / trap + 3.53068 * np.log(trap) - 0.00728332 * trap)
    water = np.clip(HUMIDITY * ice_Pa / (total_bar * 1e5), 1e-9, 0.05)
    return np.stack([water, co2, air.methane_ratio, ozone, oxygen], axis=1)


def pressure_bar(air: Air) -> NDArray[np.float64]:
    """Return (P,) the pressure at the ground."""
    return 1.0 + air.co2_ppm * 1e-6 + air.oxygen_bar


def _log(draw: np.random.Generator, between: tuple[float, float], P: int) -> NDArray[np.float64]:
    return np.exp(draw.uniform(np.log(between[0]), np.log(between[1]), P))
