#!/usr/bin/env python
"""Run a suite, a grid of models under one budget, on Ray; gather it in MLflow and a report."""

import argparse
import sys
from pathlib import Path

from _options import (
    add_report,
    add_shared,
    command,
    exit_code,
    grid_options,
    report_page,
    run_store,
)

EXAMPLES = """\
examples:
  python jobs/benchmark_grid.py                       the nine mini cells, on this machine
  python jobs/benchmark_grid.py --suite sweeps/grid_qm9.yaml --set budget.samples=50000
  python jobs/benchmark_grid.py --set 'seeds=[0, 1, 2]'                  three seeds a cell
  python jobs/benchmark_grid.py --cell gnn-diffusion --set settings.network.size=m
  ray job submit --working-dir . -- python jobs/benchmark_grid.py --suite sweeps/grid_qm9.yaml

Finished cells are reused and interrupted ones carry on: after a crash, a kill or Ctrl-C, the same
command completes what is missing. Without RAY_ADDRESS, Ray is started here. The run store is
--storage, else $ASSAY_RUNS, else ./runs; MLflow is $MLFLOW_TRACKING_URI, else SQLite in the store.

exit codes: 0 every cell is finished, 1 some cell failed, 2 bad input, 130 stopped"""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = command(__doc__, EXAMPLES)
    root = Path(__file__).resolve().parent.parent
    add_shared(
        parser,
        suite=root / "sweeps" / "grid_mini.yaml",
        what="run",
        at_a_time="cells",
        fresh="compute again what is finished; the old is kept",
        files="result files are published",
    )
    add = parser.add_argument
    add("--cell", dest="cells", action="append", default=[], metavar="LABEL",
        help="run only this cell, such as transformer-flow_matching (repeatable)")  # fmt: skip
    add_report(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    return exit_code(run, parse(arguments))


def run(given: argparse.Namespace) -> int:
    """Run the suite, print its table and write its report."""
    from rich.console import Console

    from assay import report
    from assay.cell import load_suite
    from assay.cluster.grid import run_suite
    from assay.cluster.storage import lasting
    from assay.result import read_reference, read_results

    console = Console()
    suite = load_suite(given.suite, tuple(given.overrides))
    storage = run_store(given, console)
    if suite.search is not None:
        console.print("The grid as it stands; jobs/search.py runs the suite's search")
    page = report_page(given, storage)
    results = lasting(given.results, Path.cwd()) if given.results else None
    options = grid_options(given, results, given.cells)
    outcome = run_suite(suite, storage, options, console)
    if outcome.finished:
        results, reference = read_results(outcome.folder), read_reference(outcome.folder)
        console.print(report.terminal_table(results, reference))
        report.build([outcome.folder], page)
    for name, reason in outcome.failures.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    lines = {
        "results": outcome.folder,
        "report": page if outcome.finished else "none: no cell is finished",
        "mlflow": outcome.tracked.how_to_open,
    }
    for name, value in lines.items():
        console.print(f"{name:8} {value}", highlight=False, soft_wrap=True, markup=False)
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
