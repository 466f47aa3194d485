"""The page: suites' folders become one HTML file that needs nothing else, no network included."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from assay import __version__
from assay.errors import ConfigError, MachineError
from assay.report import sketch, wording
from assay.report.folders import read_folder
from assay.report.overview import contests
from assay.report.studies import FAMILY, is_study, study_context
from assay.report.suite import suite_context
from assay.result import write_bytes

ASSETS = Path(__file__).parent / "assets"
_SCRIPTS = ("tabs.js", "table.js", "charts.js", "figures.js", "viewer.js")
MOST_COMPARED = 300
"""Cells of a page up to which models are compared by every figure: it takes a while."""


def build(folders: Sequence[Path], out: Path) -> Path:
    """Make one self-contained HTML page of suites' published folders, and return its path.

    Several suites, or a study among them (`assay.report.studies`), make an overview and a page
    for each family. The same folders give the same bytes, but for the time in the page's head.

    Raises:
        ConfigError: there is no folder, or one is missing or empty, or `out` is a folder.
        DataError: a file in a folder is unreadable or corrupt.
        MachineError: the page cannot be written.
    """
    if not folders:
        raise ConfigError(
            "no suite to report: name a folder, such as runs/results/grid_mini, or one of ./results"
        )
    if out.is_dir():
        raise ConfigError(f"{out}: is a folder: give the HTML file to write")
    read = [read_folder(path) for path in folders if not is_study(path)]
    brief = sum(len(folder.results) for folder in read) > MOST_COMPARED
    suites = [suite_context(f"s{number}", of, brief) for number, of in enumerate(read, start=1)]
    studies = [
        study_context(f"t{number}", path)
        for number, path in enumerate(filter(is_study, folders), start=1)
    ]
    page = _page(suites, studies, datetime.now(UTC).isoformat(timespec="seconds"))
    try:
        write_bytes(out, page.encode())
    except OSError as error:
        raise MachineError(f"{out}: cannot be written ({error.strerror})") from error
    return out


def _page(
    suites: Sequence[Mapping[str, Any]], studies: Sequence[Mapping[str, Any]], generated: str
) -> str:
    from plotly.offline import get_plotlyjs

    code = "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    scripts = [get_plotlyjs(), f'"use strict";\n{code}']
    families = _families(suites, studies) if len(suites) > 1 or studies else []
    elements = {
        number
        for suite in suites
        for sketches in suite["sketches"].values()
        for molecule in sketches
        for number in molecule.numbers.tolist()
    }
    viewer = {
        "radii": {n: sketch.radius(n) for n in sorted(elements)},
        "colours": {n: sketch.colour(n) for n in sorted(elements)},
        "symbols": {n: sketch.SYMBOLS[n] for n in sorted(elements)},
    }
    return _environment().get_template("page.html").render(
        suites=suites,
        families=families,
        contests=contests(suites),
        cells=sum(len(suite["cells"]) for suite in suites),
        deep=int(bool(families)),
        generated=generated,
        version=__version__,
        style=Markup((ASSETS / "style.css").read_text(encoding="utf-8")),
        scripts=[Markup(script) for script in scripts],
        hashes=[_hash(script) for script in scripts],
        gradients=sketch.gradients(elements),
        data=_embedded(
            {
                "elements": viewer,
                "charts": {each["id"]: each["charts"] for each in (*suites, *studies)},
                "molecules": {k: v for suite in suites for k, v in suite["molecules"].items()},
            }
        ),
    )  # fmt: skip


def _families(
    suites: Sequence[Mapping[str, Any]], studies: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the families that have a page of their own, by name, each with what was run of it."""
    names = {suite["file"].family for suite in suites} | ({FAMILY} if studies else set())
    return [
        {
            "name": name,
            "suites": [suite for suite in suites if suite["file"].family == name],
            "studies": studies if name == FAMILY else [],
        }
        for name in sorted(names)
    ]


def _embedded(data: Mapping[str, Any]) -> Markup:
    """Return JSON that no HTML parser can leave: `<` never occurs in it."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        w=wording, svg=sketch.svg, pretty=lambda data: json.dumps(data, indent=1)
    )
    return environment
