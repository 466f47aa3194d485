"""The commands about scaling laws."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from assay.cli_options import JSONOut, console, exit_codes, print_json

scaling_app = typer.Typer(
    no_args_is_help=True,
    help="Scaling laws: how the loss falls with size, data and compute.",
    epilog="Example: `assay scaling fit runs.csv`. " + exit_codes(),
)


@scaling_app.callback()
def _group() -> None:
    """Keep `fit` a command of its own: Typer drops the name of an only one."""


@scaling_app.command("fit", epilog=exit_codes())
def fit_runs(
    runs: Annotated[
        Path,
        typer.Argument(help="RUNS.csv: columns params, samples, loss[, flops, unique, seed]."),
    ],
    form: Annotated[
        Literal[
            "auto", "params_samples", "repeated", "repeated_samples", "params", "samples", "flops"
        ],
        typer.Option(
            help="What the loss depends on. auto: params and samples, repeated ones apart where "
            "there are any, or the one of the two that varies."
        ),
    ] = "auto",
    bootstraps: Annotated[
        int, typer.Option(min=100, help="Resamples of the runs, for the intervals.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples.")] = 0,
    json_out: JSONOut = None,
    figure: Annotated[
        Path | None, typer.Option(help="Write the curves and their bands as one HTML page.")
    ] = None,
) -> None:
    """Fit a law to finished runs: parameters, best sizes, forms compared, the largest budget.

    Counts are plain numbers, FLOPs those of the whole training; other columns are left alone.

    Example: `assay scaling fit runs.csv --json law.json --figure law.html`
    """
    from assay.report.scaling import document, draw, tables
    from assay.result import write_json
    from assay.statistics.scaling.runs import read_runs
    from assay.statistics.scaling.study import study

    found, quiet = read_runs(runs), json_out == Path("-")
    with Console(stderr=True, quiet=quiet).status("fitting") as status:
        studied = study(
            found, form, bootstraps, seed, lambda what, done: status.update(f"{what} {done:.0%}")
        )
    if figure is not None:
        draw(studied, runs.name, figure)
    if quiet:
        print_json(document(studied, runs.name))
        return
    if json_out is not None:
        write_json(json_out, document(studied, runs.name))
    for table in tables(studied):
        console.print(table)
