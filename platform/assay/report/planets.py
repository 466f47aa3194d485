"""The figures of a suite of planets: what was read and foretold, how surely, by which modalities.

They are made of the files that `assay.habitability.figures` describes. Each planet is drawn once,
whatever the number of models that foretell it; figures of several seeds are their means.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from markupsafe import Markup

from assay.config import validate
from assay.errors import ConfigError, DataError
from assay.habitability.data.modalities import MODALITIES, PARAMETERS
from assay.habitability.figures import (
    ModalityFile,
    PlanetFile,
    ReliabilityFile,
    ShownPlanet,
)
from assay.habitability.metrics.habitability import BINS
from assay.report.folders import Folder
from assay.report.leaderboard import Row, cells_by_model, representatives
from assay.report.plain_tables import PlainTable
from assay.report.planet_drawing import (
    Scale,
    map_table,
    spectrum,
    spectrum_table,
    temperature_map,
)
from assay.report.reliability import Bin, reliability_lines, reliability_table
from assay.report.wording import name_title
from assay.result import read_plain, read_settings
from assay.task import Estimate

FAMILY = "habitability"
MOST_DRAWN = 8
"""Planets; the page says how many are left out."""
_TOLD = ("model", "foretold", "chance of a half or more", "off by", "seeds")
_CONTROLS = {
    "without": "Rise of the mean absolute error where a modality is hidden",
    "shuffled": "Rise of the mean absolute error where a modality is another planet's",
}


@dataclass(frozen=True)
class Planet:
    """A planet, drawn."""

    name: str
    habitability: str
    map: Markup | None
    spectrum: Markup | None
    words: str
    lacks: Sequence[str]
    """The titles of the modalities that it has not."""
    told: PlainTable
    tables: Sequence[PlainTable]


@dataclass(frozen=True)
class PlanetFigures:
    """What the page shows of a suite; what a cell lacks is left out."""

    planets: Sequence[Planet]
    left_out: int
    """Planets that are not drawn."""
    controls: Sequence[PlainTable]
    """Rises of the error, a row a model."""
    subsets: Sequence[PlainTable]
    """A table for every model that reads more than one modality."""
    reliability: PlainTable | None
    charts: Mapping[str, Any]
    """`reliability`, for `assets/charts.js`."""


@dataclass(frozen=True)
class _Model:
    """The cells of a model: its seeds."""

    name: str
    keys: Sequence[str]


def planet_figures(
    identity: str, folder: Folder, rows: Sequence[Row], named: Mapping[str, str]
) -> PlanetFigures | None:
    """Return the figures of a suite; None of another family.

    Args:
        identity: Prefix of the suite's anchors in the page.
        folder: The suite.
        rows: Of its leaderboard.
        named: Names of cells, by key.

    Raises:
        DataError: a file breaks its schema; names the file and the key.
    """
    if folder.suite.family != FAMILY:
        return None
    cells = cells_by_model(rows)
    models = [
        _Model(named[str(of[0].cell_key)], [str(row.cell_key) for row in of])
        for of in cells.values()
    ]
    found = _planets(folder, models)
    drawn = list(found.values())[:MOST_DRAWN]
    maps = [one.temperature_K for one, _, _ in drawn if one.temperature_K is not None]
    scale = Scale.of([value for rows in maps for row in rows for value in row]) if maps else None

    def bins(key: str) -> list[Bin]:
        return [(b.records, b.probability, b.share) for b in _bins(folder, key)]

    lines = list(reliability_lines(folder, cells.values(), named, bins, BINS))
    return PlanetFigures(
        planets=[
            _planet(f"{identity}-planet{k}", *one, scale) for k, one in enumerate(drawn, start=1)
        ],
        left_out=len(found) - len(drawn),
        controls=list(_controls(representatives(rows), named, cells)),
        subsets=list(_subsets(folder, models)),
        reliability=reliability_table(lines, "habitable among these", "records"),
        charts={"reliability": lines},
    )


_Foretold = dict[str, list[ShownPlanet]]
"""What each model says of a planet, seed by seed."""


def _planets(
    folder: Folder, models: Sequence[_Model]
) -> dict[int, tuple[ShownPlanet, PlanetFile, _Foretold]]:
    """Return by record the planet, a file in which it stands, and what every model says of it."""
    found: dict[int, tuple[ShownPlanet, PlanetFile, _Foretold]] = {}
    for model in models:
        for key in model.keys:
            path = folder.path / f"{key}.planets.json"
            if not path.exists():
                continue
            file = read_settings(PlanetFile, path)
            for one in file.planets:
                _, _, told = found.setdefault(one.record, (one, file, {}))
                told.setdefault(model.name, []).append(one)
    return found


def _planet(
    identity: str, one: ShownPlanet, file: PlanetFile, told: _Foretold, scale: Scale | None
) -> Planet:
    drawn = temperature_map(one, file, scale, f"{identity}-map") if scale else None
    seen = spectrum(one, file, f"{identity}-spectrum")
    has = (one.network, drawn, seen, one.words, one.parameters)
    tables = [PlainTable(f"{one.name}: what else is read", ("what", "value"), list(_rest(one)))]
    tables += [map_table(one, file)] if drawn else []
    tables += [spectrum_table(one, file)] if seen else []
    return Planet(
        name=one.name,
        habitability=f"{one.habitability:.3f}",
        map=drawn,
        spectrum=seen,
        words=one.words,
        lacks=[name_title(m) for m, own in zip(MODALITIES, has, strict=True) if not own],
        told=PlainTable(
            f"{one.name}: habitability {one.habitability:.3f}, as it was foretold",
            _TOLD,
            [_said(model, seeds) for model, seeds in told.items()],
        ),
        tables=[table for table in tables if table.rows],
    )


def _said(model: str, seeds: Sequence[ShownPlanet]) -> tuple[str, ...]:
    foretold = fmean(one.foretold for one in seeds)
    return (
        model, f"{foretold:.3f}", f"{fmean(one.habitable for one in seeds):.1%}",
        f"{foretold - seeds[0].habitability:+.3f}", f"{len(seeds)}",
    )  # fmt: skip


def _rest(one: ShownPlanet) -> Iterator[tuple[str, str]]:
    """Yield the metabolic network and the parameters, if it has them."""
    if one.network:
        yield "metabolic network", one.network
    for quantity, value in zip(PARAMETERS, one.parameters or (), strict=False):
        yield name_title(quantity.name), f"{value:g} {quantity.unit}".rstrip()


def _controls(
    models: Sequence[Row], named: Mapping[str, str], cells: Mapping[str, Sequence[Row]]
) -> Iterator[PlainTable]:
    """Yield a table of rises for what is hidden, and one for what is another planet's."""
    heads = ("model", *(name_title(modality) for modality in MODALITIES))
    for control, title in _CONTROLS.items():
        rows = []
        for row in models:
            own = [row.estimates.get(f"modalities/{control}_{m}") for m in MODALITIES]
            if any(each is not None for each in own):
                name = named[str(cells[row.group][0].cell_key)]
                rows.append((name, *(_rise(each) for each in own)))
        if rows:
            yield PlainTable(title, heads, rows, "a dash is what a model does not read")


def _rise(found: Estimate | None) -> str:
    return f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]" if found else "–"


def _subsets(folder: Folder, models: Sequence[_Model]) -> Iterator[PlainTable]:
    """Yield of each model that joins modalities what every set of them tells, the best first."""
    heads = ("what is read", "MAE", "R²", "seeds")
    for model in models:
        files = list(_modalities(folder, model))
        if not files or sum(name.startswith("modalities/without_") for name in files[0].rises) < 2:
            continue
        told: dict[tuple[str, ...], list[tuple[float, float]]] = {}
        for subset in (each for file in files for each in file.subsets):
            own = told.setdefault(tuple(subset.modalities), [])
            own.append((subset.mae.value, subset.r2.value))
        rows = []
        for names, own in told.items():
            mae, r2 = (fmean(each) for each in zip(*own, strict=True))
            rows.append((mae, (_read(names), f"{mae:.4f}", f"{r2:+.3f}", f"{len(own)}")))
        yield PlainTable(model.name, heads, [row for _, row in sorted(rows)])


def _read(names: Sequence[str]) -> str:
    if len(names) == len(MODALITIES):
        return "everything"
    return ", ".join(map(name_title, names)) or "nothing"


def _modalities(folder: Folder, model: _Model) -> Iterator[ModalityFile]:
    for key in model.keys:
        path = folder.path / f"{key}.modalities.json"
        if path.exists():
            yield read_settings(ModalityFile, path)


def _bins(folder: Folder, key: str) -> Sequence[Any]:
    """Return the bins of a cell's diagram, which is a bare list."""
    path = folder.path / f"{key}.reliability.json"
    if not path.exists():
        return ()
    try:
        return validate(ReliabilityFile, {"bins": read_plain(path)}, str(path)).bins
    except ConfigError as error:
        raise DataError(str(error)) from error
