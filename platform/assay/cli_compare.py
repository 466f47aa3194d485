"""The command that compares the models of a suite."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console()


def compare(
    paths: Annotated[
        list[Path], typer.Argument(help="Folders of suites, or single results of cells.")
    ],
    figure: Annotated[
        str | None,
        typer.Option(
            help="What models are compared by, such as held_out/x_mse; by default what orders the "
            "leaderboard."
        ),
    ] = None,
    json_out: Annotated[
        Path | None, typer.Option("--json", help="Write JSON; - prints it, and nothing else.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write ranks, effects and fronts as one HTML page.")
    ] = None,
) -> None:
    """Compare models seed by seed: effects, paired differences, ranks, costs, seeds needed.

    Example: `assay compare results/grid_qm9 --figure edm/validity --page compared.html`
    """
    from assay.report.comparison import compare as compared
    from assay.report.comparison import document
    from assay.report.comparison_page import draw
    from assay.report.comparison_tables import tables
    from assay.report.leaderboard import headline, leaderboard
    from assay.result import read_named, write_json

    results = read_named(paths)
    found = compared(results, figure or headline(leaderboard(results, None)) or "a figure")
    if page is not None:
        draw(found, ", ".join(path.stem for path in paths), page)
    if json_out == Path("-"):
        typer.echo(json.dumps(document(found), indent=1, allow_nan=False))
        return
    if json_out is not None:
        write_json(json_out, document(found))
    for table in tables(found):
        console.print(table)
