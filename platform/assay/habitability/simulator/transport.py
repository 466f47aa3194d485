"""Heat carried between the cells: diffusion on the sphere, solved implicitly, energy conserved.

North, Cahalan and Coakley, Reviews of Geophysics 19, 91 (1981): the flux is -D times the gradient
of temperature. Its strength follows Williams and Kasting, Icarus 129, 254 (1997), eq. A10, in
pressure, heat capacity and molar mass. With rotation it grows as the period instead of as its
square, up to `SLOWEST_D`: the square, 37 at the period of TRAPPIST-1 e, lies far above the 3.3
W/m²/K to which HEXTOR's authors fit general circulation models of that planet (THAI Hab 1).

Shapes: J latitudes, L longitudes, P planets.
"""

import numpy as np
from numpy.typing import NDArray

from assay.habitability.simulator.grid import SINES, SINES_OF_EDGES, WIDTHS

N2_G_MOL, CO2_G_MOL, AIR_G_MOL = 28.0, 44.0, 28.89
N2_J_KG_K, CO2_J_KG_K, AIR_J_KG_K = 1039.0, 820.0, 1005.0
SLOWEST_D = 30.0
"""Days: slower rotation carries no more heat."""

_BETWEEN_J1 = (1 - SINES_OF_EDGES[1:-1] ** 2) / np.diff(SINES)
"""(J - 1,) what a difference of temperature across an edge gives of flux, over D."""


def diffusivity(
    at_earth_W_m2_K: float, co2_bar: NDArray[np.floating], rotation_d: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Return (P,) D in W/m²/K, for 1 bar of N2 with CO2.

    Args:
        at_earth_W_m2_K: D of the Earth's air and rotation.
        co2_bar: (P,) partial pressure.
        rotation_d: (P,) days.
    """
    pressure_bar = 1 + co2_bar
    molar = (N2_G_MOL + CO2_G_MOL * co2_bar) / pressure_bar
    heat = (N2_J_KG_K + CO2_J_KG_K * co2_bar) / pressure_bar
    rotation = np.minimum(rotation_d, SLOWEST_D)
    return (
        at_earth_W_m2_K * pressure_bar * (heat / AIR_J_KG_K) * (AIR_G_MOL / molar) ** 2 * rotation
    )


def along_meridians(
    T_JLP: NDArray[np.floating], capacity_JLP: NDArray[np.floating], D_dt_P: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Return temperatures after a backward Euler step of diffusion between latitudes.

    C (T' - T) = dt d/dx [D (1 - x²) dT'/dx] in finite volumes of x = sin(latitude): what leaves one
    belt enters the next, so that the sum of C T over areas stays what it was.

    Args:
        T_JLP: K.
        capacity_JLP: Heat capacities, J/m²/K.
        D_dt_P: D dt, J/m²/K.
    """
    J = len(T_JLP)
    weight_JLP = capacity_JLP * WIDTHS[:, None, None]
    right_JLP = weight_JLP * T_JLP
    flow_J1 = _BETWEEN_J1[:, None] * D_dt_P  # (J - 1, P)
    # Thomas' algorithm, from the south pole up and back.
    upper = np.empty_like(T_JLP)
    pivot = weight_JLP[0] + flow_J1[0]
    upper[0] = flow_J1[0] / pivot
    right_JLP[0] /= pivot
    for j in range(1, J):
        south = flow_J1[j - 1]
        north = flow_J1[j] if j < J - 1 else 0.0
        pivot = weight_JLP[j] + north + south * (1 - upper[j - 1])
        upper[j] = north / pivot
        right_JLP[j] = (right_JLP[j] + south * right_JLP[j - 1]) / pivot
    for j in range(J - 2, -1, -1):
        right_JLP[j] += upper[j] * right_JLP[j + 1]
    return right_JLP


def along_parallels(
    T_JLP: NDArray[np.floating], capacity_JLP: NDArray[np.floating], D_dt_P: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Return temperatures after a backward Euler step of diffusion between longitudes.

    C (T' - T) = dt D / (1 - x²) d²T'/dλ², around each parallel; arguments as for `along_meridians`.
    """
    L = T_JLP.shape[1]
    if L == 1:
        return T_JLP
    step = 2 * np.pi / L
    flow_JP = D_dt_P / ((1 - SINES**2) * step**2)[:, None]
    # A circle is a chain with its ends joined, by Sherman and Morrison's formula.
    diagonal = capacity_JLP + 2 * flow_JP[:, None]
    corner = diagonal[:, 0].copy()
    diagonal[:, 0] += corner
    diagonal[:, -1] += flow_JP**2 / corner
    y, z = np.empty_like(T_JLP), np.empty_like(T_JLP)
    upper = np.empty_like(T_JLP)
    right = capacity_JLP * T_JLP
    upper[:, 0] = flow_JP / diagonal[:, 0]
    y[:, 0] = right[:, 0] / diagonal[:, 0]
    z[:, 0] = -corner / diagonal[:, 0]
    pivot = diagonal[:, 0]
    for k in range(1, L):
        pivot = diagonal[:, k] - flow_JP * upper[:, k - 1]
        upper[:, k] = flow_JP / pivot
        y[:, k] = (right[:, k] + flow_JP * y[:, k - 1]) / pivot
        z[:, k] = flow_JP * z[:, k - 1] / pivot
    z[:, -1] += -flow_JP / pivot
    for k in range(L - 2, -1, -1):
        y[:, k] += upper[:, k] * y[:, k + 1]
        z[:, k] += upper[:, k] * z[:, k + 1]
    ratio = flow_JP / corner
    joined = (y[:, 0] + ratio * y[:, -1]) / (1 + z[:, 0] + ratio * z[:, -1])
    return y - joined[:, None] * z
