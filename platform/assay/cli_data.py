"""The commands about data sets."""

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from assay.cli_options import AsJSON, DataSetName, aside, console, exit_codes, print_json

data_app = typer.Typer(
    no_args_is_help=True,
    help="Data sets: what there is, fetch, check.",
    epilog="Example: `assay data list`. " + exit_codes(),
)
PLAIN = exit_codes()


@data_app.command("list", epilog=PLAIN)
def data_list(as_json: AsJSON = False) -> None:
    """Say which data sets there are, also at ASSAY_SHARDS, and which are prepared here.

    Example: `assay data list --json`
    """
    from assay.store import assets, sets

    rows = [*sets.catalogued(), *assets.catalogued()]
    if as_json:
        print_json([_plain(row) for row in rows])
        return
    table = Table("name", "what", "prepared", "train / validation / test", "licence")
    for row in rows:
        counts = " / ".join(f"{count:,}" for count in row.counts) if row.counts else "-"
        table.add_row(row.name, row.title, (row.digest or "no")[:12], counts, row.licence)
    console.print(table)


@data_app.command("prepare", epilog=PLAIN)
def data_prepare(
    name: DataSetName,
    source: Annotated[
        str | None,
        typer.Option(help="A path or URL; by default $ASSAY_DATA/NAME, else upstream."),
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Fetch, check and pack a data set; does nothing if it is there.

    Example: `assay data prepare qm9 --source ~/gdb9.sdf`
    """
    from assay.store import assets, sets

    prepare = assets.prepare if assets.is_known(name) else sets.prepare
    with aside.status(f"preparing {name}") as status:
        packed = prepare(
            name, source, lambda phase, done: status.update(f"{name}: {phase} {done:.0%}")
        )
    if as_json:
        print_json({"name": name, "description": packed.description, "digest": packed.digest})
    else:
        typer.echo(f"{name}: {packed.description} (digest {packed.digest[:16]})")


@data_app.command("verify", epilog=PLAIN)
def data_verify(name: DataSetName, as_json: AsJSON = False) -> None:
    """Hash every array of a prepared data set again, or every shard of a sharded one.

    Example: `assay data verify qm9`
    """
    from assay.store import assets, sets

    verify = assets.verify if assets.is_known(name) else sets.verify
    with aside.status(f"verifying {name}") as status:
        found = verify(name, lambda phase, done: status.update(f"{name}: {phase} {done:.0%}"))
    if as_json:
        print_json({"name": name, "digest": found.digest, "verified": True})
    else:
        typer.echo(f"{name}: every array matches its manifest")


@data_app.command("shard", epilog=PLAIN)
def data_shard(
    name: DataSetName,
    records: Annotated[
        int, typer.Option(min=1, help="Training records a shard; four shards are mixed at a time.")
    ],
    to: Annotated[
        str | None, typer.Option(help="A folder or s3://bucket/prefix; by default $ASSAY_SHARDS.")
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Cut a data set into shards that training reads from a folder or a bucket.

    Example: `assay data shard qm9 --records 4096 --to s3://bucket/sets`
    """
    from assay.store.shards_cutting import cut
    from assay.store.shards_place import Place, chosen_place

    place = Place.of(to) if to else chosen_place()
    with aside.status(f"sharding {name}") as status:
        index = cut(
            name, records, place, lambda phase, done: status.update(f"{name}: {phase} {done:.0%}")
        )
    if as_json:
        made = {"name": index.name, "shards": len(index.train), "digest": index.digest}
        print_json(made | {"place": str(place.root)})
    else:
        shards = f"{len(index.train):,} shards at {place.root}"
        typer.echo(f"{index.name}: {shards} (digest {index.digest[:16]})")


@data_app.command("describe", epilog=PLAIN)
def data_describe(
    name: DataSetName,
    as_croissant: Annotated[
        bool, typer.Option("--croissant", help="Print Croissant 1.0 metadata (JSON-LD).")
    ] = False,
    as_json: AsJSON = False,
) -> None:
    """Say what a prepared data set is: licence, citation, counts, arrays, digests.

    Example: `assay data describe qm9 --croissant`
    """
    from assay.store import croissant

    if as_croissant:
        print_json(croissant.croissant(name))
        return
    found = croissant.describe(name)
    if as_json:
        print_json(found)
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    arrays = [f"{k}: {e['dtype']} {tuple(e['shape'])}" for k, e in found.pop("arrays").items()]
    counts = " / ".join(f"{count:,}" for count in found.pop("counts").values())
    for key, value in {**found, "records": counts, "arrays": "\n".join(arrays)}.items():
        table.add_row(key, Text(str(value)))
    console.print(table)


def _plain(row: Any) -> dict[str, Any]:
    return {
        "name": row.name,
        "title": row.title,
        "licence": row.licence,
        "digest": row.digest,
        "counts": list(row.counts) if row.counts else None,
    }
