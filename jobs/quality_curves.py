#!/usr/bin/env python
"""How good a suite's models are after how many seconds of training, and with how many steps."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from _options import (
    add_shared,
    command,
    count,
    exit_code,
    grid_options,
    results_root,
    run_store,
)

if TYPE_CHECKING:
    from assay.cell import Suite

EXAMPLES = """\
The suite is run as it is and with fractions of its budget, each of which is a training of its own
with its own schedule. Then every cell of the whole budget is sampled with other numbers of steps.

examples:
  python jobs/quality_curves.py --fractions 0.25 0.5 --steps 10 25 50 100
  python jobs/quality_curves.py --suite sweeps/quality_qm9_gnn.yaml
  ray job submit --working-dir . -- python jobs/quality_curves.py

Finished cells and finished numbers of steps are reused: the same command completes what is missing.
Results are curves.json and curves.html beside the folders of the suites; give the folder to
`assay report` for the same beside other results.

exit codes: 0 all is finished, 1 some cell failed, 2 bad input, 130 stopped"""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = command(__doc__, EXAMPLES)
    root = Path(__file__).resolve().parent.parent
    add_shared(
        parser,
        suite=root / "sweeps" / "grid_mini.yaml",
        what="run",
        at_a_time="cells",
        fresh="train again what is finished; the old is kept",
        files="a folder for every budget, and the curves,",
    )
    add = parser.add_argument
    add("--fractions", nargs="+", type=_fraction, default=[0.25, 0.5], metavar="F",
        help="of the suite's budget, beside all of it (default: 0.25 0.5)")  # fmt: skip
    add("--steps", nargs="+", type=count, default=[10, 25, 50, 100, 250], metavar="N",
        help="intervals of the sampler (default: 10 25 50 100 250)")  # fmt: skip
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    return exit_code(run, parse(arguments))


def run(given: argparse.Namespace) -> int:
    """Run every budget, then every number of steps; write both curves."""
    from rich.console import Console

    from assay.cell import load_suite
    from assay.cluster.grid import run_suite
    from assay.errors import ConfigError
    from assay.report import curves
    from assay.report.wording import FRACTIONS
    from assay.result import read_results, write_json
    from assay.runner import cell_directory

    console = Console()
    whole = load_suite(given.suite, tuple(given.overrides))
    if whole.ladder is not None and len(whole.ladder.rungs()) > 1:
        raise ConfigError(
            f"{given.suite}: has a ladder, whose rungs are no points of one curve; draw it with "
            "jobs/scaling_laws.py"
        )
    storage = run_store(given, console)
    root = results_root(given, storage, whole.name)
    failures, budgets, finished = {}, [], []
    for fraction in (*sorted(set(given.fractions)), 1.0):
        suite = load_suite(given.suite, (*given.overrides, *_part(whole, fraction)))
        options = grid_options(given, root / suite.name)
        outcome = run_suite(suite, storage, options, console)
        failures |= {f"{suite.name} {k}": reason for k, reason in outcome.failures.items()}
        finished = read_results(outcome.folder) if outcome.finished else []
        budgets += curves.of_budget(finished)
    steps = []
    for result in finished:
        key, kept = result.provenance.cell_key, root / f"{result.provenance.cell_key}.steps.json"
        with console.status(f"{result.label}, seed {result.cell['seed']}") as status:
            steps += curves.of_steps(
                cell_directory(storage, key), kept, given.steps,
                lambda phase, done: status.update(f"{phase} {done:.0%}"),
            )  # fmt: skip
    document = {"title": whole.title, "budgets": budgets, "steps": steps}
    write_json(root / "curves.json", document)
    curves.draw(document, sorted(FRACTIONS), root / "curves.html")
    for name, reason in failures.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    console.print(f"results  {root}", highlight=False, soft_wrap=True, markup=False)
    return 1 if failures else 0


def _part(whole: "Suite", fraction: float) -> tuple[str, ...]:
    if fraction == 1:
        return ()
    budget = whole.budget.part(fraction).model_dump(exclude_none=True)
    return (f"name={whole.name}_{round(100 * fraction)}", f"budget={budget}")


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, not {text!r}")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
