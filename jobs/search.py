#!/usr/bin/env python
"""Search a suite's settings on Ray Tune with Optuna; leave the best as a suite to run."""

import argparse
import sys
from pathlib import Path

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
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    root = Path(__file__).resolve().parent.parent
    add = parser.add_argument
    add("--suite", type=Path, metavar="YAML", default=root / "sweeps" / "search_mini.yaml",
        help="what to search (default: sweeps/search_mini.yaml)")  # fmt: skip
    add("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE",
        help="override a key of the suite, such as budget.samples=1000 (repeatable)")  # fmt: skip
    add("--trials", type=_count, metavar="N",
        help="settings to try for each variant; raise it later and the search goes on")  # fmt: skip
    add("--max-concurrent", type=_count, metavar="N", help="at most N trials at a time")
    add("--fresh", action="store_true", help="search again from nothing; the old is kept")
    add("--storage", type=Path, metavar="DIR", help="the run store")
    add("--optuna-storage", metavar="URL", help="Optuna's database, such as postgresql://…")
    add("--results", type=Path, metavar="DIR",
        help="where search.json and best.yaml go (default: <storage>/results/<suite>)")  # fmt: skip
    add("--dashboard-port", type=_port, metavar="PORT",
        help="dashboard port of a Ray that is started here (default: a free one)")  # fmt: skip
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    given = parse(arguments)
    try:
        from assay.errors import AssayError
    except ModuleNotFoundError as error:
        print(f"error: {error} in {sys.executable}: install assay wherever Ray runs, such as "
              "with `pip install -e .` in the repository", file=sys.stderr)  # fmt: skip
        return 2
    try:
        return run(given)
    except AssayError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. Nothing is lost: the same command goes on.", file=sys.stderr)
        return 130


def run(given: argparse.Namespace) -> int:
    """Run the search and print what it found."""
    from rich.console import Console

    from assay.cell import load_suite
    from assay.cluster.search import SearchOptions, run_search
    from assay.cluster.storage import lasting, resolve_storage
    from assay.report.search import trials_table

    console = Console()
    trials = (f"search.trials={given.trials}",) if given.trials else ()
    suite = load_suite(given.suite, (*given.overrides, *trials))
    storage, remark = resolve_storage(given.storage, Path.cwd())
    if remark:
        console.print(remark, highlight=False, soft_wrap=True)
    options = SearchOptions(
        results=lasting(given.results, Path.cwd()) if given.results else None,
        optuna_storage=given.optuna_storage,
        fresh=given.fresh,
        max_concurrent=given.max_concurrent,
        dashboard_port=given.dashboard_port,
    )
    outcome = run_search(suite, storage, options, console)
    for study in outcome.record.studies:
        console.print(trials_table(study))
        for trial in study.trials:
            if trial.state == "failed":
                print(
                    f"failed: {study.name}, trial {trial.number}: {trial.reason}", file=sys.stderr
                )
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


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, not {text!r}")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port, 1 to 65535, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
