"""Transmission spectra: the closed form, the instruments, and spectra that others computed."""

import numpy as np
import pytest

from assay.habitability.spectra.bands import GASES, N_BINS, WAVELENGTHS_UM, WEIGHTS, binned
from assay.habitability.spectra.instruments import INSTRUMENTS, noise_ppm
from assay.habitability.spectra.published import earth_atmosphere, read_earth, read_simulated
from assay.habitability.spectra.transmission import (
    PPM,
    Atmospheres,
    above_surface,
    effective_height_m,
    transit_depth,
)


def atmosphere(**ratios):
    one = np.ones(1)
    ratio = np.array([[ratios.get(gas, 0.0) for gas in GASES]])
    return Atmospheres(280 * one, 1e5 * one, ratio, 6e6 * one, 9 * one)


def test_the_effective_height_is_the_integral_over_rays():
    for depth in (0.01, 1.0, 50.0):
        z = np.linspace(0, 60, 600_001)
        stopped = np.trapezoid(1 - np.exp(-depth * np.exp(-z)), z)

        assert above_surface(np.array(depth)) == pytest.approx(stopped, rel=1e-4)


def test_an_airless_planet_has_no_height():
    assert above_surface(np.array([0.0, 1e-13])) == pytest.approx(0, abs=1e-10)
    assert WEIGHTS.sum() == pytest.approx(1)


@pytest.mark.parametrize(("gas", "band_um"), [("CO2", 4.3), ("CH4", 3.3), ("O3", 4.75),
                                              ("H2O", 2.67), ("O2", 0.762)])  # fmt: skip
def test_each_gas_is_seen_in_its_band(gas, band_um):
    amount = {"O2": 0.2}.get(gas, 1e-4)
    more = effective_height_m(atmosphere(**{gas: amount})) - effective_height_m(atmosphere())
    at = np.abs(WAVELENGTHS_UM - band_um).argmin()

    assert more[0, at] > 1_000
    assert more[0, at] > 4 * np.median(np.abs(more))


def test_lighter_gravity_and_smaller_stars_deepen_spectra():
    air = atmosphere(CO2=1e-2)
    heavy = Atmospheres(**{**vars(air), "gravity_m_s2": np.array([18.0])})

    assert effective_height_m(air).max() > 1.8 * effective_height_m(heavy).max()
    small, large = (np.ptp(transit_depth(air, np.array([R]))) for R in (8e7, 16e7))
    assert small == pytest.approx(4 * large)


def test_noise_is_that_of_the_reference_and_never_below_the_floor():
    ten = INSTRUMENTS["prism_10_transits"]
    sigma = noise_ppm(ten, np.array([2566.0, 5772.0]), np.array([0.1192, 1.0]))
    at = np.abs(WAVELENGTHS_UM - 1.6).argmin()

    assert sigma[0, at] == pytest.approx(np.hypot(30, 5))
    assert (sigma > ten.floor_ppm).all()
    assert (sigma[1] < sigma[0]).all()


def test_bins_are_means():
    fine = np.linspace(0.69, 5.4, 20_000)

    assert binned(fine, fine[None])[0] == pytest.approx(WAVELENGTHS_UM, rel=1e-3)


@pytest.mark.data
def test_spectra_of_trappist_1_e_that_were_not_fitted_are_near(assay_data):
    given = read_simulated(assay_data / "planet_spectra")
    others = given.select(~given.ever_fitted())
    error = (transit_depth(others.atmospheres(), others.star_m()) - others.depth) * PPM

    assert len(given) == 993
    assert given.depth.shape[1] == N_BINS
    assert len(others) > 900
    assert error.std() < 15  # of 45 ppm that they vary by
    ours = error / PPM + others.depth
    correlation = [np.corrcoef(a, b)[0, 1] for a, b in zip(ours, others.depth, strict=True)]
    assert np.median(correlation) > 0.9


@pytest.mark.data
def test_the_earth_is_near(assay_data):
    observed = read_earth(assay_data / "planet_spectra", "Earth_0.0Ga")
    ours = effective_height_m(earth_atmosphere())[0] / 1e3

    known = np.isfinite(observed)
    assert np.corrcoef(ours[known], observed[known])[0, 1] > 0.7
