"""The command that compares the models of a suite."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console()


def compare(
    folder: Annotated[Path, typer.Argument(help="A suite's folder of results.")],
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

    Example: `assay compare results/factorial_qm9 --figure held_out/x_mse --page compared.html`
    """
    from assay.errors import ConfigError
    from assay.report.comparison import compare as compared
    from assay.report.comparison import document
    from assay.report.comparison_page import draw
    from assay.report.comparison_tables import tables
    from assay.report.folders import read_folder
    from assay.report.leaderboard import headline, leaderboard
    from assay.result import write_json

    read = read_folder(folder)
    chosen = figure or headline(leaderboard(read.results, None))
    if chosen is None:
        raise ConfigError(f"{folder}: nothing was measured on its cells")
    found = compared(read.results, chosen)
    if page is not None:
        draw(found, read.suite.title, page)
    if json_out == Path("-"):
        typer.echo(json.dumps(document(found), indent=1, allow_nan=False))
        return
    if json_out is not None:
        write_json(json_out, document(found))
    for table in tables(found):
        console.print(table)
