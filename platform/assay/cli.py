"""`assay …`: thin commands over the library; heavy imports wait until a command needs them."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from assay import __version__
from assay.cli_compare import compare
from assay.cli_samples import evaluate_app, sample
from assay.cli_scaling import scaling_app
from assay.errors import AssayError, TrainingError

if TYPE_CHECKING:
    from assay.cell import Cell
    from assay.plan import CellPlan
    from assay.training.execution import Execution

app = typer.Typer(
    name="assay",
    help="Which model, at what cost, how surely? Benchmarks of models of molecules and graphs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Exit codes: 0 done, 1 a cell failed, 2 bad input or a machine that lacks something.",
)
data_app = typer.Typer(no_args_is_help=True, help="Data sets: what there is, fetch, check.")
app.add_typer(data_app, name="data")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(scaling_app, name="scaling")
app.command()(sample)
app.command()(compare)
console = Console()

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated."),
]
Storage = Annotated[
    Path, typer.Option(envvar="ASSAY_RUNS", help="The run store: finished cells are reused.")
]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads a cell.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: cuda where there is one.")]


def main() -> None:
    """Run the command line; a fault that a user can mend is one sentence and exit code 2."""
    try:
        app()
    except AssayError as error:
        text = Text.assemble(("error: ", "bold red"), str(error))
        Console(stderr=True).print(text, soft_wrap=True)
        sys.exit(1 if isinstance(error, TrainingError) else 2)


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Which model, at what cost, how surely? Benchmarks of models of molecules and graphs."""


@data_app.command("list")
def data_list() -> None:
    """Say which data sets there are, also at ASSAY_SHARDS, and which are prepared here."""
    from assay.store import assets, sets

    table = Table("name", "what", "prepared", "train / validation / test", "licence")
    for row in [*sets.catalogued(), *assets.catalogued()]:
        counts = " / ".join(f"{count:,}" for count in row.counts) if row.counts else "-"
        table.add_row(row.name, row.title, (row.digest or "no")[:12], counts, row.licence)
    console.print(table)


@data_app.command("prepare")
def data_prepare(
    name: Annotated[str, typer.Argument(help="A name of `assay data list`.")],
    source: Annotated[
        str | None,
        typer.Option(help="A path or URL; by default $ASSAY_DATA/NAME, else upstream."),
    ] = None,
) -> None:
    """Fetch, check and pack a data set; does nothing if it is there.

    Example: `assay data prepare qm9 --source ~/gdb9.sdf`
    """
    from assay.store import assets, sets

    prepare = assets.prepare if assets.is_known(name) else sets.prepare
    with console.status(f"preparing {name}") as status:
        packed = prepare(
            name, source, lambda phase, done: status.update(f"{name}: {phase} {done:.0%}")
        )
    typer.echo(f"{name}: {packed.description} (digest {packed.digest[:16]})")


@data_app.command("verify")
def data_verify(name: Annotated[str, typer.Argument(help="A name of `assay data list`.")]) -> None:
    """Hash every array of a prepared data set again, or every shard of a sharded one."""
    from assay.store import assets, sets

    verify = assets.verify if assets.is_known(name) else sets.verify
    with console.status(f"verifying {name}") as status:
        verify(name, lambda phase, done: status.update(f"{name}: {phase} {done:.0%}"))
    typer.echo(f"{name}: every array matches its manifest")


@data_app.command("shard")
def data_shard(
    name: Annotated[str, typer.Argument(help="A name of `assay data list`.")],
    records: Annotated[
        int, typer.Option(min=1, help="Training records a shard; four shards are mixed at a time.")
    ],
    to: Annotated[
        str | None, typer.Option(help="A folder or s3://bucket/prefix; by default $ASSAY_SHARDS.")
    ] = None,
) -> None:
    """Cut a data set into shards that training reads from a folder or a bucket.

    Example: `assay data shard qm9 --records 4096 --to s3://bucket/sets`
    """
    from assay.store.shards_cutting import cut
    from assay.store.shards_place import Place, chosen_place

    place = Place.of(to) if to else chosen_place()
    with console.status(f"sharding {name}") as status:
        index = cut(
            name, records, place, lambda phase, done: status.update(f"{name}: {phase} {done:.0%}")
        )
    typer.echo(
        f"{index.name}: {len(index.train):,} shards at {place.root} (digest {index.digest[:16]})"
    )


@app.command()
def train(
    path: Annotated[Path, typer.Argument(help="CELL.yaml, or SUITE.yaml with --cell.")],
    cell: Annotated[
        str | None,
        typer.Option(help="Of a suite: a variant, a name as `assay plan` has it, or a key."),
    ] = None,
    overrides: Overrides = None,
    storage: Storage = Path("runs"),
    device: Device = "auto",
    threads: Threads = 1,
    accumulation: Annotated[int, typer.Option(min=1, help="Micro-batches a step.")] = 1,
    compiled: Annotated[bool, typer.Option("--compile", help="Use torch.compile.")] = False,
    fresh: Annotated[bool, typer.Option(help="Compute again what is finished.")] = False,
) -> None:
    """Train and evaluate one cell here, without Ray; carries on where it was interrupted.

    Example: `assay train sweeps/grid_mini.yaml --cell gnn-diffusion --set seeds=[1]`
    """
    from assay.reference import reference_for
    from assay.report import terminal_table
    from assay.runner import run_cell
    from assay.watch import progress_bar

    execution = _execution(device, threads, accumulation, compiled)
    chosen = _one_cell(path, cell, tuple(overrides or ()), execution.device)
    typer.echo(f"cell {chosen.key}: {chosen.label}, seed {chosen.seed}, on {execution.device}")
    with progress_bar(console) as watch:
        result = run_cell(chosen, execution, storage, watch, fresh=fresh)
    with console.status("scoring the reference row"):
        reference = reference_for(chosen, storage)
    console.print(terminal_table([result], reference))
    typer.echo(storage / "cells" / chosen.key / "result.json")


@app.command()
def plan(
    suite: Annotated[Path, typer.Argument(help="SUITE.yaml")],
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Say what a suite will cost, from a few measured steps of every cell.

    Example: `assay plan sweeps/grid_qm9.yaml --set budget.samples=1000000`
    """
    import torch

    from assay.cell import load_suite
    from assay.plan import makespan, plan_cells
    from assay.store import sets

    chosen = load_suite(suite, tuple(overrides or ()))
    device = "cuda" if chosen.resources.gpus else "cpu"
    execution = _execution(device, chosen.resources.cpus, 1, False)
    named = chosen.named_cells(sets.prepare(chosen.data).digest, execution.device)
    with Console(stderr=True).status("measuring") as status:
        plans = plan_cells(named, execution, lambda name: status.update(f"measuring {name}"))
    at_once = chosen.at_once(os.cpu_count() or 1, torch.cuda.device_count())
    if as_json:
        plain = [{"name": name, **_plain(plan)} for name, plan in plans.items()]
        typer.echo(json.dumps(plain, indent=1))
        return
    console.print(_plan_table(plans))
    console.print(
        f"{len(plans)} cells, {at_once} at a time on this machine: about "
        f"{_duration(makespan(list(plans.values()), at_once))} (h:min:s), "
        f"{sum(p.disk_bytes for p in plans.values()) / 1e6:,.0f} MB on disk"
    )


@app.command()
def report(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Suite folders; by default all of ./results.")
    ] = None,
    suite: Annotated[
        list[str] | None, typer.Option(help="Only these suites of ./results; may be repeated.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
) -> None:
    """Make one self-contained HTML page from result files.

    Example: `assay report runs/results/grid_mini --out report.html`
    """
    from assay.report import build

    chosen = folders or sorted(p.parent for p in Path("results").glob("*/suite.json"))
    if suite:
        chosen = [folder for folder in chosen if folder.name in suite]
    typer.echo(build(chosen, out))


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Start Ray here once, unless RAY_ADDRESS names one.")
    ] = False,
    storage: Annotated[
        Path | None,
        typer.Option(envvar="ASSAY_RUNS", help="The run store to ask about; by default ./runs."),
    ] = None,
) -> None:
    """Say what works here, what is missing, and the command that mends it.

    **ok** works; **missing** is optional and not here; **broken** is needed and does not work;
    **off** was not asked for. Exit code 1 if something is broken. Nothing is changed, and no
    token or password is shown. [docs/doctor.md](docs/doctor.md) explains every check.

    Example: `assay doctor --deep --storage /scratch/runs`
    """
    from assay import doctor as checks
    from assay.cluster import doctor as ray_checks
    from assay.tracking import doctor as mlflow_checks

    with Console(stderr=True).status("looking") as status:
        found = checks.sections()
        status.update("asking Ray")
        found += ray_checks.sections(storage, deep=deep)
        status.update("asking MLflow")
        found += mlflow_checks.sections(ray_checks.run_store_folder(storage))
    if as_json:
        typer.echo(json.dumps(checks.as_json(found), indent=1, ensure_ascii=False))
    else:
        console.print(checks.table(found))
    raise typer.Exit(checks.exit_code(found))


@app.command()
def drill(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names of drills, or all; without any: the list.")
    ] = None,
    storage: Annotated[
        Path | None,
        typer.Option(help="Keep run stores and logs there; by default a temporary folder."),
    ] = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the verdicts.")] = None,
    as_table: Annotated[
        bool, typer.Option("--table", help="Print docs/reliability.md's table, in Markdown.")
    ] = False,
) -> None:
    """Inject a real fault into a small run, let it carry on, and say what became of it.

    Nine tiny cells are trained on the mini set by processes of their own; nothing else on the
    machine is touched. Everything is compared with an undisturbed run. Exit code 1 if a promise
    of [docs/reliability.md](docs/reliability.md) is broken.

    Example: `assay drill kill-worker`
    """
    from assay.cluster.drills import catalog, session, verdict

    if not names:
        for name, text in session.descriptions().items():
            console.print(f"[bold]{name}[/]\n{text}\n", highlight=False)
        return
    chosen = list(catalog.DRILLS) if names == ["all"] else names
    outcomes = session.carry_out_all(chosen, storage, Console(stderr=True).print)
    verdicts = [each for each in outcomes if isinstance(each, verdict.Verdict)]
    if json_out is not None:
        verdict.write(json_out, verdicts)
    if as_table:
        typer.echo(verdict.markdown(verdicts))
    else:
        console.print(verdict.table(outcomes))
    for each in outcomes:
        for sentence in each.broken if isinstance(each, verdict.Verdict) else (each.reason,):
            console.print(f"{each.drill}: {sentence}", highlight=False, markup=False)
    raise typer.Exit(int(any(not each.kept for each in verdicts)))


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


def _execution(device: str, threads: int, accumulation: int, compiled: bool) -> "Execution":
    import torch

    from assay.config import validate
    from assay.training.execution import Execution

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    given = {
        "device": device,
        "threads": threads,
        "accumulation": accumulation,
        "compile": compiled,
    }
    return validate(Execution, given, "command line")


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


if __name__ == "__main__":
    main()
