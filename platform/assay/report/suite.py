"""What the page's templates show of one suite."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.report import laws as scaling_laws
from assay.report import sketch
from assay.report.charts import chart_data, places
from assay.report.cross_validation import cross_validation
from assay.report.differences import differences
from assay.report.distributions import distribution_figures
from assay.report.folders import Folder
from assay.report.leaderboard import (
    Row,
    best_and_rivals,
    contenders,
    headline,
    in_order,
    leaderboard,
    metric_names,
    no_worse,
    representatives,
)
from assay.report.notes import notes, seeds_note
from assay.report.pathways import pathway_figures
from assay.report.planets import planet_figures
from assay.report.told_apart import names
from assay.report.wording import count_text
from assay.result import Result


def suite_context(identity: str, folder: Folder, brief: bool = False) -> dict[str, Any]:
    """Return the variables of `assets/suite.html`.

    Args:
        identity: prefix of the suite's anchors in the page.
        folder: the suite.
        brief: compare models by the figure that orders them only.
    """
    rows = leaderboard(folder.results, folder.reference, folder.external)
    shown = [row for row in rows if row.kind != "reference"]
    models = [row for row in shown if row.kind != "external"]
    reference = next((row for row in rows if row.kind == "reference"), None)
    main = representatives(models)
    metrics = metric_names(folder.results, folder.reference)
    trained, floors = contenders(main), [row for row in main if row.is_floor]
    first = headline(trained)
    leaders = {metric: best_and_rivals(trained, metric) for metric in metrics}
    beside = [*trained, *(row for row in shown if row.kind == "external")]
    of_all = {metric: best_and_rivals(beside, metric) for metric in metrics}
    folds = cross_validation(folder)
    found = differences(folder.results, metrics, first, brief) if folds is None else []
    laws = scaling_laws.read_laws(folder.path)
    named = names(folder.results)
    pathways = pathway_figures(identity, folder, rows, named)
    planets = planet_figures(identity, folder, rows, named)
    distributions = distribution_figures(folder, rows, named)
    return {
        "id": identity,
        "file": folder.suite,
        "digests": sorted({str(result.cell["data"]["digest"]) for result in folder.results}),
        "facts": _facts(folder),
        "notes": notes(folder),
        "seeds_note": seeds_note(folder.results),
        "metrics": metrics,
        "protocols": _protocols(rows, metrics),
        "headline": first,
        "has_floors": bool(floors),
        "leaders": leaders,
        "floors_aside": bool(floors) and not trained[0].is_floor,
        "floors_ahead": _floors_ahead(floors, leaders, first),
        "rows": [(row, _marks(row, of_all)) for row in shown],
        "external": {f"external-{each.slug}": each for each in folder.external},
        "reference": reference,
        "reference_estimates": reference.estimates if reference else {},
        "several_seeds": any(row.kind == "mean" for row in rows),
        "heat": _heat(folder, main, metrics),
        "differences": found,
        "laws": [_law(law) for law in laws],
        "charts": {
            **chart_data(folder, rows),
            "effects": {each.metric: each.chart for each in found},
            "laws": [scaling_laws.chart(law) for law in laws],
            **(pathways.charts if pathways else {}),
            **(planets.charts if planets else {}),
            **(distributions.charts if distributions else {}),
        },
        "places": lambda variant: places(variant, folder.suite.grid),
        "cells": in_order(folder.results, models),
        "groups": {row.cell_key: row.group for row in rows if row.cell_key},
        "names": named,
        **_provenance(folder),
        **_samples(identity, folder),
        "distributions": distributions,
        "pathways": pathways,
        "planets": planets,
        "folds": folds,
    }


def _provenance(folder: Folder) -> dict[str, Any]:
    return {
        "commands": {r.provenance.cell_key: _command(folder, r) for r in folder.results},
        "reference_command": shlex.join(
            ["python", "jobs/benchmark_grid.py", "--suite", str(_shown_path(folder) / "suite.json")]
        ),
        "reference_provenance": folder.reference.provenance if folder.reference else {},
    }


def _samples(identity: str, folder: Folder) -> dict[str, Any]:
    return {
        "is_drawn": folder.is_drawn,
        "holds_crystals": folder.holds_crystals,
        "sketches": folder.sketches,
        "captions": folder.captions,
        "molecules": {
            f"{identity}-{key}": [sketch.viewer_data(molecule) for molecule in sketches]
            for key, sketches in folder.sketches.items()
        },
    }


def _floors_ahead(
    floors: Sequence[Row],
    leaders: Mapping[str, tuple[Row | None, list[Row]]],
    metric: str | None,
) -> list[Row]:
    """Return the floors that the best trained model is no better than."""
    best = leaders[metric][0] if metric else None
    if metric is None or best is None or best.is_floor:
        return []
    return no_worse(floors, metric, best)


def _law(law: scaling_laws.NamedLaw) -> dict[str, Any]:
    return {
        "title": law.title,
        "law": law.law,
        "refusals": scaling_laws.refusals(law),
        "tables": list(scaling_laws.tables(law)),
        "command": scaling_laws.command(law),
    }


def _protocols(rows: Iterable[Row], metrics: Sequence[str]) -> list[tuple[str, list[str], int]]:
    """Return each protocol with its versions and the number of its metrics."""
    versions: dict[str, set[str]] = {name.rpartition("/")[0]: set() for name in metrics}
    for row in rows:
        for name, estimate in row.estimates.items():
            if name in metrics:  # an external entry may have others
                versions[name.rpartition("/")[0]].add(estimate.version)
    return [
        (protocol, sorted(found), sum(m.rpartition("/")[0] == protocol for m in metrics))
        for protocol, found in versions.items()
    ]


def _marks(row: Row, leaders: Mapping[str, tuple[Row | None, list[Row]]]) -> dict[str, str]:
    """Return in which metrics a row is the best, or cannot be told from it."""
    marks = {}
    for metric, (best, rivals) in leaders.items():
        if best is row:
            marks[metric] = "best"
        elif any(rival is row for rival in rivals):
            marks[metric] = "tied"
    return marks


def _heat(folder: Folder, rows: Sequence[Row], metrics: Sequence[str]) -> dict[str, Any] | None:
    """Return the first axis × the second, one table a metric; None for another shape, or a ladder.

    Shades run from the lowest bound of any interval to the highest, so that what differs by less
    than its intervals hardly differs in shade.
    """
    grid = folder.suite.grid
    if len(grid) != 2 or not metrics or any(row.apart for row in rows):
        return None
    (first, vertical), (second, horizontal) = grid.items()
    shades: dict[str, dict[str, float]] = {}
    for metric in metrics:
        found = {row.group: row.estimates[metric] for row in rows if metric in row.estimates}
        low = min((estimate.low for estimate in found.values()), default=0.0)
        span = max((estimate.high for estimate in found.values()), default=0.0) - low or 1.0
        shades[metric] = {group: (e.value - low) / span for group, e in found.items()}
    return {
        "axes": (first, second),
        "vertical": vertical,
        "horizontal": horizontal,
        "at": {(row.variant.get(first), row.variant.get(second)): row for row in rows},
        "shades": shades,
    }


def _facts(folder: Folder) -> list[tuple[str, str]]:
    """Return what the head of a suite says, as names and texts."""
    results, suite = folder.results, folder.suite
    made = [result.provenance for result in results]
    budget = "; ".join(f"{amount:,.0f} {u}" for u, amount in suite.budget.items() if amount)
    packages = {f"{name} {of.packages[name]}" for of in made for name in of.packages}
    days = sorted({of.created_utc[:10] for of in made})
    return [
        ("Suite", suite.name),
        ("Cells", f"{len(results):,} of {len(results) + len(folder.missing):,} finished"),
        ("Data", _each(of.data_description for of in made)),
        ("Data digest", _each(str(result.cell["data"]["digest"])[:16] for result in results)),
        ("Budget", f"{budget} a cell"),
        ("Seeds", ", ".join(map(str, sorted({result.cell["seed"] for result in results})))),
        ("Protocol", _each(of.protocol for of in made)),
        ("Hardware", _each(f"{of.device}, {count_text(of.threads, 'thread')}" for of in made)),
        ("Machine", _each(of.machine for of in made)),
        ("Code", _each(f"assay {of.assay_version}, commit {(of.git_commit or 'unknown')[:10]}"
                       for of in made)),
        ("Packages", ", ".join(sorted(packages))),
        ("Computed", " to ".join(dict.fromkeys([days[0], days[-1]]))),
    ]  # fmt: skip


def _each(texts: Iterable[str]) -> str:
    return "; ".join(sorted(set(texts)))


def _command(folder: Folder, result: Result) -> str:
    """Return the commands that make a result again, from the suite as it was run."""
    path = str(_shown_path(folder) / "suite.json")
    seed, words = result.cell["seed"], ["assay", "train", path, "--cell"]
    called = [(each.label, each.cell["seed"]) for each in folder.results]
    if folder.suite.ladder is not None:
        words.append(result.provenance.cell_key)
    elif called.count((result.label, seed)) > 1:  # a control of another: its name is not enough
        file = _shown_path(folder) / f"{result.provenance.cell_key}.json"
        words = ["assay", "reproduce", str(file)]
    else:
        words.append(result.label)
        words += ["--set", f"seeds=[{seed}]"] if folder.suite.seeds[:1] != [seed] else []
    commit = result.provenance.git_commit
    return (f"git checkout {commit[:10]}\n" if commit else "") + shlex.join(words)


def _shown_path(folder: Folder) -> Path:
    """Return the path of a suite as a reader would type it here."""
    path = folder.path
    within = path.is_absolute() and path.is_relative_to(Path.cwd())
    return path.relative_to(Path.cwd()) if within else path
