"""The commands that train a cell here, and that say beforehand what a suite will cost."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from assay import cli_completion as completion
from assay.cli_options import (
    AsJSON,
    Device,
    Overrides,
    Storage,
    Threads,
    aside,
    console,
    print_json,
)

if TYPE_CHECKING:
    from assay.cell import Cell
    from assay.interruption import Interruption
    from assay.plan import CellPlan


def train(
    path: Annotated[Path, typer.Argument(help="CELL.yaml, or SUITE.yaml with --cell.")],
    cell: Annotated[
        str | None,
        typer.Option(
            help="Of a suite: a variant, a name as `assay plan` has it, or a key.",
            autocompletion=completion.cells_of_suite,
        ),
    ] = None,
    overrides: Overrides = None,
    storage: Storage = Path("runs"),
    device: Device = "auto",
    threads: Threads = 1,
    accumulation: Annotated[int, typer.Option(min=1, help="Micro-batches a step.")] = 1,
    compiled: Annotated[bool, typer.Option("--compile", help="Use torch.compile.")] = False,
    fresh: Annotated[bool, typer.Option(help="Compute again what is finished.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Train and evaluate one cell here, without Ray; carries on where it was interrupted.

    Ctrl-C saves the state and stops; the same command carries on.

    Example: `assay train sweeps/grid_mini.yaml --cell gnn-diffusion --set seeds=[1]`
    """
    from assay.reference import reference_for
    from assay.report import terminal_table
    from assay.runner import cell_directory, run_cell
    from assay.training.execution import chosen_execution
    from assay.watch import progress_bar

    execution = chosen_execution(device, threads, accumulation, compiled)
    chosen = _one_cell(path, cell, tuple(overrides or ()), execution.device)
    aside.print(
        f"cell {chosen.key}: {chosen.label}, seed {chosen.seed}, on {execution.device}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    folder = cell_directory(storage, chosen.key)
    with progress_bar(aside) as watch, stopped_with_its_state_saved(folder) as stop:
        result = run_cell(
            chosen, execution, storage, stop.watching(watch), fresh=fresh, manner=stop.manner
        )
    if as_json:
        print_json(result.model_dump(mode="json"))
        return
    with aside.status("scoring the reference row"):
        reference = reference_for(chosen, storage)
    console.print(terminal_table([result], reference))
    typer.echo(folder / "result.json")


def plan(
    suite: Annotated[Path, typer.Argument(help="SUITE.yaml")],
    overrides: Overrides = None,
    as_json: AsJSON = False,
) -> None:
    """Say what a suite will cost, from a few measured steps of every cell.

    Example: `assay plan sweeps/grid_qm9.yaml --set budget.samples=1000000`
    """
    import torch

    from assay.cell import load_suite
    from assay.plan import makespan, plan_cells
    from assay.store import sets
    from assay.training.execution import chosen_execution

    chosen = load_suite(suite, tuple(overrides or ()))
    device = "cuda" if chosen.resources.gpus else "cpu"
    execution = chosen_execution(device, chosen.resources.cpus)
    named = chosen.named_cells(sets.prepare(chosen.data).digest, execution.device)
    with aside.status("measuring") as status:
        plans = plan_cells(named, execution, lambda name: status.update(f"measuring {name}"))
    at_once = chosen.at_once(os.cpu_count() or 1, torch.cuda.device_count())
    if as_json:
        print_json([{"name": name, **_plain(plan)} for name, plan in plans.items()])
        return
    console.print(_plan_table(plans))
    console.print(
        f"{len(plans)} cells, {at_once} at a time on this machine: about "
        f"{_duration(makespan(list(plans.values()), at_once))} (h:min:s), "
        f"{sum(p.disk_bytes for p in plans.values()) / 1e6:,.0f} MB on disk"
    )


@contextlib.contextmanager
def stopped_with_its_state_saved(folder: Path) -> "Iterator[Interruption]":
    """Let Ctrl-C stop the cell of `folder` with its state saved, and say how to carry on."""
    from assay.interruption import Interruption
    from assay.training.checkpoint import newest_step

    try:
        with Interruption(lambda words: aside.print(words, highlight=False)) as stop:
            yield stop
    except KeyboardInterrupt as interrupt:
        step = newest_step(folder / "checkpoints")
        begin = f"from step {step:,}" if step else "from the beginning: nothing was saved yet"
        raise KeyboardInterrupt(f"The same command carries on {begin}.") from interrupt


def _one_cell(
    path: Path, label: str | None, overrides: tuple[str, ...], device: Literal["cpu", "cuda"]
) -> "Cell":
    from assay.cell import load_suite, select
    from assay.config import load_yaml
    from assay.errors import ConfigError
    from assay.runner import read_cell
    from assay.store import sets

    if "grid" not in load_yaml(path):
        if label is not None:
            raise ConfigError(f"{path}: is one cell, not a suite: leave out --cell {label}")
        return read_cell(path, overrides)
    suite = load_suite(path, overrides)
    named = suite.named_cells(sets.prepare(suite.data).digest, device)
    if label is None:
        known = [*dict.fromkeys(name.rpartition(" s")[0] for name in named)]
        some = ", ".join(known[:9]) + (f" … of {len(known)}" if len(known) > 9 else "")
        raise ConfigError(f"{path}: is a suite: choose one cell with --cell ({some})")
    return select(named, label)


def _plan_table(plans: "dict[str, CellPlan]") -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("cell", overflow="fold")  # a narrow terminal breaks names, never numbers
    for heading in ("parameters", "MFLOP a\nsample", "steps", "training", "evaluation"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, plan in plans.items():
        table.add_row(
            name,
            f"{plan.parameters:,}",
            f"{plan.flops_per_sample / 1e6:,.1f}",
            f"{plan.steps:,}" + (f" ({plan.shared_steps:,} shared)" if plan.shared_steps else ""),
            _duration(plan.training_seconds),
            _duration(plan.evaluation_seconds),
        )
    return table


def _plain(plan: "CellPlan") -> dict[str, object]:
    return {
        "cell_key": plan.cell.key,
        "label": plan.cell.label,
        "seed": plan.cell.seed,
        "parameters": plan.parameters,
        "flops_per_sample": plan.flops_per_sample,
        "steps": plan.steps,
        "shared_steps": plan.shared_steps,
        "training_seconds": plan.training_seconds,
        "evaluation_seconds": plan.evaluation_seconds,
        "disk_bytes": plan.disk_bytes,
    }


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
