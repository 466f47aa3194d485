#!/usr/bin/env python
"""Is it worth tuning the weights of losses, or does a way without tuning do as well?"""

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
The suite's `search` tries weights, and settings that have nothing to do with them. It is run with
tuned weights, with the given ones, with every method of balancing (docs/balancing.md) and, for each
--task, with one loss alone: as many trials for each, all but the first without weights to tune.
What each found best is run again on new seeds, and judged by the protocol.

examples:
  python jobs/loss_weights.py                           the mini planets, on this machine
  python jobs/loss_weights.py --suite sweeps/habitability_weights.yaml --max-concurrent 2
  python jobs/loss_weights.py --task classification=val/r2:habitability/mae --also habitability/ece
  ray job submit --working-dir . -- python jobs/loss_weights.py

Trials that ended count and finished cells are reused: after a crash, a kill or Ctrl-C, the same
command goes on. Each way has a folder with its search and its best; what they say is in
loss_weights.json beside them.

exit codes: 0 all ways are compared, 1 some cell or search failed, 2 bad input, 130 stopped"""
TASKS = [
    "classification=val/r2:habitability/mae",
    "reconstruction=val/reconstruction:reconstruction/bio_graphs,reconstruction/climate_cubes,"
    "reconstruction/spectra,reconstruction/text_descriptions,reconstruction/planet_params",
]
ALSO = ["habitability/ece"]


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = command(__doc__, EXAMPLES)
    root = Path(__file__).resolve().parent.parent
    add_shared(
        parser,
        suite=root / "sweeps" / "habitability_weights_mini.yaml",
        what="search in every way",
        at_a_time="trials or cells",
        fresh="search and compute again; the old is kept",
        files="a folder a way goes",
    )
    add_search(parser)
    add = parser.add_argument
    add("--task", dest="tasks", action="append", metavar="LOSS=OBJECTIVE:METRICS",
        help="a loss that is trained alone too, the objective of its search, and the protocol's "
        "metrics, by commas, in which all ways are held against it (repeatable; default: "
        "classification and reconstruction of planets)")  # fmt: skip
    add("--also", action="append", metavar="METRIC",
        help="a metric to compare ways by, too (default: habitability/ece)")  # fmt: skip
    add_report(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    return exit_code(run, parse(arguments))


def run(given: argparse.Namespace) -> int:
    """Search in every way, run what each found best, print and write what that says."""
    from rich.console import Console

    from assay import report
    from assay.cell import load_suite
    from assay.cluster.grid import run_suite
    from assay.report.loss_weights import choose
    from assay.report.loss_weights_arms import Task, arms
    from assay.result import read_results

    console = Console()
    suite = load_suite(given.suite, trials_asked(given))
    tasks = [Task.read(text) for text in given.tasks or TASKS]
    ways = arms(suite, tasks)
    storage = run_store(given, console)
    root = results_root(given, storage, suite.name)
    studies, files, failures = {}, {}, dict[str, str]()
    for way, searching in ways.items():
        outcome = searched(given, searching, storage, root / way / "search", console)
        if outcome.fault is not None or not outcome.best:
            failures[way] = str(outcome.fault or "no trial is complete")
            continue
        (studies[way],), files[way] = outcome.record.studies, outcome.best
    again, folders = {}, []
    for way, trial in choose(studies).items():
        best = load_suite(suite_of(files[way], trial.number))
        ran = run_suite(best, storage, grid_options(given, root / way / best.name), console)
        failures |= {f"{way}, {name}": why for name, why in ran.failures.items()}
        if ran.finished:
            folders.append(ran.folder)
            again[way] = read_results(ran.folder)
    if folders:
        report.build(folders, report_page(given, storage))
    if again:
        told(studies, again, tasks, given.also or ALSO, suite.search, root, console)
    for name, reason in failures.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    console.print(f"results  {root}", highlight=False, soft_wrap=True, markup=False)
    return 1 if failures else 0


def suite_of(files: list[Path], number: int) -> Path:
    """Return the suite of a trial among those that a search has written."""
    of_trial = [path for path in files if path.stem.endswith(f"-{number}")]
    return of_trial[0] if of_trial else files[0]  # with one objective there is one


def told(
    studies: Any, again: Any, tasks: Any, also: list[str], search: Any, root: Path, console: Any
) -> None:
    """Print and write what searches and runs on new seeds say."""
    from assay.report.loss_weights import document, figures, findings
    from assay.report.loss_weights_tables import answer, tables
    from assay.result import write_json

    metrics = list(dict.fromkeys([*(m for task in tasks for m in task.metrics), *also]))
    by_seed = {way: figures(results, metrics) for way, results in again.items()}
    some = next(iter(again.values()))[0].estimates
    better = {metric: some[metric].better for metric in metrics}
    found = findings(studies, by_seed, better, tasks, search)
    for part in tables(found):
        console.print(part)
    console.print(answer(found), highlight=False, markup=False)
    write_json(root / "loss_weights.json", {"answer": answer(found), **document(found)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
