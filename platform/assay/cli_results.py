"""The commands about results: show one, make it again, make a page of many."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli_options import (
    AsJSON,
    CellKey,
    Published,
    Storage,
    aside,
    console,
    print_json,
)
from assay.cli_train import stopped_with_its_state_saved

if TYPE_CHECKING:
    from assay.lookup import Stored


def show(
    cell: CellKey,
    as_json: AsJSON = False,
    storage: Storage = Path("runs"),
    published: Published = Path("results"),
) -> None:
    """Show a cell: what it is, how far it is, its estimates, its cost, where they come from.

    Cells are looked for in the run store and in suites' published folders.

    Example: `assay show 29d4`

    Example: `assay show 29d4abe38306a4c2 --json`
    """
    from assay.lookup import find
    from assay.report import shown

    stored = find(cell, storage, published)
    if as_json:
        print_json(_plain(stored))
        return
    for part in shown.parts(stored):
        console.print(part)


def card(
    cell: CellKey,
    out: Annotated[
        Path | None, typer.Option(help="The Markdown file to write; by default it is printed.")
    ] = None,
    as_json: AsJSON = False,
    storage: Storage = Path("runs"),
    published: Published = Path("results"),
) -> None:
    """Write the model card of a finished cell, from its result and nothing else.

    Example: `assay card 29d4abe38306a4c2 --out README.md`
    """
    from assay.lookup import find, reference_of, result_of
    from assay.report.card import card as written
    from assay.result import write_bytes

    stored = find(cell, storage, published)
    result = result_of(stored)
    folder = stored.path if stored.path.is_dir() else None
    text = written(result, reference_of(stored, storage), folder)
    if out is not None:
        write_bytes(out, text.encode())
    if as_json:
        print_json({"cell_key": stored.key, "card": text, "path": str(out) if out else None})
    elif out is None:
        typer.echo(text, nl=False)
    else:
        typer.echo(out)


def reproduce(
    result: Annotated[Path, typer.Argument(help="RESULT.json, as `assay train` or a suite wrote.")],
    storage: Annotated[
        Path,
        typer.Option(envvar="ASSAY_RUNS", help="The run store; it is computed in reproductions/."),
    ] = Path("runs"),
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; by default what it was made on.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads; by default as it was made.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option(help="Compute again, even if this code has done so already.")
    ] = False,
    as_json: AsJSON = False,
) -> None:
    """Compute a result again from its cell, and hold every estimate against the published one.

    Each is the same bits, inside the published 95 % interval, or outside; what is not as it was
    (packages, code, device) is said. The data must have the published digest. Ctrl-C saves the
    state and stops; the same command carries on.

    Example: `assay reproduce results/grid_qm9/29d4abe38306a4c2.json`
    """
    from assay import reproduction
    from assay.report.reproduced import table
    from assay.runner import cell_directory
    from assay.watch import progress_bar

    request = reproduction.prepare(result, device, threads)
    for remark in request.remarks:
        aside.print(f"not as it was: {remark}", highlight=False, markup=False, soft_wrap=True)
    place = storage / "reproductions"
    folder = cell_directory(place, request.cell.key)
    with progress_bar(aside) as watch, stopped_with_its_state_saved(folder) as stop:
        again = reproduction.run(
            request, place, stop.watching(watch), fresh=fresh, manner=stop.manner
        )
    found = reproduction.compare(request.published, again)
    if as_json:
        print_json(reproduction.document(found, request.remarks))
    else:
        console.print(table(found))
        typer.echo(folder / "result.json")
    raise typer.Exit(0 if found.confirmed else 1)


def report(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Suite folders; by default all of ./results.")
    ] = None,
    suite: Annotated[
        list[str] | None, typer.Option(help="Only these suites of ./results; may be repeated.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
    as_json: AsJSON = False,
) -> None:
    """Make one self-contained HTML page from result files.

    Example: `assay report runs/results/grid_mini --out report.html`
    """
    from assay.config import choose
    from assay.report import build
    from assay.report.studies import FILES, is_study
    from assay.result import KEY

    made = (path for name in FILES for path in Path("results").glob(f"*/{name}"))
    chosen = folders or sorted({path.parent for path in made})
    if suite:
        wanted = {choose("suite", name, [folder.name for folder in chosen]) for name in suite}
        chosen = [folder for folder in chosen if folder.name in wanted]
    path = build(chosen, out)
    if as_json:
        # A study's results lie in the folders of its arms.
        below = {folder: "*/*.json" if is_study(folder) else "*.json" for folder in chosen}
        names = {file.stem for folder, files in below.items() for file in folder.glob(files)}
        print_json({"path": str(path), "cells": len(list(filter(KEY.fullmatch, names)))})
    else:
        typer.echo(path)


def plot(
    folder: Annotated[Path, typer.Argument(help="A suite's folder of results.")],
    out: Annotated[Path, typer.Option(help="The file to write: .svg, .pdf or .png.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(help="A panel, such as edm/validity; by default what orders the leaderboard."),
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Draw a suite's models with their intervals, and say what has to stand below the figure.

    Example: `assay plot results/factorial_qm9 --metric edm/atom_stability --out figure.pdf`
    """
    from assay.report.folders import read_folder
    from assay.report.plot import plot as drawn

    caption = drawn(read_folder(folder), metric or (), out)
    if as_json:
        print_json({"path": str(out), "caption": caption})
    else:
        typer.echo(caption)


def _plain(stored: "Stored") -> dict[str, Any]:
    found: dict[str, Any] = {
        "cell_key": stored.key,
        "state": stored.state,
        "path": str(stored.path),
        "cell": stored.cell,
    }
    if stored.result is not None:
        plain = stored.result.model_dump(mode="json")
        return found | {name: plain[name] for name in ("estimates", "cost", "provenance")}
    return found | {
        "reason": stored.reason or None,
        "spent": stored.spent,
        "saved_step": stored.saved_step,
        "last_row": stored.last_row,
    }
