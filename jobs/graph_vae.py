#!/usr/bin/env python
"""Which weights make a Graph VAE of pathways, and what do they buy on seeds that chose nothing?"""

import argparse
import sys
from pathlib import Path
from typing import Any

from _options import (
    add_report,
    add_search,
    add_shared,
    command,
    exit_code,
    grid_options,
    report_page,
    results_root,
    run_store,
    searched,
    trials_asked,
)

EXAMPLES = """\
The `search` section of the suite is run on Ray Tune: Optuna proposes the weights of the terms, ASHA
stops the poor ones. The best setting then is run on new seeds, beside the suite's own weights on
the same seeds, and the two are compared.

examples:
  python jobs/graph_vae.py                              the mini pathways, on this machine
  python jobs/graph_vae.py --suite sweeps/pathways_metacyc_search.yaml --trials 40
  python jobs/graph_vae.py --figure mmd/spectrum
  ray job submit --working-dir . -- python jobs/graph_vae.py
  python jobs/benchmark_grid.py --suite sweeps/pathways_metacyc_ablations.yaml   part by part

Trials that ended count and finished cells are reused: after a crash, a kill or Ctrl-C, the same
command goes on. A folder for the search, one a suite, and comparison.json lie beside each other.

exit codes: 0 the best is compared, 1 some cell failed or no trial is complete, 2 bad input,
130 stopped"""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = command(__doc__, EXAMPLES)
    root = Path(__file__).resolve().parent.parent
    add_shared(
        parser,
        suite=root / "sweeps" / "pathways_mini_search.yaml",
        what="search",
        at_a_time="trials or cells",
        fresh="search and compute again; the old is kept",
        files="a folder for the search and one a suite go",
    )
    add_search(parser)
    add = parser.add_argument
    add("--figure", metavar="NAME", default="reversed_edge/auc",
        help="what the two are compared by (default: reversed_edge/auc)")  # fmt: skip
    add_report(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    return exit_code(run, parse(arguments))


def run(given: argparse.Namespace) -> int:
    """Search, run the best beside what was there, print and write what is found."""
    from rich.console import Console

    from assay import report
    from assay.cell import load_suite
    from assay.cluster.grid import run_suite
    from assay.result import read_results

    console = Console()
    suite = load_suite(given.suite, trials_asked(given))
    storage = run_store(given, console)
    root, page = results_root(given, storage, suite.name), report_page(given, storage)
    outcome = searched(given, suite, storage, root / "search", console)
    if outcome.fault is not None or not outcome.best:
        print(f"ended early: {outcome.fault or 'no trial is complete'}", file=sys.stderr)
        return 1
    best = [load_suite(path) for path in outcome.best]
    folders, failures = [], dict[str, str]()
    for each in (as_it_was(suite, best[0].seeds), *best):
        ran = run_suite(each, storage, grid_options(given, root / each.name), console)
        failures |= {f"{each.name} {name}": why for name, why in ran.failures.items()}
        folders += [ran.folder] if ran.finished else []
    results = [result for folder in folders for result in read_results(folder)]
    if results:
        report.build(folders, page)
    if len(folders) > 1:
        told(results, given.figure, root, console)
    for name, reason in failures.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    console.print(f"results  {root}", highlight=False, soft_wrap=True, markup=False)
    return 1 if failures else 0


def as_it_was(suite: Any, seeds: list[int]) -> Any:
    """Return the suite with the weights that it had before the search, on these seeds."""
    from assay.cell import Suite
    from assay.config import validate

    plain = suite.model_dump(mode="json", exclude_none=True, exclude={"search"})
    changed = {"name": f"{suite.name}_before", "title": f"{suite.title}, before", "seeds": seeds}
    return validate(Suite, {**plain, **changed}, "the suite before its search")


def told(results: list[Any], figure: str, root: Path, console: Any) -> None:
    """Print and write how settings differ by a figure, seed by seed."""
    from assay.report.comparison import compare, document
    from assay.report.comparison_tables import tables
    from assay.result import write_json

    found = compare(results, figure)
    for part in tables(found):
        console.print(part)
    write_json(root / "comparison.json", document(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
