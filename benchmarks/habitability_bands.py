"""Reads the cross-sections of `assay.habitability.spectra.table` off computed spectra; writes them.

    python benchmarks/habitability_bands.py FOLDER TABLE.py

FOLDER holds planet_spectra. CO2 first, which all spectra contain; then each of H2O, CH4 and O3 from
the spectra that hold it alone, at the even powers of ten; O2 from the Earth's effective height of
today, in the bins of its bands, the other gases kept. A bin's cross-section and a gas's spread are
those of a grid that leave the least. Prints what is left of the spectra that were not fitted, odd
powers of ten and pairs of gases among them.

Shapes: S spectra, W bins, X cross-sections tried, Q parts of a bin.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.habitability.spectra import table
from assay.habitability.spectra.bands import (
    GASES,
    N_BINS,
    O2_BANDS_UM,
    WAVELENGTHS_UM,
    WEIGHTS,
    cross_section_m2,
    rayleigh_m2,
    spread,
)
from assay.habitability.spectra.published import earth_atmosphere, read_earth, read_simulated
from assay.habitability.spectra.transmission import (
    PPM,
    Atmospheres,
    above_surface,
    transit_depth,
)

LOG10_X = np.arange(-34.0, -20.0, 0.05)
SPREADS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5)
NOTHING = -40.0


def main() -> None:
    """Read gas after gas, write the table, and print what is left."""
    folder = Path(sys.argv[1])
    given = read_simulated(folder)
    log10_m2: dict[str, tuple[float, ...]] = {}
    deviations: dict[str, float] = {}
    for gas in GASES:
        log10_m2[gas], deviations[gas] = (NOTHING,) * N_BINS, 0.0
    table.LOG10_M2, table.SPREAD = log10_m2, deviations
    for gas in ("CO2", "H2O", "CH4", "O3"):
        chosen = given.select(given.fitted(gas))
        radius = np.sqrt(chosen.depth) * chosen.star_m()[:, None]
        air = chosen.atmospheres()
        read_off(gas, air, radius - air.radius_m[:, None], SPREADS)
    height = read_earth(folder, "Earth_0.0Ga")[None] * 1e3
    read_off("O2", earth_atmosphere(), height, (deviations["H2O"],))
    bands = np.zeros(N_BINS, np.bool_)
    for low, high in O2_BANDS_UM:
        bands |= (low < WAVELENGTHS_UM) & (high > WAVELENGTHS_UM)
    log10_m2["O2"] = tuple(np.where(bands, log10_m2["O2"], NOTHING))
    Path(sys.argv[2]).write_text(source(log10_m2, deviations))
    for name in sorted(set(given.set_name)):
        chosen = given.select((given.set_name == name) & ~given.ever_fitted())
        if len(chosen):
            error = (transit_depth(chosen.atmospheres(), chosen.star_m()) - chosen.depth) * PPM
            size = (chosen.depth * PPM).std(axis=1).mean()
            print(f"{name}: {len(chosen)} spectra, rms {error.std():.1f} ppm of {size:.1f}")


def read_off(
    gas: str, air: Atmospheres, height_m: NDArray[np.floating], spreads: tuple[float, ...]
) -> None:
    """Put the cross-sections of a gas into the table: those whose heights are nearest."""
    others = np.zeros((len(WEIGHTS), *height_m.shape))
    others += (1 - air.mixing_ratio.sum(axis=1))[:, None] * rayleigh_m2()
    for g, name in enumerate(GASES):
        if name != gas:
            others += air.mixing_ratio[:, g, None] * cross_section_m2(name)[:, None]
    column, H = air.slant_column_m2()[:, None], air.scale_height_m()[:, None]
    own = air.mixing_ratio[:, GASES.index(gas), None]
    best = np.inf
    for deviation in spreads:
        tried_QX = spread(10.0**LOG10_X, deviation)
        left_XW = np.stack(
            [
                (((H * np.einsum("q,qsw->sw", WEIGHTS, above_surface(
                    column * (others + own * tried_Q[:, None, None])))) - height_m) ** 2).mean(0)
                for tried_Q in tried_QX.T
            ]
        )  # fmt: skip
        if np.nanmean(left_XW.min(axis=0)) < best:
            best = np.nanmean(left_XW.min(axis=0))
            found = LOG10_X[left_XW.argmin(axis=0)]
            table.LOG10_M2[gas], table.SPREAD[gas] = tuple(found), deviation  # type: ignore[index]
    print(f"{gas}: spread {table.SPREAD[gas]}, heights within {best**0.5 / 1e3:.2f} km, rms")


def source(log10_m2: dict[str, tuple[float, ...]], deviations: dict[str, float]) -> str:
    """Return the text of the module."""
    lines = [
        '"""Cross-sections of the bins of `assay.habitability.spectra.bands`.',
        "",
        "Written by `benchmarks/habitability_bands.py`.",
        '"""',
        "",
        "from collections.abc import Mapping",
        "",
        "LOG10_M2: Mapping[str, tuple[float, ...]] = {",
    ]
    for gas, values in log10_m2.items():
        lines.append(f'    "{gas}": (')
        for begin in range(0, N_BINS, 10):
            row = ", ".join(f"{value:.2f}" for value in values[begin : begin + 10])
            lines.append(f"        {row},")
        lines.append("    ),")
    lines += ["}  # fmt: skip", '"""Median of each bin; -40 stands for none."""']
    spreads = ", ".join(f'"{gas}": {value}' for gas, value in deviations.items())
    lines += [f"SPREAD: Mapping[str, float] = {{{spreads}}}"]
    lines += ['"""Standard deviation of ln(cross-section) within a bin."""', ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
