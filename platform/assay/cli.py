"""`assay …`: thin commands over the library; heavy imports wait until a command needs them."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from assay import (
    __version__,
    cli_compare,
    cli_conformance,
    cli_machine,
    cli_results,
    cli_samples,
    cli_submit,
    cli_train,
)
from assay.cli_data import data_app
from assay.cli_options import Stoppable, exit_codes
from assay.cli_samples import evaluate_app
from assay.cli_scaling import scaling_app
from assay.errors import AssayError, TrainingError

app = typer.Typer(
    name="assay",
    cls=Stoppable,
    help="Which model, at what cost, how surely? Benchmarks of models of molecules and graphs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Example: `assay train sweeps/grid_mini.yaml --cell gnn-diffusion`. "
    + exit_codes("something failed: each command's help says what"),
)
app.add_typer(data_app, name="data")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(scaling_app, name="scaling")
app.command(epilog=exit_codes("the training failed"))(cli_train.train)
app.command(epilog=exit_codes())(cli_train.plan)
app.command(epilog=exit_codes())(cli_results.show)
app.command(epilog=exit_codes())(cli_results.card)
app.command(epilog=exit_codes("an estimate is outside"))(cli_results.reproduce)
app.command(epilog=exit_codes())(cli_compare.compare)
app.command(epilog=exit_codes())(cli_results.report)
app.command(epilog=exit_codes())(cli_results.plot)
app.command(epilog=exit_codes())(cli_samples.sample)
app.command(epilog=exit_codes())(cli_submit.submit)
app.command(epilog=exit_codes("a check fails"))(cli_conformance.conformance)
app.command(epilog=exit_codes("something is broken"))(cli_machine.doctor)
app.command(epilog=exit_codes("a promise is broken"))(cli_machine.drill)


def main() -> None:
    """Run the command line; a fault that a user can mend is one sentence and exit code 2."""
    try:
        app()
    except AssayError as error:
        text = Text.assemble(("error: ", "bold red"), str(error))
        Console(stderr=True).print(text, soft_wrap=True)
        sys.exit(1 if isinstance(error, TrainingError) else 2)


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Which model, at what cost, how surely? Benchmarks of models of molecules and graphs."""


if __name__ == "__main__":
    main()
