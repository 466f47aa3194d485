"""The commands about samples: draw them from a trained cell, score anybody's."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from assay import cli_completion as completion
from assay.cli_options import (
    AsJSON,
    CellKey,
    JSONOut,
    Published,
    Storage,
    aside,
    console,
    exit_codes,
    print_json,
)

if TYPE_CHECKING:
    from assay.trained import TrainedCell

PLAIN = exit_codes()
SYSTEMS, NETWORKS = (".npz", ".xyz", ".extxyz"), (".jsonl",)
"""How `assay sample` writes molecules or crystals, and metabolic networks."""
evaluate_app = typer.Typer(
    no_args_is_help=True,
    help="Score samples that Assay did not make, under the same protocols.",
    epilog="Example: `assay evaluate molecules samples.xyz`. " + exit_codes(),
)

Protocols = Annotated[
    list[str] | None,
    typer.Option(
        "--protocol", help="Only this protocol; may be repeated. By default all that can be used."
    ),
]


@evaluate_app.command("molecules", epilog=PLAIN)
def evaluate_molecules(
    samples: Annotated[Path, typer.Argument(help="SAMPLES.(xyz|extxyz|sdf|npz), in Å.")],
    reference: Annotated[
        str | None,
        typer.Option(
            help="qm9 or mini: adds what needs a reference, and the data's own row.",
            autocompletion=completion.data_sets,
        ),
    ] = None,
    protocol: Protocols = None,
    json_out: JSONOut = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes for RDKit.")] = 2,
) -> None:
    """Score molecules: validity, novelty, FCD, likeness, geometry, plausibility.

    Example: `assay evaluate molecules samples.xyz --reference qm9 --json scores.json`
    """
    from assay.generation.metrics.evaluate import evaluate_molecules as score
    from assay.generation.metrics.evaluate import table

    _score(lambda watch: score(samples, reference, processes, protocol, watch), table, json_out)


@evaluate_app.command("crystals", epilog=PLAIN)
def evaluate_crystals(
    samples: Annotated[Path, typer.Argument(help="SAMPLES.(cif|csv|extxyz|npz), in Å.")],
    reference: Annotated[
        str | None,
        typer.Option(
            help="mp20 or mini_crystals: adds coverage, novelty and the data's own row.",
            autocompletion=completion.data_sets,
        ),
    ] = None,
    protocol: Protocols = None,
    energies: Annotated[
        str | None,
        typer.Option(
            help="chgnet: adds how many are stable, unique and novel, by this potential; the "
            "reference's training crystals are the hull.",
        ),
    ] = None,
    json_out: JSONOut = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes for fingerprints and relaxations.")
    ] = 2,
) -> None:
    """Score crystals: validity, coverage, distances of properties, novelty, stability.

    A .csv has a column `cif` of CIF strings, as MP-20 is published.

    Example: `assay evaluate crystals samples.csv --reference mp20 --energies chgnet`
    """
    from assay.generation.metrics.evaluate import evaluate_crystals as score
    from assay.generation.metrics.evaluate import table

    _score(
        lambda watch: score(samples, reference, processes, protocol, watch, energies),
        table,
        json_out,
    )


def _score(
    score: Callable[[Callable[[str, float], None] | None], dict[str, Any]],
    table: Callable[[dict[str, Any]], Table],
    json_out: Path | None,
) -> None:
    from assay.result import write_json

    if json_out == Path("-"):
        print_json(score(None))
        return
    with aside.status("reading") as status:
        document = score(lambda phase, done: status.update(f"{phase} {done:.0%}"))
    if json_out is not None:
        write_json(json_out, document)
    console.print(table(document))
    for remark in document["provenance"].get("remarks", ()):
        console.print(remark, markup=False, highlight=False)


@evaluate_app.command("captions", epilog=PLAIN)
def evaluate_captions(
    pairs: Annotated[
        Path,
        typer.Argument(help="PAIRS.jsonl: prediction, reference and perhaps smiles, a line each."),
    ],
    protocol: Annotated[
        list[str] | None,
        typer.Option(help="Only this protocol; may be repeated. By default all, without a model."),
    ] = None,
    bert: Annotated[
        Path | None, typer.Option(help="A model's folder: adds BERTScore by that model.")
    ] = None,
    llamo: Annotated[
        Path | None,
        typer.Option(help="A tokenizer's folder: adds LLaMo's protocol by that tokenizer."),
    ] = None,
    json_out: JSONOut = None,
) -> None:
    """Score captions: their words against a reference's, their claims against the molecule.

    Example: `assay evaluate captions pairs.jsonl --json scores.json`
    """
    from assay.captioning.metrics.evaluate import evaluate_captions as score
    from assay.generation.metrics.evaluate import table

    _score(lambda watch: score(pairs, protocol, bert, watch, llamo), table, json_out)


@evaluate_app.command("csp", epilog=PLAIN)
def evaluate_csp(
    predictions: Annotated[
        Path, typer.Argument(help="PREDICTIONS.(cif|csv|extxyz|npz): K for each target, in order.")
    ],
    targets: Annotated[Path, typer.Argument(help="TARGETS.(cif|csv|extxyz|npz).")],
    json_out: JSONOut = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes for matching.")] = 2,
) -> None:
    """Score predicted structures: match rate, RMSE and cRMSE, the best of K for each target.

    Example: `assay evaluate csp predicted.csv test.csv --json scores.json`
    """
    from assay.generation.metrics.evaluate import evaluate_predictions as score
    from assay.generation.metrics.evaluate import table

    _score(lambda watch: score(predictions, targets, processes), table, json_out)


@evaluate_app.command("links", epilog=PLAIN)
def evaluate_links(
    scores: Annotated[
        Path, typer.Argument(help="SCORES.npz: arrays pos (edges) and neg (pairs that are none).")
    ],
    json_out: JSONOut = None,
) -> None:
    """Score links: the share of edges above the 10th, 20th and 30th best pair that is none.

    pos and neg are one float a pair, the higher the surer; a cell's artifacts/scores.npz is such a
    file. For ogbl-ddi give all 133,489 test edges and all 95,599 test negatives.

    Example: `assay evaluate links scores.npz --json hits.json`
    """
    from assay.generation.metrics.evaluate import table
    from assay.interactions.score_file import evaluate_links as score

    _score(lambda watch: score(scores), table, json_out)


@evaluate_app.command("pathways", epilog=PLAIN)
def evaluate_pathways(
    graphs: Annotated[Path, typer.Argument(help="GRAPHS.jsonl: a graph a line.")],
    reference: Annotated[
        str | None,
        typer.Option(
            help="metacyc, wikipathways, mini_pathways or FILE.jsonl: adds distances, limits, "
            "novelty, and the data's own row.",
            autocompletion=completion.data_sets,
        ),
    ] = None,
    json_out: JSONOut = None,
) -> None:
    """Score directed metabolic networks: distances, validity, uniqueness, novelty.

    A line is {"nodes": ["glc", "g6p"], "edges": [["glc", "g6p"]]}; an end of an edge is a name or
    a position in nodes, from 0; an edge may be {"s": 0, "t": 1, "reversible": true}.

    Example: `assay evaluate pathways graphs.jsonl --reference metacyc --json scores.json`
    """
    from assay.pathways.metrics.evaluate import evaluate_file
    from assay.pathways.metrics.table import table

    _score(lambda watch: evaluate_file(graphs, reference, watch), table, json_out)


def sample(
    cell: CellKey,
    out: Annotated[
        Path,
        typer.Option(
            help="SAMPLES.(npz|xyz|extxyz), or networks as .jsonl, for `assay evaluate`. XYZ is "
            "extended: crystals have their Lattice."
        ),
    ],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many.")] = 1000,
    planet: Annotated[
        str | None,
        typer.Option(
            help="PLANET.json, or SET:NAME of a prepared set of planets: networks for it, of a "
            "cell of the family pathways."
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Of sampling; may be repeated."),
    ] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network is.")] = "cpu",
    as_json: AsJSON = False,
    storage: Storage = Path("runs"),
    published: Published = Path("results"),
) -> None:
    """Draw samples from a trained cell, with other steps, another solver or other guidance.

    Or metabolic networks for a planet, each with a caption, and how they compare with networks for
    other environments. The weights are those of the run store.

    Example: `assay sample 29d4 -n 1000 --out samples.xyz`

    Example: `assay sample runs/cells/29d4abe38306a4c2 --out s.npz --set settings.process.steps=50`
    """
    from assay.errors import ConfigError
    from assay.lookup import find, weights_folder
    from assay.trained import open_trained
    from assay.training.execution import require_device

    if any(each.startswith("settings.evaluation_samples") for each in overrides or ()):
        raise ConfigError("settings.evaluation_samples: `assay sample` draws --count samples")
    if planet is not None and overrides:
        raise ConfigError("--set: nothing of it bears on networks for a planet; leave it out")
    suffixes = SYSTEMS if planet is None else NETWORKS
    if out.suffix not in suffixes:
        what = "samples" if planet is None else "networks"
        raise ConfigError(f"--out {out}: {what} are written as {' or '.join(suffixes)}")
    folder = weights_folder(find(cell, storage, published), storage)
    trained = open_trained(folder, overrides or (), require_device(device))
    if planet is not None:
        _sample_networks(trained, cell, planet, count, out, as_json)
    else:
        _sample_systems(trained, cell, count, out, as_json)


def _sample_systems(
    trained: "TrainedCell", cell: str, count: int, out: Path, as_json: bool
) -> None:
    """Draw molecules or crystals."""
    from assay.errors import ConfigError
    from assay.generation.task import GenerationTask

    task = trained.task
    if not isinstance(task, GenerationTask):
        hint = "; give --planet" if trained.cell.family == "pathways" else ""
        raise ConfigError(f"{cell}: the family {trained.cell.family} draws no samples{hint}")
    started = time.monotonic()
    with aside.status("sampling") as status:
        drawn = task.sample(
            trained.model, count, lambda phase, done: status.update(f"{phase} {done:.0%}")
        )
    task.domain.write(out, cast(Any, drawn))
    seconds = time.monotonic() - started
    looks, are_least = task.evaluations, task.evaluations_are_least
    if as_json:
        made = {"samples": len(drawn), "evaluations": looks, "evaluations_are_least": are_least}
        print_json(made | {"seconds": seconds, "file": str(out)})
        return
    by = f"{'at least ' if are_least else ''}{looks:,} evaluations each"
    console.print(f"{len(drawn):,} samples by {by}, {seconds:.1f} s: {out}")


def _sample_networks(
    trained: "TrainedCell", cell: str, planet: str, count: int, out: Path, as_json: bool
) -> None:
    """Draw networks for a planet, and write them with what is to be known of them."""
    from assay.errors import ConfigError
    from assay.habitability.inhabitants.networks import inhabitants
    from assay.habitability.inhabitants.world import world_of
    from assay.pathways.task import PathwaysTask
    from assay.report.wording import estimate_text
    from assay.result import write_bytes, write_json

    if not isinstance(trained.task, PathwaysTask):
        raise ConfigError(
            f"{cell}: --planet asks for networks; give a cell of the family pathways, not "
            f"{trained.cell.family}"
        )
    with aside.status("climate") as status:
        found = inhabitants(
            trained.task, trained.model, world_of(planet), count,
            lambda phase, done: status.update(f"{phase} {done:.0%}"),
        )  # fmt: skip
    write_bytes(out, "".join(f"{line}\n" for line in found.lines()).encode())
    beside, plain = out.with_suffix(".fidelity.json"), found.plain()
    write_json(beside, plain)
    if as_json:
        print_json({**plain, "file": str(out), "fidelity_file": str(beside)})
        return
    table = Table("fit to the planet", "value and 95 % interval", "n", box=box.SIMPLE_HEAD)
    for name, estimate in found.compared.items():
        table.add_row(name, Text(estimate_text(name, estimate)), f"{estimate.n:,}")
    console.print(table)
    console.print(plain["verdict"], markup=False, highlight=False)
    console.print(f"{count:,} networks: {out}, {beside}")
