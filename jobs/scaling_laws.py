#!/usr/bin/env python
"""Measure a ladder of sizes, records and budgets, and fit scaling laws to it."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from _options import add_shared, command, count, exit_code, grid_options, results_root, run_store

if TYPE_CHECKING:
    from rich.console import Console

    from assay.result import Result

EXAMPLES = """\
A suite with a section `ladder` is run: every size with every number of training records at every
share of the budget. With schedule constant and warmup_steps, a larger budget begins where the
smaller one cools down. Then a law is fitted for every variant and every figure, with intervals, and
what the runs cannot tell is said in words. `assay plan SUITE` says beforehand what it costs.

examples:
  python jobs/scaling_laws.py
  python jobs/scaling_laws.py --figure held_out/x_mse --form params_samples
  ray job submit --working-dir . -- python jobs/scaling_laws.py --suite sweeps/scaling_mini.yaml

Finished cells are reused: the same command completes what is missing.
Results are the suite's folder, and in it `laws/`: of every law its runs, which `assay scaling fit`
reads, and the law as JSON and as a page.

exit codes: 0 all is finished, 1 some cell failed, 2 bad input, 130 stopped"""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = command(__doc__, EXAMPLES)
    root = Path(__file__).resolve().parent.parent
    add_shared(
        parser,
        suite=root / "sweeps" / "scaling_mini.yaml",
        what="run",
        at_a_time="cells",
        fresh="train again what is finished; the old is kept",
        files="results and laws",
    )
    add = parser.add_argument
    add("--figure", action="append", dest="figures", metavar="METRIC", default=[],
        help="what falls, by its name in the results; may be repeated (default: held_out/x_mse, "
        "and edm/atom_stability or cdvae/validity as what is missing from 1)")  # fmt: skip
    add("--form", default="auto", metavar="FORM",
        choices=("auto", "params_samples", "repeated", "repeated_samples", "params", "samples",
                 "flops"),
        help="of the laws, as for `assay scaling fit` (default: auto)")  # fmt: skip
    add("--bootstraps", type=count, metavar="B", default=1000,
        help="resamples of the runs, for the intervals (default: 1000)")  # fmt: skip
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    return exit_code(run, parse(arguments))


def run(given: argparse.Namespace) -> int:
    """Run the ladder, then fit."""
    from rich.console import Console

    from assay.cell import load_suite
    from assay.cluster.grid import run_suite
    from assay.errors import ConfigError
    from assay.report import ladder
    from assay.result import read_results

    console = Console()
    suite = load_suite(given.suite, tuple(given.overrides))
    if suite.ladder is None:
        raise ConfigError(f"{given.suite}: has no section ladder, which this job runs")
    storage = run_store(given, console)
    folder = results_root(given, storage, suite.name)
    if any(folder.glob("*.metrics.jsonl")):  # a wrong figure is said before hours of training
        ladder.figures_of(read_results(folder), given.figures)
    outcome = run_suite(suite, storage, grid_options(given, folder), console)
    if outcome.finished:
        results = read_results(outcome.folder)
        if outcome.failures:
            console.print(f"laws of {len(results)} cells; {len(outcome.failures)} have failed")
        ladder.drop_older(folder / "laws", results)
        for figure in ladder.figures_of(results, given.figures):
            for label in dict.fromkeys(result.label for result in results):
                _fit(results, label, figure, given, folder / "laws", console)
    for name, reason in outcome.failures.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    console.print(f"results  {folder}", highlight=False, soft_wrap=True, markup=False)
    return 1 if outcome.failures else 0


def _fit(
    results: "list[Result]",
    label: str,
    figure: str,
    given: argparse.Namespace,
    folder: Path,
    console: "Console",
) -> None:
    """Write the runs of a variant and the law of one figure, or print why there is none."""
    from assay.errors import DataError
    from assay.report import ladder
    from assay.report.scaling import document, draw, tables
    from assay.result import write_json
    from assay.statistics.scaling.runs import read_runs
    from assay.statistics.scaling.study import study

    title = f"{label}: {ladder.column(figure)}"
    stem = folder / f"{label}.{figure.replace('/', '.')}"
    runs, law, page = (stem.with_name(f"{stem.name}.{end}") for end in ("csv", "json", "html"))
    found = ladder.rows(results, label, figure)
    console.rule(title)
    try:
        if not found:
            runs.unlink(missing_ok=True)
            raise DataError(f"{figure}: was measured in no cell of {label}")
        ladder.write_csv(found, runs)
        with console.status("fitting") as status:
            studied = study(
                read_runs(runs), given.form, given.bootstraps,
                watch=lambda what, done: status.update(f"{what} {done:.0%}"),
            )  # fmt: skip
    except DataError as error:
        law.unlink(missing_ok=True)
        page.unlink(missing_ok=True)
        console.print(f"no law: {error}", highlight=False, soft_wrap=True, markup=False)
        return
    write_json(law, document(studied, runs.name))
    draw(studied, title, page)
    for table in tables(studied):
        console.print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
