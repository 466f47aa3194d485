"""A planet as inline SVG: a map of its temperature, and its spectrum with the noise.

They are drawn here and not by the page, so that they print, need no script, and are read aloud by
their title and description; a table beside each holds the same numbers. All maps of a page have one
scale, so that their colours compare.

Shapes: J latitudes, L longitudes, W bins.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from assay.habitability.figures import PlanetFile, ShownPlanet
from assay.report.plain_tables import PlainTable

COLOURS = ((49, 84, 166), (116, 173, 209), (240, 240, 214), (244, 157, 80), (165, 0, 38))
"""From cold to hot, evenly spaced; as red, green and blue of 255."""
STEP_K = 20.0
"""Ends of a scale, and its numbers, are multiples of it."""
_LEFT, _TOP, _WIDTH, _HEIGHT = 40.0, 10.0, 264.0, 132.0
"""SVG units: margins left of and above what is drawn, and its size."""
_PARALLELS, _MERIDIANS = (-60, -30, 0, 30, 60), (0, 90, 180, 270)
_BAR, _STOPS, _MOST_TICKS = 8.0, 24, 6
"""SVG units: height of a scale's bar, its patches; ticks of an axis at most."""


@dataclass(frozen=True)
class Scale:
    """Temperatures as colours."""

    low_K: float
    high_K: float

    @classmethod
    def of(cls, temperatures_K: Iterable[float]) -> "Scale":
        """Return the scale, from and to a multiple of `STEP_K`, that holds them all."""
        values = list(temperatures_K)
        low = STEP_K * math.floor(min(values) / STEP_K)
        return cls(low, max(STEP_K * math.ceil(max(values) / STEP_K), low + STEP_K))

    def colour(self, value_K: float) -> str:
        """Return the colour of a temperature, as hexadecimal digits."""
        place = (value_K - self.low_K) / (self.high_K - self.low_K) * (len(COLOURS) - 1)
        k = min(int(place), len(COLOURS) - 2)
        ends = zip(COLOURS[k], COLOURS[k + 1], strict=True)
        return "#" + "".join(f"{round(a + (b - a) * (place - k)):02x}" for a, b in ends)

    def ticks(self) -> list[float]:
        """Return the numbers that stand at the scale."""
        return ticks(self.low_K, self.high_K)


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers from low to high, at most `_MOST_TICKS`."""
    rough = (high - low) / (_MOST_TICKS - 1) or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def temperature_map(
    planet: ShownPlanet, file: PlanetFile, scale: Scale, identity: str
) -> Markup | None:
    """Return the map, north above; None of a planet without one.

    Args:
        planet: What to draw.
        file: In which it stands.
        scale: That of all maps of the page.
        identity: Of this drawing in the page.
    """
    if planet.temperature_K is None:
        return None
    J, L = len(file.latitudes_deg), len(file.longitudes_deg)
    across, down = _WIDTH / L, _HEIGHT / J
    places = "".join(
        f'<rect x="{_LEFT + k * across:.1f}" y="{_TOP + (J - 1 - j) * down:.1f}" '
        f'width="{across + 0.2:.1f}" height="{down + 0.2:.1f}" fill="{scale.colour(value)}"/>'
        for j, row in enumerate(planet.temperature_K)
        for k, value in enumerate(row)
    )
    parallels = "".join(
        _label(_LEFT - 4, _TOP + (90 - degrees) / 180 * _HEIGHT + 3.5, _latitude(degrees), "end")
        for degrees in _PARALLELS
    )
    meridians = "".join(
        _label(_LEFT + (degrees / 360 * L + 0.5) * across, _TOP + _HEIGHT + 13, f"{degrees}°")
        for degrees in _MERIDIANS
    )
    inside = places + parallels + meridians + _scale_bar(scale, _TOP + _HEIGHT + 24)
    title, told = f"Map of {planet.name}", described(planet, file)
    return _svg("map", identity, title, told, inside, _TOP + _HEIGHT + 50)


def described(planet: ShownPlanet, file: PlanetFile) -> str:
    """Return in a sentence what a map shows."""
    assert planet.temperature_K is not None
    field_JL = np.array(planet.temperature_K)

    def where(place: np.integer) -> str:
        j, k = divmod(int(place), field_JL.shape[1])
        return (
            f"{field_JL[j, k]:.0f} K at {_latitude(file.latitudes_deg[j])}, "
            f"{file.longitudes_deg[k]:.0f}°"
        )

    return (
        f"mean temperature of the surface over the year, {mean_K(planet):.0f} K by area, "
        f"from {where(field_JL.argmin())} to {where(field_JL.argmax())}"
    )


def mean_K(planet: ShownPlanet) -> float:
    """Return the mean over the area of a planet that has a map, of belts that are equally wide."""
    rows_JL = np.array(planet.temperature_K)
    edges = np.sin(np.radians(np.linspace(-90, 90, len(rows_JL) + 1)))
    return float(np.diff(edges) / 2 @ rows_JL.mean(axis=1))


def map_table(planet: ShownPlanet, file: PlanetFile) -> PlainTable:
    """Return the same numbers as a table, from north to south."""
    rows = [
        (_latitude(latitude), *(f"{value:.0f}" for value in row))
        for latitude, row in zip(file.latitudes_deg, planet.temperature_K or (), strict=True)
    ]
    heads = ("latitude", *(f"{degrees:.0f}°" for degrees in file.longitudes_deg))
    title = f"{planet.name}: mean temperature of the year by latitude and longitude, K"
    return PlainTable(title, heads, rows[::-1])


def spectrum(planet: ShownPlanet, file: PlanetFile, identity: str) -> Markup | None:
    """Return the spectrum with one sigma of its noise to both sides; None of a planet without."""
    if planet.depth_ppm is None or planet.sigma_ppm is None:
        return None
    columns = (file.wavelengths_um, planet.depth_ppm, planet.sigma_ppm)
    wave_W, depth_W, sigma_W = map(np.array, columns)
    low, high = float((depth_W - sigma_W).min()), float((depth_W + sigma_W).max())
    begin, end = float(wave_W[0]), float(wave_W[-1])

    def x(wave: float) -> float:
        return _LEFT + (wave - begin) / (end - begin) * _WIDTH

    def y(depth: float) -> float:
        return _TOP + (high - depth) / (high - low or 1.0) * _HEIGHT

    def points(depths: Sequence[float], back: bool = False) -> list[str]:
        made = [f"{x(w):.1f} {y(d):.1f}" for w, d in zip(wave_W.tolist(), depths, strict=True)]
        return made[::-1] if back else made

    band = [*points((depth_W + sigma_W).tolist()), *points((depth_W - sigma_W).tolist(), back=True)]
    lines = [
        f'<path class="noise" d="M{"L".join(band)}Z"/>',
        f'<path class="line" d="M{"L".join(points(depth_W.tolist()))}"/>',
    ]
    for depth in ticks(low, high):
        lines.append(
            f'<path class="grid" d="M{_LEFT:.1f} {y(depth):.1f}h{_WIDTH:.0f}"/>'
            + _label(_LEFT - 4, y(depth) + 3.5, f"{depth:g}", "end")
        )
    lines += [_label(x(wave), _TOP + _HEIGHT + 13, f"{wave:g}") for wave in ticks(begin, end)]
    lines.append(_label(_LEFT + _WIDTH / 2, _TOP + _HEIGHT + 28, "wavelength, µm"))
    lines.append(_label(0, _TOP - 2, "ppm", "start"))
    told = (
        f"transit depth less its mean, from {depth_W.min():.3g} to {depth_W.max():.3g} ppm between "
        f"{begin:g} and {end:g} µm; one sigma of the noise is {np.median(sigma_W):.3g} ppm in the "
        "median bin"
    )
    title = f"Spectrum of {planet.name}"
    return _svg("spectrum", identity, title, told, "".join(lines), _TOP + _HEIGHT + 36)


def spectrum_table(planet: ShownPlanet, file: PlanetFile) -> PlainTable:
    """Return the same numbers as a table."""
    columns = (file.wavelengths_um, planet.depth_ppm or (), planet.sigma_ppm or ())
    rows = [(f"{w:.3f}", f"{d:.4g}", f"{s:.4g}") for w, d, s in zip(*columns, strict=True)]
    heads = ("wavelength, µm", "transit depth less its mean, ppm", "sigma, ppm")
    return PlainTable(f"{planet.name}: spectrum", heads, rows)


def _scale_bar(scale: Scale, top: float) -> str:
    patch, span = _WIDTH / _STOPS, scale.high_K - scale.low_K
    bar = [
        f'<rect x="{_LEFT + k * patch:.1f}" y="{top:.1f}" width="{patch + 0.2:.1f}" '
        f'height="{_BAR:.0f}" fill="{scale.colour(scale.low_K + (k + 0.5) / _STOPS * span)}"/>'
        for k in range(_STOPS)
    ]
    numbers = [
        _label(_LEFT + (value - scale.low_K) / span * _WIDTH, top + _BAR + 12, f"{value:.0f}")
        for value in scale.ticks()
    ]
    return "".join([*bar, *numbers, _label(_LEFT - 4, top + _BAR, "K", "end")])


def _latitude(degrees: float) -> str:
    return f"{abs(degrees):.0f}°{'N' if degrees > 0 else 'S' if degrees < 0 else ''}"


def _label(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(kind: str, identity: str, title: str, told: str, inside: str, height: float) -> Markup:
    return Markup(
        f'<svg class="planet {kind}" role="img" viewBox="0 0 {_LEFT + _WIDTH + 10:.0f} '
        f'{height:.0f}" aria-labelledby="{identity}-t {identity}-d">'
        f'<title id="{identity}-t">{escape(title)}</title>'
        f'<desc id="{identity}-d">{escape(told)}</desc>{inside}</svg>'
    )
