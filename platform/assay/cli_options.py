"""What the commands share: options, consoles, exit codes, and what is said when one is stopped."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from assay import cli_completion as completion

console = Console()
"""What a command answers."""
aside = Console(stderr=True)
"""What it says meanwhile: progress, and that it was stopped."""

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated."),
]
Storage = Annotated[
    Path, typer.Option(envvar="ASSAY_RUNS", help="The run store: finished cells are reused.")
]
Published = Annotated[Path, typer.Option(help="Where suites' published folders are.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads a cell.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: cuda where there is one.")]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]
JSONOut = Annotated[
    Path | None, typer.Option("--json", help="Write JSON; - prints it, and nothing else.")
]
CellKey = Annotated[
    str,
    typer.Argument(
        help="A cell's key or the beginning of one, its folder, or its result file.",
        autocompletion=completion.cell_keys,
    ),
]
DataSetName = Annotated[
    str,
    typer.Argument(help="A name of `assay data list`.", autocompletion=completion.data_sets),
]


class Stoppable(TyperGroup):
    """The commands; Ctrl-C ends any of them with one sentence and exit code 130."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command.

        What a command has to say of its being stopped is the interrupt's argument.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            aside.print(" ".join(["Stopped.", *map(str, interrupt.args)]), highlight=False)
            raise typer.Exit(STOPPED) from interrupt


def exit_codes(one: str = "") -> str:
    """Return the last line of a command's help; `one` says what exit code 1 means, if anything."""
    middle = f"1 {one}, " if one else ""
    return (
        f"Exit codes: 0 done, {middle}2 bad input or a machine that lacks something, "
        f"{STOPPED} stopped by Ctrl-C."
    )


def print_json(data: Any) -> None:
    """Print JSON on standard output."""
    typer.echo(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False))
