"""Metabolic habitability: where and when an organism could run its network, in this air.

The rule, version 1. Of a planet's area and year, the share in which the surface temperature lies in
the growth window of the organism, lowest and highest temperature of growth; times 1 where the air
meets the need for oxygen, else 0. A network that takes up O2 needs a partial pressure of at least
`LEAST_O2_BAR`, whoever runs it; one that does not, run by a strict anaerobe, needs less than that;
the others need nothing. The limit is the Pasteur point, a hundredth of today's O2, below which
facultative organisms stop breathing (Berkner and Marshall, 1965).

Temperature is the climate's, the window the organism's, the need the network's and the organism's,
and oxygen the air's: no modality holds them all.

Shapes: P records, J latitudes, L longitudes, M months.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.habitability.simulator.grid import AREAS

VERSION = "1"
LEAST_O2_BAR = 0.0021
NEEDS = ("none", "oxygen", "no_oxygen")
"""Their positions are the codes."""
LIQUID_K = (273.15, 373.15)
COUNT = 11
THRESHOLDS = tuple((k + 0.5) / COUNT for k in range(COUNT))
"""Of habitability, that a model gives the chances to reach of."""
HABITABLE = COUNT // 2
"""Position of the threshold of a half."""

Need = Literal["none", "oxygen", "no_oxygen"]


def need_of(consumes_oxygen: bool, anaerobe: bool) -> Need:
    """Return what a network and the organism that runs it need of the air."""
    if consumes_oxygen:
        return "oxygen"
    return "no_oxygen" if anaerobe else "none"


def meets(need_P: NDArray[np.integer], oxygen_bar_P: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return (P,) whether the air meets the need, given as codes."""
    rich = oxygen_bar_P >= LEAST_O2_BAR
    return np.select([need_P == 1, need_P == 2], [rich, ~rich], True).astype(bool)


def time_area_fraction(
    temperature_K: NDArray[np.floating],
    lowest_K: NDArray[np.floating],
    highest_K: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Return (P,) the share of area and year, of (P, J, L, M), within [lowest, highest] (P,)."""
    low, high = (np.asarray(edge)[:, None, None, None] for edge in (lowest_K, highest_K))
    inside = (temperature_K >= low) & (temperature_K <= high)
    return np.einsum("pjlm,j->p", inside, AREAS) / (inside.shape[2] * inside.shape[3])


def metabolic_habitability(
    temperature_K: NDArray[np.floating],
    window_P2: NDArray[np.floating],
    need_P: NDArray[np.integer],
    oxygen_bar_P: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Return (P,) by the rule above."""
    share = time_area_fraction(temperature_K, window_P2[:, 0], window_P2[:, 1])
    return share * meets(need_P, oxygen_bar_P)


def liquid_water_fraction(temperature_K: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (P,) the share between 273.15 and 373.15 K: an auxiliary head's, no evidence."""
    low, high = (np.full(len(temperature_K), edge) for edge in LIQUID_K)
    return time_area_fraction(temperature_K, low, high)
