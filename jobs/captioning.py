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
other molecules, as a control: what it scores so is not owed to the graphs. Nothing is trained for
that, nor for what --also asks for; all are rows of one table.

examples:
  python jobs/captioning.py                             the mini molecules, on this machine
  python jobs/captioning.py --suite sweeps/captions_chebi20.yaml
  python jobs/captioning.py --suite sweeps/captions_controls.yaml \\
      --also 'settings.generator.decoding={method: beam, beams: 3, candidates: 3}' \\
      --also 'settings.generator.decoding={method: beam, beams: 3, candidates: 3}' \\
             settings.generator.graphs=shuffled
  python jobs/captioning.py --also settings.smiles=canonical --also settings.smiles=randomised
  python jobs/captioning.py --suite sweeps/captions_controls.yaml \\
      --language-model ~/t5-small --language-model ~/Qwen3-0.6B --four-bits
  python jobs/captioning.py --no-control --set 'seeds=[0, 1, 2]'
  ray job submit --working-dir . -- python jobs/captioning.py

Finished cells are reused and interrupted ones carry on: after a crash, a kill or Ctrl-C, the same
command completes what is missing. Results and captions lie in one folder.

exit codes: 0 every cell is finished, 1 some cell failed, 2 bad input, 130 stopped"""
READ_T5 = ("latent_prefix", "latent_prefix_retrieval")
READ_CAUSAL = ("solid_bridge", "solid_bridge_retrieval", "solid_bridge_graph", "language_model")
SHUFFLED = "settings.generator.graphs=shuffled"


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
    add("--language-model", "--llm", type=Path, metavar="PATH", action="append", default=[],
        help="a folder with a pretrained language model: a T5 for latent_prefix, a causal one for "
        "solid_bridge (once for each)")  # fmt: skip
    add("--four-bits", action="store_true",
        help="load the causal one in NF4, 4 bits a weight")  # fmt: skip
    add("--also", action="append", nargs="+", default=[], metavar="KEY=VALUE",
        help="let every trained generator that it concerns write again with this changed, or with "
        "several together, such as 'settings.generator.decoding={method: beam, candidates: 5}' "
        "(repeatable)")  # fmt: skip
    add("--no-control", action="store_true", help="do not write again with the graphs of others")
    add_report(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    return exit_code(run, parse(arguments))


def run(given: argparse.Namespace) -> int:
    """Run the suite and the controls, print their table, and write the report."""
    from rich.console import Console

    from assay import report
    from assay.cell import load_suite
    from assay.cluster.grid import run_suite
    from assay.cluster.publish import publish, write_cards
    from assay.cluster.storage import lasting
    from assay.result import read_reference, read_results

    console = Console()
    suite = load_suite(given.suite, tuple(given.overrides))
    folders = [path.expanduser().absolute() for path in given.language_model]
    if folders or given.four_bits:
        suite = with_language_models(suite, folders, given.four_bits)
    require_of_evaluation(suite, given.also)
    storage = run_store(given, console)
    page = report_page(given, storage)
    folder = lasting(given.results, Path.cwd()) if given.results else None
    outcome = run_suite(suite, storage, grid_options(given, folder), console)
    failures = dict(outcome.failures)
    if outcome.finished:
        results = read_results(outcome.folder)
        again = [*given.also, *([] if given.no_control else [[SHUFFLED]])]
        if again:
            made, failed = controls(storage, results, again, suite.device, console)
            failures |= failed
            found = [*results, *made]
            keys = [each.provenance.cell_key for each in found]
            publish(suite, keys, storage, outcome.folder)
            write_cards(keys, outcome.folder)
            results = read_results(outcome.folder)
        console.print(report.terminal_table(results, read_reference(outcome.folder)))
        report.build([outcome.folder], page)
    for name, reason in failures.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    console.print(f"results  {outcome.folder}", highlight=False, soft_wrap=True, markup=False)
    return 1 if failures else 0


def with_language_models(suite: Any, folders: list[Path], four_bits: bool) -> Any:
    """Return the suite with pretrained models in the place of those that start from nothing.

    Raises:
        ConfigError: a folder holds no model, none of the suite's generators reads it, or there is
            no causal one to load in 4 bits.
    """
    from assay.cell import Suite
    from assay.config import validate
    from assay.errors import ConfigError

    rules, has_causal = [], False
    for folder in folders:
        is_t5 = kind_of(folder) == "t5"
        has_causal |= not is_t5
        weights = {"model": str(folder), **({"quantise": "nf4"} if four_bits and not is_t5 else {})}
        readers = [g for g in suite.grid["generator"] if g in (READ_T5 if is_t5 else READ_CAUSAL)]
        if not readers:
            raise ConfigError(f"--language-model {folder}: no generator of {suite.name} reads it")
        values = {
            f"settings.generator.{'small' if is_t5 else 'scratch'}": None,
            "settings.generator.language_model": weights,
        }
        rules += [{"when": {"generator": each}, "set": values} for each in readers]
    if four_bits and not has_causal:
        raise ConfigError("--four-bits: belongs to a causal --language-model, and none is given")
    plain = suite.model_dump(mode="json", exclude_none=True)
    changed = {"name": f"{suite.name}_pretrained", "rules": [*plain["rules"], *rules]}
    return validate(Suite, {**plain, **changed}, "--language-model")


def kind_of(folder: Path) -> str:
    """Return which kind of model a folder holds, as transformers calls it.

    Raises:
        ConfigError: it holds none.
    """
    import json

    from assay.errors import ConfigError

    try:
        return str(json.loads((folder / "config.json").read_text())["model_type"])
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"--language-model {folder}: holds no model as transformers saves them ({error})"
        ) from error


def require_of_evaluation(suite: Any, again: list[list[str]]) -> None:
    """Refuse what is to be changed of trained generators, before any is trained.

    Raises:
        ConfigError: there is no such setting, training depends on it, or it has no such value.
    """
    from assay import catalog
    from assay.cell import Cell
    from assay.config import apply_overrides, did_you_mean, validate
    from assay.errors import ConfigError

    family = catalog.family(suite.family)
    free = [family.of_evaluation(variant) for variant in suite.variants()]
    free = [keys for keys in free if "settings.generator.graphs" in keys]  # others learn nothing
    for changes in again:
        if not any(concerns(keys, changes) for keys in free):
            named = " ".join(changes)
            key = changes[0].partition("=")[0]
            near = did_you_mean(key, {each for keys in free for each in keys})
            raise ConfigError(
                f"--also {named}: is nothing that a trained generator of {suite.name} can be "
                f"evaluated with{near}"
            )
        for cell in suite.cells("0" * 16):  # whatever data is prepared
            told = cell.model_dump(mode="json")
            if heeds(told["settings"]["generator"], family.of_evaluation(cell.variant), changes):
                validate(Cell, apply_overrides(told, changes), f"--also {' '.join(changes)}")


def concerns(free: frozenset[str], changes: list[str]) -> bool:
    """Return whether all that is changed is among settings, or holds some of them."""
    keys = [change.partition("=")[0].strip() for change in changes]
    return all(any(each == key or each.startswith(f"{key}.") for each in free) for key in keys)


def heeds(generator: Any, free: frozenset[str], changes: list[str]) -> bool:
    """Return whether a generator's evaluation may be changed so, and may come out otherwise."""
    reads_no_graph = generator.get("inputs") == "smiles"
    return concerns(free, changes) and not (SHUFFLED in changes and reads_no_graph)


def controls(
    storage: Path, results: list[Any], again: list[list[str]], device: str, console: Any
) -> tuple[list[Any], dict[str, str]]:
    """Return what each trained generator scores with each change, such as the graphs of others.

    And why there is none, by what it would have been of.
    """
    import torch

    from assay import catalog
    from assay.errors import MachineError
    from assay.trained import evaluate_as

    found, failed = [], {}
    for result in results:
        generator = result.cell["settings"]["generator"]
        if "graphs" not in generator:
            continue  # it learns nothing
        free = catalog.family(result.cell["family"]).of_evaluation(result.cell["variant"])
        for changes in again:
            if not heeds(generator, free, changes):
                continue  # another generator has it
            told = " ".join(changes)
            try:
                other = evaluate_as(storage, result, changes, torch.device(device))
            except MachineError as error:  # such as a driver without a GPU
                failed[f"{result.label} with {told}"] = str(error)
                continue
            if other.provenance.cell_key == result.provenance.cell_key:
                continue  # it is so already
            found.append(other)
            name = next(iter(other.estimates))
            line = f"{result.label}: {name} {result.estimates[name].value:.3f}, with {told} "
            console.print(
                f"{line}{other.estimates[name].value:.3f}",
                highlight=False, soft_wrap=True, markup=False,
            )  # fmt: skip
    return found, failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
