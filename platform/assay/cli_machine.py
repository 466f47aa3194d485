"""The commands about this machine: what works on it, and what faults do to a run."""

from pathlib import Path
from typing import Annotated

import typer

from assay import cli_completion as completion
from assay.cli_options import AsJSON, JSONOut, aside, console, print_json


def doctor(
    as_json: AsJSON = False,
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

    with aside.status("looking") as status:
        found = checks.sections()
        status.update("asking Ray")
        found += ray_checks.sections(storage, deep=deep)
        status.update("asking MLflow")
        found += mlflow_checks.sections(ray_checks.run_store_folder(storage))
    if as_json:
        print_json(checks.as_json(found))
    else:
        console.print(checks.table(found))
    raise typer.Exit(checks.exit_code(found))


def drill(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names of drills, or all; without any: the list.",
            autocompletion=completion.drills,
        ),
    ] = None,
    storage: Annotated[
        Path | None,
        typer.Option(help="Keep run stores and logs there; by default a temporary folder."),
    ] = None,
    json_out: JSONOut = None,
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
        _list_drills(session.descriptions(), json_out)
        return
    chosen = list(catalog.DRILLS) if names == ["all"] else names
    outcomes = session.carry_out_all(chosen, storage, aside.print)
    verdicts = [each for each in outcomes if isinstance(each, verdict.Verdict)]
    if json_out == Path("-"):
        print_json([each.model_dump(mode="json") for each in verdicts])
    else:
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


def _list_drills(described: dict[str, str], json_out: Path | None) -> None:
    from assay.result import write_json

    if json_out == Path("-"):
        print_json(described)
        return
    if json_out is not None:
        write_json(json_out, dict(described))
    for name, text in described.items():
        console.print(f"[bold]{name}[/]\n{text}\n", highlight=False)
