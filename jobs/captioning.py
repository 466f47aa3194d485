#!/usr/bin/env python
"""How well are molecules put into words, and is it their graphs that the words are owed to?"""

import argparse
import sys
from pathlib import Path
from typing import Any

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
The suite, generators x seeds, is run; then every trained generator writes again with the graphs of
other molecules, as a control: what it scores so is not owed to the graphs.

examples:
  python jobs/captioning.py                             the mini molecules, on this machine
  python jobs/captioning.py --suite sweeps/captions_chebi20.yaml
  python jobs/captioning.py --suite sweeps/captions_chebi20.yaml --language-model ~/t5-small
  python jobs/captioning.py --no-control --set 'seeds=[0, 1, 2]'
  ray job submit --working-dir . -- python jobs/captioning.py

Finished cells are reused and interrupted ones carry on: after a crash, a kill or Ctrl-C, the same
command completes what is missing. Results, captions and controls.json lie in one folder.

exit codes: 0 every cell is finished, 1 some cell failed, 2 bad input, 130 stopped"""
PREFIX = "latent_prefix"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = command(__doc__, EXAMPLES)
    root = Path(__file__).resolve().parent.parent
    add_shared(
        parser,
        suite=root / "sweeps" / "captions_mini.yaml",
        what="run",
        at_a_time="cells",
        fresh="compute again what is finished; the old is kept",
        files="result files are published",
    )
    add = parser.add_argument
    add("--language-model", type=Path, metavar="PATH",
        help="a folder with a pretrained T5, for latent_prefix")  # fmt: skip
    add("--no-control", action="store_true", help="do not write again with the graphs of others")
    add_report(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    return exit_code(run, parse(arguments))


def run(given: argparse.Namespace) -> int:
    """Run the suite, print its table and the controls, and write the report."""
    from rich.console import Console

    from assay import report
    from assay.cell import load_suite
    from assay.cluster.grid import run_suite
    from assay.cluster.storage import lasting
    from assay.result import read_reference, read_results, write_json

    console = Console()
    suite = load_suite(given.suite, tuple(given.overrides))
    if given.language_model is not None:
        suite = with_language_model(suite, given.language_model.expanduser().absolute())
    storage = run_store(given, console)
    page = report_page(given, storage)
    folder = lasting(given.results, Path.cwd()) if given.results else None
    outcome = run_suite(suite, storage, grid_options(given, folder), console)
    if outcome.finished:
        results, reference = read_results(outcome.folder), read_reference(outcome.folder)
        console.print(report.terminal_table(results, reference))
        report.build([outcome.folder], page)
        if not given.no_control:
            found = controls(storage, results, console)
            write_json(outcome.folder / "controls.json", found)
    for name, reason in outcome.failures.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    console.print(f"results  {outcome.folder}", highlight=False, soft_wrap=True, markup=False)
    return 1 if outcome.failures else 0


def with_language_model(suite: Any, folder: Path) -> Any:
    """Return the suite with a pretrained T5 in the place of one that starts from nothing."""
    from assay.cell import Suite
    from assay.config import validate

    rule = {
        "when": {"generator": PREFIX},
        "set": {
            "settings.generator.small": None,
            "settings.generator.language_model": str(folder),
        },
    }
    plain = suite.model_dump(mode="json", exclude_none=True)
    changed = {"name": f"{suite.name}_pretrained", "rules": [*plain["rules"], rule]}
    return validate(Suite, {**plain, **changed}, "--language-model")


def controls(storage: Path, results: list[Any], console: Any) -> dict[str, Any]:
    """Return, by cell key, what each trained generator scores with the graphs of others."""
    from assay.runner import cell_directory
    from assay.trained import open_trained

    found = {}
    for result in results:
        key, generator = result.provenance.cell_key, result.cell["settings"]["generator"]
        if generator.get("graphs") != "given":
            continue
        other = open_trained(cell_directory(storage, key), ["settings.generator.graphs=shuffled"])
        scores = other.task.evaluate(other.model, other.data, lambda phase, done: None)
        found[key] = {name: estimate.model_dump() for name, estimate in scores.items()}
        name = next(iter(scores))
        line = f"{result.label}: {name} {result.estimates[name].value:.3f}, with the graphs of "
        console.print(f"{line}others {scores[name].value:.3f}", highlight=False)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
