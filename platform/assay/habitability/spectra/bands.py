"""Absorption of five gases in 96 bins, and scattering by N2.

What lines within a bin do, of which some are saturated and some are not, is a log-normal spread of
the cross-section, one to a gas; `table` has the median of each bin. Both are read off spectra that
others computed line by line (`benchmarks/habitability_bands.py`): those of H2O, CO2, CH4 and O3 off
TRAPPIST-1 e with CO2 and at most one gas more, at the even powers of ten of its mixing ratio; those
of O2 off the Earth's effective height of today, in the bins of its bands at 0.76 and 1.27 µm.
"""

import numpy as np
from numpy.typing import NDArray

from assay.habitability.spectra import table

GASES = ("H2O", "CO2", "CH4", "O3", "O2")
N_BINS = 96
EDGES_UM: NDArray[np.float64] = np.geomspace(0.70, 5.30, N_BINS + 1)
WAVELENGTHS_UM: NDArray[np.float64] = np.sqrt(EDGES_UM[1:] * EDGES_UM[:-1])
O2_BANDS_UM = ((0.745, 0.785), (1.23, 1.30))

RAYLEIGH_M2, RAYLEIGH_UM = 5.1e-31, 0.532
"""Cross-section of N2 there; Sneep and Ubachs, JQSRT 92, 293 (2005)."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
WEIGHTS: NDArray[np.float64] = _WEIGHTS / _WEIGHTS.sum()
"""(Q,) of the parts of a bin, from its gaps to its strongest lines."""


def cross_section_m2(gas: str) -> NDArray[np.floating]:
    """Return (Q, W) of a molecule, in each part of each bin."""
    return spread(10.0 ** np.array(table.LOG10_M2[gas]), table.SPREAD[gas])


def spread(median_m2: NDArray[np.floating], deviation: float) -> NDArray[np.floating]:
    """Return (Q, …) cross-sections around their median, log-normal with this deviation of ln."""
    return np.exp(deviation * _NODES).reshape(-1, *[1] * np.ndim(median_m2)) * median_m2


def rayleigh_m2() -> NDArray[np.float64]:
    """Return (W,) the scattering cross-section of N2."""
    return RAYLEIGH_M2 * (RAYLEIGH_UM / WAVELENGTHS_UM) ** 4


def binned(
    wavelength_um: NDArray[np.floating], values: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return (…, W) means of values (…, V) over the bins; NaN where a bin holds none."""
    place = np.digitize(wavelength_um, EDGES_UM) - 1
    member_VW = place[:, None] == np.arange(N_BINS)
    with np.errstate(invalid="ignore"):
        return values @ member_VW / member_VW.sum(axis=0)
