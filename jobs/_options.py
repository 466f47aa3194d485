"""What the commands share. It imports nothing of assay, which may not be installed."""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def command(description: str | None, examples: str) -> argparse.ArgumentParser:
    """Return a parser that shows `examples` as they are written."""
    return argparse.ArgumentParser(
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_shared(
    parser: argparse.ArgumentParser,
    *,
    suite: Path,
    what: str,
    at_a_time: str,
    fresh: str,
    files: str,
) -> None:
    """Add the options that every command has.

    Args:
        parser: To which they are added.
        suite: The default suite.
        what: What is done with it, such as "run".
        at_a_time: What is run side by side, such as "cells".
        fresh: What `--fresh` does.
        files: What goes into `--results`.
    """
    add = parser.add_argument
    add("--suite", type=Path, metavar="YAML", default=suite,
        help=f"what to {what} (default: sweeps/{suite.name})")  # fmt: skip
    add("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE",
        help="override a key of the suite, such as budget.samples=1000 (repeatable)")  # fmt: skip
    add("--fresh", action="store_true", help=fresh)
    add("--max-concurrent", type=count, metavar="N", help=f"at most N {at_a_time} at a time")
    add("--checkpoint-seconds", type=_seconds, metavar="S", default=60.0,
        help="least time between two checkpoints of a cell (default: 60)")  # fmt: skip
    add("--storage", type=Path, metavar="DIR", help="the run store")
    add("--results", type=Path, metavar="DIR",
        help=f"where {files} (default: <storage>/results/<suite>)")  # fmt: skip
    add("--dashboard-port", type=_port, metavar="PORT",
        help="dashboard port of a Ray that is started here (default: a free one)")  # fmt: skip


def add_report(parser: argparse.ArgumentParser) -> None:
    """Add where the HTML report goes."""
    parser.add_argument("--report", type=Path, metavar="HTML",
        help="where the report goes (default: <storage>/report.html)")  # fmt: skip


def add_search(parser: argparse.ArgumentParser) -> None:
    """Add what only searches have."""
    add = parser.add_argument
    add("--trials", type=count, metavar="N",
        help="settings to try for each variant; raise it later and the search goes on")  # fmt: skip
    add("--optuna-storage", metavar="URL", help="Optuna's database, such as postgresql://…")


def searched(
    given: argparse.Namespace, suite: Any, storage: Path, results: Path | None, console: Any
) -> Any:
    """Run a suite's search, print its trials, and those that failed; return the outcome."""
    from assay.cluster.search import SearchOptions, run_search
    from assay.report.search import trials_table

    options = SearchOptions(
        results=results,
        optuna_storage=given.optuna_storage,
        fresh=given.fresh,
        max_concurrent=given.max_concurrent,
        dashboard_port=given.dashboard_port,
        checkpoint_seconds=given.checkpoint_seconds,
    )
    outcome = run_search(suite, storage, options, console)
    for study in outcome.record.studies:
        console.print(trials_table(study))
        for trial in study.trials:
            if trial.state == "failed":
                print(
                    f"failed: {study.name}, trial {trial.number}: {trial.reason}", file=sys.stderr
                )
    return outcome


def trials_asked(given: argparse.Namespace) -> tuple[str, ...]:
    """Return the suite's overrides, the number of trials among them."""
    trials = (f"search.trials={given.trials}",) if given.trials else ()
    return (*given.overrides, *trials)


def report_page(given: argparse.Namespace, storage: Path) -> Path:
    """Return where the HTML report goes."""
    from assay.cluster.storage import lasting

    return lasting(given.report, Path.cwd()) if given.report else storage / "report.html"


def run_store(given: argparse.Namespace, console: Any) -> Path:
    """Return the run store that is asked for, and say where a relative one comes to lie."""
    from assay.cluster.storage import resolve_storage

    storage, remark = resolve_storage(given.storage, Path.cwd())
    if remark:
        console.print(remark, highlight=False, soft_wrap=True)
    return storage


def grid_options(given: argparse.Namespace, results: Path | None, only: Sequence[str] = ()) -> Any:
    """Return the options of `assay.cluster.grid.run_suite`."""
    from assay.cluster.grid import Options

    return Options(
        results=results,
        only=tuple(only),
        fresh=given.fresh,
        max_concurrent=given.max_concurrent,
        dashboard_port=given.dashboard_port,
        checkpoint_seconds=given.checkpoint_seconds,
    )


def results_root(given: argparse.Namespace, storage: Path, name: str) -> Path:
    """Return the folder that holds the folders of several suites."""
    from assay.cluster.storage import lasting

    return lasting(given.results, Path.cwd()) if given.results else storage / "results" / name


def exit_code(run: Callable[[argparse.Namespace], int], given: argparse.Namespace) -> int:
    """Run a command and return its exit code; what went wrong is said in one sentence."""
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
        print("\nStopped. Nothing is lost: the same command carries on.", file=sys.stderr)
        return 130


def count(text: str) -> int:
    """Read a whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, not {text!r}")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port, 1 to 65535, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, not {text!r}")
    return seconds
