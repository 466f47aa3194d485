"""The air above the ground: hydrostatic, under a constant lapse rate.

T(z) = T - Γ z and dp/dz = -p g / (R T) give p / p0 = (1 - Γ z / T)^(g / (R Γ)); so half the
pressure is left at z = (T / Γ) (1 - 2^(-R Γ / g)). Γ is 6.5 K/km on the Earth, and goes with g.
"""

import numpy as np
from numpy.typing import NDArray

N2_J_KG_K = 296.8
"""Gas constant of N2."""
LAPSE_K_M_ON_EARTH, EARTH_M_S2 = 6.5e-3, 9.81


def half_pressure_height_m(
    surface_K: NDArray[np.floating], gravity_m_s2: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the height at which half the surface pressure is left; arguments broadcast."""
    lapse = LAPSE_K_M_ON_EARTH * gravity_m_s2 / EARTH_M_S2
    return surface_K / lapse * (1 - 2 ** (-N2_J_KG_K * lapse / gravity_m_s2))
