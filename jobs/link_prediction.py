#!/usr/bin/env python
"""Do structures help to foretell interactions, and what should stand where one is missing?"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from _options import add_shared, command, exit_code, grid_options, results_root, run_store

EXAMPLES = """\
The suite, encoders x what nodes are given x seeds, is run for each table of structures; then every
model is held against every other, seed by seed.

examples:
  python jobs/link_prediction.py                        the mini graph, on this machine
  python jobs/link_prediction.py --suite sweeps/links_ddi_treatments.yaml
  python jobs/link_prediction.py --suite sweeps/links_ddi_treatments.yaml --chemberta ~/ChemBERTa
  python jobs/link_prediction.py --structures study --set 'grid.nodes=[ids, zeros, fallback]'
  ray job submit --working-dir . -- python jobs/link_prediction.py
  python jobs/search.py --suite sweeps/links_ddi_search.yaml   width, depth, rate, dropout

Finished cells are reused and interrupted ones carry on: after a crash, a kill or Ctrl-C, the same
command completes what is missing. A suite a table, comparison.json and .html beside its results.

exit codes: 0 every cell is finished, 1 some cell failed, 2 bad input, 130 stopped"""
TABLES = ("best", "study")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = command(__doc__, EXAMPLES)
    root = Path(__file__).resolve().parent.parent
    add_shared(
        parser,
        suite=root / "sweeps" / "links_mini_treatments.yaml",
        what="run for every table",
        at_a_time="cells",
        fresh="compute again what is finished; the old is kept",
        files="a folder for every table",
    )
    add = parser.add_argument
    add("--structures", nargs="+", choices=TABLES, default=list(TABLES), metavar="TABLE",
        help="the best table there is, that of an earlier study, or both (default)")  # fmt: skip
    add("--chemberta", type=Path, metavar="PATH",
        help="a folder with ChemBERTa's weights, in place of the suite's structures")  # fmt: skip
    add("--figure", metavar="NAME", default="ogb/hits_at_20",
        help="what models are compared by (default: ogb/hits_at_20)")  # fmt: skip
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    return exit_code(run, parse(arguments))


def run(given: argparse.Namespace) -> int:
    """Run the suite for every table, print the comparisons and write them."""
    from rich.console import Console

    from assay.cell import load_suite
    from assay.cluster.grid import run_suite
    from assay.report.comparison import compare, document
    from assay.report.comparison_page import draw
    from assay.report.comparison_tables import tables
    from assay.result import read_results, write_json

    console = Console()
    plain = load_suite(given.suite, tuple(given.overrides))
    storage = run_store(given, console)
    root = results_root(given, storage, plain.name)
    failures, of_rows = {}, []
    treated = {table: any_is_missing(plain.data, table) for table in given.structures}
    for table in given.structures:
        if not treated[table]:
            console.print(
                f"{plain.data}, table {table}: every structure is known; nothing to treat"
            )
            continue
        suite = load_suite(given.suite, (*given.overrides, *changes(plain, table, given.chemberta)))
        folder = root / suite.name
        if not given.fresh:  # or else all is trained again
            evaluate_for(table, of_rows, storage, suite.device, console)
        outcome = run_suite(suite, storage, grid_options(given, folder), console)
        failures |= {f"{suite.name} {name}": why for name, why in outcome.failures.items()}
        results = read_results(folder) if outcome.finished else []
        of_rows += [each for each in results if each.cell["variant"].get("nodes") == "ids"]
        if len({result.label for result in results}) < 2:
            console.print(f"{suite.title}: fewer than two models are finished: nothing to compare")
            continue
        found = compare(results, given.figure)
        for part in tables(found):
            console.print(part)
        write_json(folder / "comparison.json", document(found))
        draw(found, suite.title, folder / "comparison.html")
    for name, reason in failures.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    console.print(f"results  {root}", highlight=False, soft_wrap=True, markup=False)
    return 1 if failures else 0


def any_is_missing(data: str, table: str) -> bool:
    """Tell whether the data set does not know all nodes by this table of structures.

    Raises:
        DataError: it knows none, or has no such table.
    """
    from assay.errors import DataError
    from assay.interactions.data.links import links_of
    from assay.interactions.features.structures import known_structures
    from assay.interactions.settings import FeatureSettings
    from assay.store import sets

    settings = FeatureSettings.model_validate({"structures": table})
    known = known_structures(links_of(sets.prepare(data)), settings)
    if not known.any():
        raise DataError(
            f"{data}, table {table}: no structure is known; prepare the set from a source that has "
            "them"
        )
    return not bool(known.all())


def evaluate_for(table: str, trained: list[Any], storage: Path, device: str, console: Any) -> None:
    """Evaluate cells of learned rows alone by another table, so that the suite finds them done."""
    import torch

    from assay.errors import CheckpointError, MachineError
    from assay.trained import evaluate_as

    for result in trained:
        try:
            evaluate_as(
                storage, result, [f"settings.features.structures={table}"], torch.device(device)
            )
        except (CheckpointError, MachineError) as error:  # then the suite trains it
            console.print(f"{result.label}: {error}", highlight=False, soft_wrap=True, markup=False)


def changes(suite: Any, table: str, chemberta: Path | None) -> list[str]:
    """Return the overrides that make the suite one of this table, by ChemBERTa if that is given."""
    sources = list(suite.settings.get("features", {}).get("sources", ()))
    made, by = [f"settings.features.structures={table}"], ""
    if chemberta is not None:
        kept = [name for name in sources if name not in ("morgan", "descriptors", "chemberta")]
        made.append(f"settings.features.sources=[{', '.join(['chemberta', *kept])}]")
        path = json.dumps(str(chemberta.expanduser().absolute()))
        made.append(f"settings.features.chemberta={{model: {path}}}")
        by = "_chemberta"
    title = json.dumps(f"{suite.title}, {table} table of structures")
    return [*made, f"name={suite.name}{by}_{table}", f"title={title}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
