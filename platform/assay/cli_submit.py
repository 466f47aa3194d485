"""The command that puts somebody else's samples on a leaderboard."""

from pathlib import Path
from typing import Annotated

import typer

from assay.cli_options import AsJSON, aside, console, print_json


def submit(
    file: Annotated[
        Path,
        typer.Argument(help="Samples, in the format of the suite's data (docs/submitting.md)."),
    ],
    name: Annotated[str, typer.Option(help="What the entry is called on the leaderboard.")],
    suite: Annotated[
        Path, typer.Option(help="The suite's published folder, such as results/grid_qm9.")
    ],
    by: Annotated[str, typer.Option(help="Who made the samples.")] = "",
    url: Annotated[str, typer.Option(help="Of the paper, the code or the file.")] = "",
    note: Annotated[str, typer.Option(help="What a reader should know.")] = "",
    replace: Annotated[
        bool, typer.Option(help="Put it in the place of the entry of that name.")
    ] = False,
    as_json: AsJSON = False,
) -> None:
    """Score samples that others made, as an external entry of a suite's leaderboard.

    They are scored by the code that scores a suite's own models, on the data that these were
    trained on. The entry keeps the file's checksum, not the file. `assay report` shows it, marked
    external. [docs/submitting.md](docs/submitting.md) has the formats.

    Example: `assay submit samples.xyz --name EDM --suite results/grid_qm9 --by "Hoogeboom et al."`
    """
    from assay.config import validate
    from assay.report.submitted import table
    from assay.submission import About
    from assay.submission import submit as put

    given = {"name": name, "by": by, "url": url, "note": note}
    about = validate(About, given, "command line")
    with aside.status("reading") as status:
        path, entry = put(
            file, about, suite, replace=replace,
            watch=lambda phase, done: status.update(f"{phase} {done:.0%}"),
        )  # fmt: skip
    if as_json:
        print_json(entry.model_dump(mode="json"))
        return
    console.print(table(entry))
    typer.echo(path)
