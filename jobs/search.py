#!/usr/bin/env python
"""Search a suite's settings on Ray Tune with Optuna; leave the best as a suite to run."""

import argparse
import sys
from pathlib import Path

from _options import (
    add_search,
    add_shared,
    command,
    exit_code,
    run_store,
    searched,
    trials_asked,
)

EXAMPLES = """\
examples:
  python jobs/search.py                                     the mini search, on this machine
  python jobs/search.py --trials 40                         go on to 40 trials
  python jobs/search.py --set search.algorithm=random --set search.startup=null
  python jobs/search.py --max-concurrent 1                  one trial at a time: reproducible
  ray job submit --working-dir . -- python jobs/search.py --suite sweeps/search_mini.yaml

The search is the `search` section of the suite (docs/search.md). After a crash, a kill or Ctrl-C,
the same command goes on: trials that ended count, those that were begun are taken up with the same
settings. The run store is --storage, else $ASSAY_RUNS, else ./runs; Optuna's database is
--optuna-storage, else $ASSAY_OPTUNA_STORAGE, else optuna.db in the run store.

exit codes: 0 some trial is complete, 1 none is or it ended early, 2 bad input, 130 stopped"""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = command(__doc__, EXAMPLES)
    root = Path(__file__).resolve().parent.parent
    add_shared(
        parser,
        suite=root / "sweeps" / "search_mini.yaml",
        what="search",
        at_a_time="trials",
        fresh="search again from nothing; the old is kept",
        files="search.json and the best suites go",
    )
    add_search(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    return exit_code(run, parse(arguments))


def run(given: argparse.Namespace) -> int:
    """Run the search and print what it found."""
    from rich.console import Console

    from assay.cell import load_suite
    from assay.cluster.storage import lasting

    console = Console()
    suite = load_suite(given.suite, trials_asked(given))
    storage = run_store(given, console)
    results = lasting(given.results, Path.cwd()) if given.results else None
    outcome = searched(given, suite, storage, results, console)
    for path in outcome.best:
        command = f"python jobs/benchmark_grid.py --suite {path}"
        console.print(f"on new seeds: {command}", highlight=False, soft_wrap=True, markup=False)
    lines = {
        "results": outcome.folder / "search.json",
        "mlflow": outcome.tracked.how_to_open,
        "optuna": outcome.how_to_open,
    }
    for name, value in lines.items():
        console.print(f"{name:8} {value}", highlight=False, soft_wrap=True, markup=False)
    if outcome.fault is not None:
        print(f"ended early: {outcome.fault}", file=sys.stderr)
    return 1 if outcome.fault is not None or not outcome.best else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
