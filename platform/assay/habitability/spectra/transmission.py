"""The height at which an atmosphere stops starlight, and the depth of a transit.

An isothermal, well mixed, hydrostatic atmosphere above a surface has, at grazing incidence, an
optical depth of τ0 exp(-z / H) with τ0 = n0 σ sqrt(2 π R H), and so an effective height of

    h = H (γ + ln τ0 + E1(τ0)),

Heng and Kitzmann, MNRAS 470, 2972 (2017), eq. 11, with the surface as their reference: h is never
below it. Refraction, clouds and the drying of the air with height are left out.

Shapes: P planets, W wavelengths, G gases, Q points of the spread of cross-sections.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import exp1

from assay.habitability.spectra.bands import GASES, WEIGHTS, cross_section_m2, rayleigh_m2

BOLTZMANN_J_K, DALTON_KG = 1.380649e-23, 1.66053907e-27
EARTH_RADIUS_M, SOLAR_RADIUS_M = 6.371e6, 6.957e8
MOLAR_G_MOL = np.array([18.0, 44.0, 16.0, 48.0, 32.0])
"""Of `GASES`."""
N2_G_MOL = 28.0
PPM = 1e6


@dataclass(frozen=True)
class Atmospheres:
    """P atmospheres of N2 with traces of `GASES`."""

    temperature_K: NDArray[np.float64]
    """(P,) of the air that starlight grazes."""
    pressure_Pa: NDArray[np.float64]
    """(P,) at the surface."""
    mixing_ratio: NDArray[np.float64]
    """(P, G) by volume, in the order of `GASES`; the rest is N2."""
    radius_m: NDArray[np.float64]
    """(P,) of the surface."""
    gravity_m_s2: NDArray[np.float64]

    def scale_height_m(self) -> NDArray[np.float64]:
        """Return (P,) H = k T / (m g)."""
        molar = self.mixing_ratio @ (MOLAR_G_MOL - N2_G_MOL) + N2_G_MOL
        return BOLTZMANN_J_K * self.temperature_K / (molar * DALTON_KG * self.gravity_m_s2)

    def slant_column_m2(self) -> NDArray[np.float64]:
        """Return (P,) molecules along a ray that grazes the surface, n0 sqrt(2 π R H)."""
        density = self.pressure_Pa / (BOLTZMANN_J_K * self.temperature_K)
        return density * np.sqrt(2 * np.pi * self.radius_m * self.scale_height_m())


def effective_height_m(atmospheres: Atmospheres) -> NDArray[np.float64]:
    """Return (P, W) the height above the surface below which starlight is stopped."""
    sigma_GQW = np.stack([cross_section_m2(gas) for gas in GASES])
    total = np.einsum("pg,gqw->qpw", atmospheres.mixing_ratio, sigma_GQW)
    total += (1 - atmospheres.mixing_ratio.sum(axis=1))[:, None] * rayleigh_m2()
    depth = atmospheres.slant_column_m2()[:, None] * total
    return atmospheres.scale_height_m()[:, None] * np.einsum(
        "q,qpw->pw", WEIGHTS, above_surface(depth)
    )


def above_surface(depth: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return γ + ln τ + E1(τ): the effective height in scale heights."""
    depth = np.maximum(depth, 1e-12)
    return np.maximum(np.euler_gamma + np.log(depth) + exp1(depth), 0.0)


def transit_depth(
    atmospheres: Atmospheres, star_radius_m: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return (P, W) the share of the star's disc that is dark, ((R + h) / R*)²."""
    height = effective_height_m(atmospheres)
    return ((atmospheres.radius_m[:, None] + height) / star_radius_m[:, None]) ** 2
