"""Radiation at the top of an atmosphere of 1 bar of N2 with CO2 and saturated water vapour.

Two polynomials in temperature, CO2, the star's height and the ground's albedo stand for a radiative
transfer model, as in Williams and Kasting, Icarus 129, 254 (1997), eqs. A17 to A20. Their
coefficients are fitted to what HEXTOR's look-up tables gave (Haqq-Misra and Hayworth, Planetary
Science Journal 3, 32 (2022)), as `benchmarks/habitability_radiation.py` does, on the training
points of `assay.habitability.simulator.hextor` alone. Valid from 190 to 360 K and from 1 to
100,000 ppm of CO2; beyond in temperature, outgoing radiation goes on as a power of it.

Shapes: J latitudes, L longitudes, P planets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

COLDEST_K, HOTTEST_K = 190.0, 360.0
CENTRE_K, SCALE_K = 270.0, 60.0
EARTH_CO2_PPM = 280.0

OLR_POWERS = (
    *((i, 0) for i in range(7)), *((i, j) for j in (1, 2, 3) for i in range(4)),
)  # fmt: skip
"""Powers of (T - 270 K) / 60 K and of log10(CO2 / 280 ppm) in the outgoing radiation."""
OLR_W_M2: Sequence[float] = (
    225.78, 131.791, -3.74599, 5.37812, 32.6275, 1.23451, -10.8311,
    -11.4754, -9.562, 1.15597, 2.34153,
    0.447478, 4.53494, 0.58582, -1.81491,
    -1.27942, -2.30625, 0.214892, 0.988842,
)  # fmt: skip
"""Their residual is 0.7 W/m², rms, over the belts of the training points."""

ZENITHS_DEG = (30.0, 60.0, 90.0)
"""Between these the albedo is linear in the angle, as in the tables; below 30 it is that at 30."""
ALBEDO_TERMS = ("1", "a", "aa", "t", "at", "tt")
"""At each zenith angle: products of the ground's albedo a and of t as above."""
CO2_TERMS = ("c", "ca", "ct")
"""At all of them: with c, the power of CO2."""
ALBEDO: Sequence[float] = (
    0.18555, 0.451659, 0.0311413, -0.20976, 0.125374, 0.0622588,
    0.058698, 0.764692, 0.11505, -0.0438447, -0.00814953, -0.00339644,
    0.562024, 0.250408, 0.0212512, -0.0303434, -0.0676774, -0.00424622,
    0.00634495, -0.0185208, -0.00335098,
)  # fmt: skip
"""A row a zenith angle, and CO2. Absorbed starlight closes the balance of heat of a belt within
2.7 W/m², rms."""


def co2_scale(co2_ppm: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return log10 of CO2 over 280 ppm."""
    return np.log10(co2_ppm / EARTH_CO2_PPM)


def between_zeniths(cosine: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (3, …) the weights of `ZENITHS_DEG` for a star at `cosine` of the zenith angle."""
    angle = np.maximum(np.degrees(np.arccos(np.clip(cosine, 0, 1))), ZENITHS_DEG[0])
    step = ZENITHS_DEG[1] - ZENITHS_DEG[0]
    return np.stack([np.maximum(1 - np.abs(angle - node) / step, 0.0) for node in ZENITHS_DEG])


@dataclass(frozen=True)
class Longwave:
    """Outgoing radiation of P planets as a polynomial in temperature."""

    of_power_KP: NDArray[np.float64]
    ends_2P: NDArray[np.float64]
    """(2, P) W/m² at the coldest and the hottest temperature of the polynomial."""
    exponents_2P: NDArray[np.float64]
    """(2, P) d ln(radiation) / d ln(T) there."""

    @classmethod
    def of(cls, co2_ppm: NDArray[np.floating], cloud_W_m2: float = 0.0) -> Self:
        """Return that of planets of `co2_ppm` (P,), less `cloud_W_m2` that clouds hold back."""
        c = co2_scale(co2_ppm)
        of_power = np.zeros((7, len(c)))
        for (i, j), value in zip(OLR_POWERS, OLR_W_M2, strict=True):
            of_power[i] += value * c**j
        of_power[0] -= cloud_W_m2
        ends_K = np.array([COLDEST_K, HOTTEST_K])
        t = ((ends_K - CENTRE_K) / SCALE_K)[:, None]
        values = np.sum([of_power[i] * t**i for i in range(7)], axis=0)
        slopes = np.sum([i * of_power[i] * t ** (i - 1) for i in range(1, 7)], axis=0) / SCALE_K
        return cls(of_power, values, np.maximum(slopes * ends_K[:, None] / values, 0.0))

    def emitted(self, T: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return W/m² at surface temperatures (…, P)."""
        t = np.clip(T, COLDEST_K, HOTTEST_K)
        t -= CENTRE_K
        t *= 1 / SCALE_K
        out = self.of_power_KP[6] * t
        for power in range(5, 0, -1):
            out += self.of_power_KP[power]
            out *= t
        out += self.of_power_KP[0]
        if T.min() < COLDEST_K or T.max() > HOTTEST_K:
            cold, hot = self.exponents_2P
            out *= np.minimum(T / COLDEST_K, 1.0) ** cold * np.maximum(T / HOTTEST_K, 1.0) ** hot
        return out


@dataclass(frozen=True)
class Shortwave:
    """The planetary albedo under a star of known height, as a polynomial in ground albedo and t."""

    of_term: NDArray[np.float64]
    """(6, …, P) coefficients of `ALBEDO_TERMS`."""

    @classmethod
    def of(cls, cosine: NDArray[np.floating], co2_ppm: NDArray[np.floating]) -> Self:
        """Return that under a star at `cosine` (…, P) of the zenith angle by day."""
        weights, c = between_zeniths(cosine), co2_scale(co2_ppm)
        at_zenith = np.reshape(ALBEDO[: -len(CO2_TERMS)], (len(ZENITHS_DEG), len(ALBEDO_TERMS)))
        of_term = np.einsum("zt,z...->t...", at_zenith, weights)
        for term, value in zip(CO2_TERMS, ALBEDO[-len(CO2_TERMS) :], strict=True):
            of_term[ALBEDO_TERMS.index(term.removeprefix("c") or "1")] += value * c
        return cls(of_term)

    def albedo(
        self, T: NDArray[np.floating], ground: NDArray[np.floating], step: int = 0
    ) -> NDArray[np.float64]:
        """Return the share of starlight that is sent back, 0 to 1.

        Args:
            T: K, (J, L, P).
            ground: Albedo of the ground, (J, L, P).
            step: Of the year, the second axis of the coefficients.
        """
        one, a, aa, t1, at, tt = self.of_term[:, step]
        t = np.clip(T, COLDEST_K, HOTTEST_K)
        t -= CENTRE_K
        t *= 1 / SCALE_K
        out = aa * ground
        out += at * t
        out += a
        out *= ground
        out += one
        free = tt * t
        free += t1
        free *= t
        out += free
        return np.clip(out, 0.0, 1.0, out=out)
