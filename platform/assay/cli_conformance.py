"""The command that offers the conformance suites to models, metrics and data sets of others."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from assay.cli_options import AsJSON, aside, console, print_json

if TYPE_CHECKING:
    from assay.conformance.checks import Outcome


def conformance(
    target: Annotated[str, typer.Argument(help="package.module:Name, importable from here.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Of an architecture, to make it small."),
    ] = None,
    cell: Annotated[
        Path | None, typer.Option(help="CELL.yaml of a family, which is shown on it.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="What a data set is read from; by default as it says.")
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Carry out the conformance suite on a class of yours, the same that Assay's own pass.

    An architecture is paired with every process, a process with every architecture; a protocol of
    molecules scores the mini set; a data set is built twice; a family runs a cell of a few steps.
    [docs/extending.md](docs/extending.md) has an example of each. The code that is named is run.

    Example: `assay conformance my_package.mean_field:MeanField --set width=16`
    """
    from assay.conformance.targets import outcomes

    found: list[Outcome] = []
    with aside.status("checking") as status:
        for outcome in outcomes(target, tuple(overrides or ()), cell, source):
            found.append(outcome)
            status.update(f"{outcome.subject}: {outcome.check}")
    if as_json:
        print_json(_plain(found))
    else:
        _show(found)
    raise typer.Exit(int(any(each.violation is not None for each in found)))


def _show(found: "Sequence[Outcome]") -> None:
    from assay.report.tables import headed

    subjects = list(dict.fromkeys(each.subject for each in found))
    table = headed("Conformance", "check", *subjects)
    for check in dict.fromkeys(each.check for each in found):
        cells = (
            Text("fails", style="bold red") if each.violation else Text("holds", style="green")
            for each in found
            if each.check == check
        )
        table.add_row(check, *cells)
    console.print(table)
    for each in found:
        if each.violation is not None:
            said = f"{each.subject}: {each.check}: {each.violation}"
            console.print(said, highlight=False, markup=False, soft_wrap=True)


def _plain(found: "Sequence[Outcome]") -> list[dict[str, Any]]:
    return [
        {"subject": each.subject, "check": each.check, "violation": each.violation}
        for each in found
    ]
