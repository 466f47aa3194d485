"""The command that compares models."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay import cli_completion as completion
from assay.cli_options import (
    JSONOut,
    Published,
    Storage,
    console,
    print_json,
)
from assay.errors import DataError

if TYPE_CHECKING:
    from assay.result import Result


def compare(
    what: Annotated[
        list[str],
        typer.Argument(
            help="Folders of suites, results of cells, or keys of cells.",
            autocompletion=completion.cell_keys,
        ),
    ],
    figure: Annotated[
        str | None,
        typer.Option(
            help="What models are compared by, such as held_out/x_mse; by default what orders the "
            "leaderboard."
        ),
    ] = None,
    json_out: JSONOut = None,
    page: Annotated[
        Path | None, typer.Option(help="Write ranks, effects and fronts as one HTML page.")
    ] = None,
    storage: Storage = Path("runs"),
    published: Published = Path("results"),
) -> None:
    """Compare models seed by seed: effects, paired differences, ranks, costs, seeds needed.

    Of two results, every estimate is also shown side by side.

    Example: `assay compare results/grid_qm9 --figure edm/validity --page compared.html`

    Example: `assay compare 29d4abe38306a4c2 62366eb9646418d2`
    """
    from assay.lookup import results_of
    from assay.report import side_by_side
    from assay.report.comparison import compare as compared
    from assay.report.comparison import document
    from assay.report.comparison_page import draw
    from assay.report.comparison_tables import tables
    from assay.report.cross_validation import is_cross_validated
    from assay.result import write_json

    results = results_of(what, storage, published)
    if any(is_cross_validated(result.cell) for result in results):
        raise DataError(
            "folds are judged by other planets each, and cannot be compared with one another; "
            "assay report pools them"
        )
    unpaired = _unpaired(results)
    if unpaired is not None and (page is not None or figure is not None):
        raise DataError(unpaired)
    found = None
    if unpaired is None:
        try:
            found = compared(results, figure or _headline(results))
        except DataError as error:
            if len(results) != 2 or page is not None or figure is not None:
                raise
            unpaired = str(error)  # what can be seen side by side is still shown
    if found is not None and page is not None:
        draw(found, ", ".join(Path(word).stem for word in what), page)
    told: dict[str, Any] = {"unpaired": unpaired} if found is None else document(found)
    if len(results) == 2:
        told |= {"side_by_side": side_by_side.document(*results)}
    if json_out == Path("-"):
        print_json(told)
        return
    if json_out is not None:
        write_json(json_out, told)
    if len(results) == 2:
        console.print(side_by_side.table(*results))
    if found is None:
        console.print(unpaired, highlight=False, markup=False)
        return
    for table in tables(found):
        console.print(table)


def _headline(results: "Sequence[Result]") -> str:
    """Return what orders the models on a leaderboard."""
    from assay.report.leaderboard import contenders, headline, leaderboard, representatives

    return headline(contenders(representatives(leaderboard(results, None)))) or "a figure"


def _unpaired(results: "Sequence[Result]") -> str | None:
    """Return why two results are no two models on a common seed, if so; they are still shown."""
    from assay.report.comparison import data_of
    from assay.report.told_apart import names

    if len(results) != 2:
        return None
    data = [data_of(result) for result in results]
    if data[0] != data[1]:
        return f"Their data are {data[0]} and {data[1]}: nothing is paired."
    seeds = [result.cell["seed"] for result in results]
    if len(set(names(results).values())) < 2:
        return "Both are one model: name folders with several models to compare over seeds."
    if seeds[0] != seeds[1]:
        return f"Their seeds are {seeds[0]} and {seeds[1]}: nothing is paired over seeds."
    return None
