#!/usr/bin/env python
"""What is molecules' data worth for crystals, and the reverse? At equal compute, with intervals."""

import argparse
import sys
from pathlib import Path

from _options import add_shared, command, exit_code, grid_options, results_root, run_store

EXAMPLES = """\
For each of two data sets, the suite is run in four arms: from scratch; from scratch with half of
the budget; with the other data for the first half of the budget; with both, every other step.
A suite with `ladder: {records: [1000, null]}` is run at each number of training records of the
target, which gives the curve of what the other data is worth as one's own grows.

examples:
  python jobs/transfer.py                                    the mini sets, on this machine
  python jobs/transfer.py --pair qm9 mp20 --suite sweeps/transfer_qm9_mp20.yaml
  python jobs/transfer.py --only mini_crystals --set 'seeds=[0, 1, 2, 3, 4]'
  ray job submit --working-dir . -- python jobs/transfer.py --pair qm9 mp20

Finished cells are reused and interrupted ones carry on: after a crash, a kill or Ctrl-C, the same
command completes what is missing. Each arm is a suite of its own in --results, beside
transfer.json and, as a figure, transfer.html.

exit codes: 0 every cell is finished, 1 some cell failed, 2 bad input, 130 stopped"""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = command(__doc__, EXAMPLES)
    root = Path(__file__).resolve().parent.parent
    add_shared(
        parser,
        suite=root / "sweeps" / "transfer_mini.yaml",
        what="run in every arm",
        at_a_time="cells",
        fresh="compute again what is finished; the old is kept",
        files="a folder for every arm, and transfer.json,",
    )
    add = parser.add_argument
    add("--pair", nargs=2, default=["mini", "mini_crystals"], metavar=("A", "B"),
        help="the two data sets (default: mini mini_crystals)")  # fmt: skip
    add("--only", metavar="NAME", help="learn this one of the pair only, from the other")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    return exit_code(run, parse(arguments))


def run(given: argparse.Namespace) -> int:
    """Run every arm, print the comparisons and write them."""
    from rich.console import Console

    from assay.cell import load_suite
    from assay.cluster.grid import run_suite
    from assay.errors import ConfigError
    from assay.report import transfer, transfer_figure
    from assay.result import read_results, write_json

    if given.only is not None and given.only not in given.pair:
        raise ConfigError(f"--only {given.only}: is not of the pair {' and '.join(given.pair)}")
    console = Console()
    plain = load_suite(given.suite, tuple(given.overrides))
    if plain.ladder is not None and max(len(plain.ladder.sizes), len(plain.ladder.budgets)) > 1:
        raise ConfigError(
            "ladder: arms are compared at numbers of records alone; leave sizes and budgets out, "
            "or give the study once for each"
        )
    storage = run_store(given, console)
    root = results_root(given, storage, plain.name)
    failures, rows = {}, []
    for target, source in (given.pair, given.pair[::-1]):
        arms = {}
        for arm in transfer.ARMS:
            changes = transfer.overrides(plain, target, source, arm)
            suite = load_suite(given.suite, (*given.overrides, *changes))
            folder = root / suite.name
            if given.only in (None, target):
                outcome = run_suite(suite, storage, grid_options(given, folder), console)
                failures |= {f"{suite.name} {k}": why for k, why in outcome.failures.items()}
            there = read_results(folder) if folder.is_dir() else []
            arms[arm] = transfer.of_suite(there, suite)
        if arms[transfer.SCRATCH]:
            rows += (found := transfer.compare(target, source, arms))
            console.print(transfer.table(found))
        else:
            console.print(f"{target}: no cell from scratch is finished: nothing to compare with")
    write_json(root / "transfer.json", transfer.document(rows))
    if rows:
        transfer_figure.draw(rows, root / "transfer.html")
    for name, reason in failures.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    console.print(f"results  {root}", highlight=False, soft_wrap=True, markup=False)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
