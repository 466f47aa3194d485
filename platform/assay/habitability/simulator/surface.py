"""What the ground is: ocean, sea ice, land and snow, with their albedos and heat capacities.

Ice: Williams and Kasting, Icarus 129, 254 (1997), eq. A8: the ocean begins to freeze at 273.15 K
and is covered below 263.15 K; land is under snow below freezing. Values: the FILLET protocol,
Deitrick et al., Planetary Science Journal 4, 21 (2023).

Shapes: J latitudes, L longitudes, P planets.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FREEZING_K, COVERED_K = 273.15, 263.15
SUN_K = 5772.0

_NEWTON_STEPS = 8
_VISIBLE_UM = 0.7
_SECOND_RADIATION_UM_K = 14_387.77


@dataclass(frozen=True)
class Ground:
    """Properties of the ground; the defaults are those of the FILLET protocol."""

    ocean_albedo: float = 0.2
    land_albedo: float = 0.3
    visible_ice_albedo: float = 0.8
    """Of ice and snow below 0.7 µm."""
    sunlit_ice_albedo: float = 0.6
    """Of ice and snow under the Sun, whole: it fixes the albedo beyond 0.7 µm."""
    ocean_J_m2_K: float = 4e8
    """Heat capacity of an open column."""
    land_J_m2_K: float = 1e7
    ice_J_m2_K: float = 1e7


def visible_share(star_K: NDArray[np.floating] | float) -> NDArray[np.floating]:
    """Return the share of a black body's light below 0.7 µm.

    The integral of Planck's law from x = c2 / (λ T) up: a sum over k of
    exp(-k x) (x³/k + 3x²/k² + 6x/k³ + 6/k⁴) times 15/π⁴.
    """
    x = _SECOND_RADIATION_UM_K / (_VISIBLE_UM * np.asarray(star_K, float))[..., None]
    k = np.arange(1, 40)
    terms = np.exp(-k * x) * (x**3 / k + 3 * x**2 / k**2 + 6 * x / k**3 + 6 / k**4)
    return 15 / np.pi**4 * terms.sum(axis=-1)


def ice_albedo(ground: Ground, star_K: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return (P,) the albedo of ice and snow: red stars are seen by it dimly.

    Joshi and Haberle, Astrobiology 12, 3 (2012): two bands, weighted by the star's light.
    """
    sun = visible_share(SUN_K)
    infrared = (ground.sunlit_ice_albedo - sun * ground.visible_ice_albedo) / (1 - sun)
    star = visible_share(star_K)
    return star * ground.visible_ice_albedo + (1 - star) * infrared


def frozen_share(T: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the share of an ocean at T that is ice: 1 - exp((T - 273.15 K) / 10 K), or 1."""
    share = np.minimum(T, FREEZING_K)
    share -= FREEZING_K
    share *= 0.1
    np.exp(share, out=share)
    np.subtract(1.0, share, out=share)
    share[T < COVERED_K] = 1.0
    return share


def state(
    T_JLP: NDArray[np.floating],
    ocean_JLP: NDArray[np.floating],
    ice_albedo_P: NDArray[np.floating],
    ground: Ground,
) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    """Return albedo, heat capacity (J/m²/K) and frozen share of each cell, sea ice and snow."""
    ice = frozen_share(T_JLP)
    ice *= ocean_JLP
    snow = 1.0 - ocean_JLP
    capacity = ground.land_J_m2_K * snow
    capacity += ground.ocean_J_m2_K * ocean_JLP
    capacity -= (ground.ocean_J_m2_K - ground.ice_J_m2_K) * ice
    bare = ground.land_albedo * snow + ground.ocean_albedo * ocean_JLP
    snow *= T_JLP <= FREEZING_K
    albedo = bare + (ice_albedo_P - ground.ocean_albedo) * ice
    albedo += (ice_albedo_P - ground.land_albedo) * snow
    ice += snow
    return albedo, capacity, ice


def warmed(
    T_JLP: NDArray[np.floating],
    linear_JLP: NDArray[np.floating],
    capacity_JLP: NDArray[np.floating],
    ocean_JLP: NDArray[np.floating],
    ground: Ground,
) -> NDArray[np.floating]:
    """Return temperatures after a step, however the ice of the cells changed meanwhile.

    Between 263.15 and 273.15 K the heat capacity of a column grows thirtyfold as its ice goes: a
    step that took it for constant would leap over that. Newton's method on the heat content, which
    is convex in T, finds where the heat of the step leads; no heat is lost.

    Args:
        T_JLP: K, before.
        linear_JLP: K, after the step, had the capacity not changed.
        capacity_JLP: J/m²/K, before.
        ocean_JLP: Share of ocean.
        ground: Heat capacities.
    """
    freezes = np.minimum(T_JLP, linear_JLP) < FREEZING_K
    freezes &= np.maximum(T_JLP, linear_JLP) > COVERED_K
    if not freezes.any():
        return linear_JLP
    ocean = ocean_JLP[freezes]
    cold = ground.land_J_m2_K * (1 - ocean) + ground.ice_J_m2_K * ocean
    gained = (ground.ocean_J_m2_K - ground.ice_J_m2_K) * ocean

    def content(T: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Return the heat content above the temperature of full ice, and its slope."""
        open_share = np.exp((np.minimum(T, FREEZING_K) - FREEZING_K) / 10)
        melted = 10 * (open_share - np.exp(-1)) + np.maximum(T - FREEZING_K, 0)
        slope = cold + gained * open_share * (T >= COVERED_K)
        return cold * (T - COVERED_K) + gained * np.maximum(melted, 0.0), slope

    T, linear = T_JLP[freezes], linear_JLP[freezes]
    target = content(T)[0] + capacity_JLP[freezes] * (linear - T)
    found = np.maximum(T, linear)
    for _ in range(_NEWTON_STEPS):
        value, slope = content(found)
        found = found - (value - target) / slope
    after = linear_JLP.copy()
    after[freezes] = found
    return after
