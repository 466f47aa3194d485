"""Fits the constants of `assay.habitability.simulator.radiation` to HEXTOR's training points.

    python benchmarks/habitability_radiation.py FOLDER

FOLDER holds planet_climates. Both polynomials are linear in their coefficients, and their means
over a year are known: outgoing radiation and albedo of each belt, and what it must absorb so that
its heat balances. The seasons are those of our own model, held at HEXTOR's annual means; the fit is
repeated, for they depend on it. Belts whose ice our seasons miss are left out. Prints the
coefficients, and how well they fit.

Shapes: K steps, J latitudes, C cases, F coefficients.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.habitability.simulator import radiation
from assay.habitability.simulator.grid import AREAS, LATITUDES_DEG, SINES, SINES_OF_EDGES, WIDTHS
from assay.habitability.simulator.hextor import HextorCases, read_hextor
from assay.habitability.simulator.orbit import daily_mean, seasons
from assay.habitability.simulator.planets import SOLAR_CONSTANT_W_M2
from assay.habitability.simulator.run import STEPS_A_YEAR, Physics, Run
from assay.habitability.simulator.surface import state
from assay.habitability.simulator.transport import diffusivity

ROUNDS, YEARS = 3, 3
SAME_ICE = 0.012
"""Largest difference of a belt's mean ground albedo that leaves it in the fit."""
MEAN_FLUX_W_M2 = 300.0
HOLD = 0.15
ALBEDO_WEIGHT = 0.3
"""Of the published albedo, which has two digits, beside the balance of heat."""


def main() -> None:
    """Fit, and print what was found."""
    cases = read_hextor(Path(sys.argv[1]))
    D = Physics().diffusivity_W_m2_K
    cases = cases.select(~cases.held_out & (cases.diffusivity_W_m2_K == D))
    first(cases)
    for _ in range(ROUNDS):
        fit(cases)
    for zenith in radiation.ZENITHS_DEG:
        cosine, co2 = np.full((1, 1, 1, 1), np.cos(np.radians(zenith))), np.array([280.0])
        albedo = radiation.Shortwave.of(cosine, co2).albedo
        print(
            zenith,
            [
                [
                    round(float(albedo(np.full((1, 1, 1), T), np.full((1, 1, 1), a))[0, 0, 0]), 3)
                    for T in (220.0, 250.0, 270.0, 300.0)
                ]
                for a in (0.2, 0.4, 0.6)
            ],
        )
    print("OLR_W_M2", [float(f"{value:.6g}") for value in radiation.OLR_W_M2])
    print("ALBEDO", [float(f"{value:.6g}") for value in radiation.ALBEDO])


def first(cases: HextorCases) -> None:
    """Fit to planets without seasons, and to low latitudes where CO2 varies."""
    steady = cases.obliquity_deg == 0
    low = np.abs(LATITUDES_DEG) < 30
    used = steady[:, None] | ((cases.co2_ppm != radiation.EARTH_CO2_PPM)[:, None] & low)
    terms = longwave_terms(cases.temperature_K, cases.co2_ppm[:, None])
    solve("OLR_W_M2", terms[used], cases.emitted_W_m2[used])
    still = cases.select(steady)
    _, cosine = daily_mean(np.zeros((1, len(still))), SINES)
    terms = albedo_terms(
        still.temperature_K, still.ground_albedo, cosine[0].T, still.co2_ppm[:, None]
    )
    solve("ALBEDO", terms.reshape(-1, terms.shape[-1]), still.planetary_albedo.ravel())


def fit(cases: HextorCases) -> None:
    """Fit to annual means over the seasons that the constants of now give."""
    planets = cases.planets()
    T_KJC = seasonal(cases)
    ocean_JLC = np.moveaxis(planets.ocean, 0, -1)
    ice_albedo = Run.of(planets, Physics()).ice_albedo_P
    ground_KJC = np.stack(
        [state(T_JC[:, None], ocean_JLC, ice_albedo, Physics().ground)[0][:, 0] for T_JC in T_KJC]
    )
    used = np.abs(ground_KJC.mean(axis=0) - cases.ground_albedo.T) < SAME_ICE
    emitted_JC = cases.emitted_W_m2.T
    solve("OLR_W_M2", longwave_terms(T_KJC, cases.co2_ppm).mean(axis=0)[used], emitted_JC[used])
    declination, distance = seasons(
        STEPS_A_YEAR, planets.obliquity_deg, planets.eccentricity, planets.periapsis_deg
    )
    light_KJC, cosine_KJC = daily_mean(declination, SINES)
    light_KJC = light_KJC * (distance * SOLAR_CONSTANT_W_M2 * cases.instellation)[:, None]
    terms = albedo_terms(T_KJC, ground_KJC, cosine_KJC, cases.co2_ppm)
    reflected = light_KJC.mean(axis=0) - emitted_JC + imported(cases).T
    # HEXTOR's scheme at the poles is another than ours, so that no balance closes there.
    inner = used & (np.abs(LATITUDES_DEG) < 80)[:, None]
    weight = np.sqrt(np.broadcast_to(AREAS[:, None], inner.shape)[inner])
    lit = weight / MEAN_FLUX_W_M2
    rows = [
        terms.mean(axis=0)[inner] * (ALBEDO_WEIGHT * weight)[:, None],
        (terms * light_KJC[..., None]).mean(axis=0)[inner] * lit[:, None],
    ]
    targets = [cases.planetary_albedo.T[inner] * ALBEDO_WEIGHT * weight, reflected[inner] * lit]
    solve("ALBEDO", np.concatenate(rows), np.concatenate(targets))
    balance = rows[1] @ np.array(radiation.ALBEDO) / lit - reflected[inner]
    print(f"belts used {used.mean():.3f}; balance of a belt, rms {balance.std():.2f} W/m2")


def seasonal(cases: HextorCases) -> NDArray[np.float64]:
    """Return (K, J, C) our seasons around HEXTOR's annual means."""
    run = Run.of(cases.planets(), Physics())
    published = cases.temperature_K.T[:, None]
    T_JLC, year, shift = published.copy(), [], 0.0
    for _ in range(YEARS):
        year = []
        for k in range(STEPS_A_YEAR):
            year.append(T_JLC)
            T_JLC = run.step(T_JLC, k)
        shift = published - np.mean(year, axis=0)
        T_JLC = T_JLC + shift
    return (np.stack(year) + shift)[:, :, 0]


def imported(cases: HextorCases) -> NDArray[np.float64]:
    """Return (C, J) W/m² that diffusion brings to each belt."""
    D = diffusivity(
        Physics().diffusivity_W_m2_K, cases.co2_ppm * 1e-6, np.ones(len(cases))
    )[:, None]  # fmt: skip
    slope = np.diff(cases.temperature_K, axis=1) / np.diff(SINES)
    northward = np.pad(D * (1 - SINES_OF_EDGES[1:-1] ** 2) * slope, ((0, 0), (1, 1)))
    return np.diff(northward, axis=1) / WIDTHS


def longwave_terms(T: NDArray[np.floating], co2_ppm: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (…, F) what the coefficients of outgoing radiation multiply."""
    t, c = temperature_scale(T), radiation.co2_scale(co2_ppm)
    return np.stack([t**i * c**j for i, j in radiation.OLR_POWERS], axis=-1)


def albedo_terms(
    T: NDArray[np.floating],
    ground: NDArray[np.floating],
    cosine: NDArray[np.floating],
    co2_ppm: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Return (…, F) what the coefficients of the planetary albedo multiply."""
    factors = {"1": np.ones_like(T), "a": ground, "t": temperature_scale(T)}
    factors["c"] = np.broadcast_to(radiation.co2_scale(co2_ppm), T.shape)

    def product(term: str) -> NDArray[np.float64]:
        return np.prod([factors[letter] for letter in term], axis=0)

    weights = radiation.between_zeniths(np.broadcast_to(cosine, T.shape))
    at_zenith = [weight * product(term) for weight in weights for term in radiation.ALBEDO_TERMS]
    return np.stack([*at_zenith, *(product(term) for term in radiation.CO2_TERMS)], axis=-1)


def temperature_scale(T: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return t of the polynomials."""
    return (np.clip(T, radiation.COLDEST_K, radiation.HOTTEST_K) - radiation.CENTRE_K) / (
        radiation.SCALE_K
    )


def solve(name: str, terms: NDArray[np.floating], values: NDArray[np.floating]) -> None:
    """Set constants of `radiation` to their least squares, and say what is left.

    Ground is bright where it is cold: what tells both apart in the albedo is held near 0, unless
    the climates ask for it, so that grey ice under red stars is not extrapolated to.
    """
    held = np.zeros(terms.shape[1])
    if name == "ALBEDO":
        shape = len(radiation.ZENITHS_DEG), len(radiation.ALBEDO_TERMS)
        entangled = [term in ("aa", "at") for term in radiation.ALBEDO_TERMS]
        held[: np.prod(shape)] = HOLD * np.broadcast_to(entangled, shape).ravel()
    rows, targets = np.concatenate([terms, np.diag(held)]), np.append(values, np.zeros(len(held)))
    found, *_ = np.linalg.lstsq(rows, targets, rcond=1e-9)
    setattr(radiation, name, tuple(found))
    if name == "OLR_W_M2":
        left = terms @ found - values
        print(f"outgoing radiation, rms {left.std():.2f}, largest {np.abs(left).max():.2f} W/m2")


if __name__ == "__main__":
    main()
