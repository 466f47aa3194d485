"""A model card of a finished cell, in Markdown: what its result says, and nothing else.

After Mitchell et al., "Model cards for model reporting", FAT* 2019, and the front matter that
model hubs read. What a result does not say, such as intended uses, is not made up.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from assay.report.wording import (
    count_text,
    duration_text,
    estimate_text,
    memory_text,
    metric_title,
    si_text,
)
from assay.result import Reference, Result
from assay.store.sets import DataSet, data_set_of
from assay.task import Estimate


def card(result: Result, reference: Reference | None, folder: Path | None) -> str:
    """Return the card of a finished cell.

    Args:
        result: Of the cell.
        reference: What it is held against, if that has been scored.
        folder: The cell's folder in the run store, if its weights are there.
    """
    data_set = data_set_of(str(result.cell["data"]["name"]).partition("@")[0])
    sections = (
        _front(result),
        _title(result),
        _data(result, data_set),
        _training(result),
        _evaluation(result.estimates, reference),
        _limits(result, reference),
        _provenance(result, folder),
    )
    return "\n\n".join(sections) + "\n"


def _front(result: Result) -> str:
    cell = result.cell
    matter = {
        "library_name": "assay-bench",
        "tags": [cell["family"], *cell["variant"].values()],
        "datasets": [cell["data"]["name"]],
    }
    return f"---\n{yaml.safe_dump(matter, sort_keys=False)}---"


def _title(result: Result) -> str:
    cell, axes = result.cell, result.cell["variant"]
    what = ", ".join(f"{axis} `{value}`" for axis, value in axes.items())
    return (
        f"# {result.label}, {cell['data']['name']}, seed {cell['seed']}\n\n"
        f"A model of the family `{cell['family']}`: {what}. "
        f"{result.cost.parameters:,} parameters. Cell `{result.provenance.cell_key}`."
    )


def _data(result: Result, data_set: DataSet) -> str:
    return "## Data\n\n" + _table(
        {
            "Data set": f"`{data_set.name}`: {data_set.title}",
            "What it held": result.provenance.data_description,
            "Licence": data_set.licence,
            "Citation": data_set.citation,
            "Digest": f"`{result.cell['data']['digest']}`",
        }
    )


def _training(result: Result) -> str:
    cell, cost = result.cell, result.cost
    budget = ", ".join(f"{amount:,} {unit}" for unit, amount in cell["budget"].items() if amount)
    table = _table(
        {
            "Budget": budget,
            "Spent": f"{cost.steps:,} steps, {cost.samples:,} samples, "
            f"{si_text(cost.flops, 'FLOP')}, {duration_text(cost.training_seconds)}",
            "Peak memory": memory_text(cost.peak_memory_bytes),
            "Hardware": f"{result.provenance.device}, "
            f"{count_text(result.provenance.threads, 'thread')}, "
            f"{count_text(result.provenance.workers, 'worker')}; {result.provenance.machine}",
        }
    )
    settings = {part: cell.get(part) for part in ("training", "settings")}
    return f"## Training\n\n{table}\n\n```json\n{json.dumps(settings, indent=1)}\n```"


def _evaluation(estimates: Mapping[str, Estimate], reference: Reference | None) -> str:
    beside = reference.estimates if reference else {}
    heading = f" {reference.name} ({reference.label}) |" if reference else ""
    lines = [
        f"| Metric | Value, 95 % interval | n | Version |{heading}",
        f"|---|---|--:|---|{'---|' if reference else ''}",
    ]
    for name, found in estimates.items():
        line = f"| `{name}`: {metric_title(name)}, {found.better} is better |"
        line += f" {estimate_text(name, found)} | {found.n:,} | {found.version} |"
        if reference:
            line += f" {estimate_text(name, beside[name]) if name in beside else '–'} |"
        lines.append(line)
    return "## Evaluation\n\n" + "\n".join(lines)


def _limits(result: Result, reference: Reference | None) -> str:
    return "## What to keep in mind\n\n" + "\n".join(
        f"- {each}" for each in _known(result, reference)
    )


def _known(result: Result, reference: Reference | None) -> Iterator[str]:
    made = result.provenance
    yield "One seed: the intervals cover the evaluation, not a second training."
    if reference is None:
        yield "It is held against nothing here: the reference row has not been scored."
    if made.git_dirty:
        yield "It was computed from a working tree with uncommitted changes."
    if made.git_commit is None:
        yield "The commit of the code that made it is not known."
    if made.resumed:
        yield f"Training carried on from a checkpoint {count_text(made.resumed, 'time')}."
    if made.quarantined:
        yield f"{count_text(made.quarantined, 'checkpoint')} did not verify and were set aside."
    if made.chosen_step is not None:
        yield f"Its weights are those of step {made.chosen_step:,}, which validation chose."
    nothing = [name for name, found in result.estimates.items() if found.n == 0]
    if nothing:
        yield f"Of no sample could be said: {', '.join(nothing)}."


def _provenance(result: Result, folder: Path | None) -> str:
    made = result.provenance
    packages = ", ".join(f"{name} {version}" for name, version in made.packages.items())
    facts = {
        "Protocol": made.protocol,
        "Code": f"assay {made.assay_version}, commit `{made.git_commit or 'unknown'}`, "
        f"digest `{made.code_digest}`",
        "Packages": f"Python {made.python}, {packages}",
        "Made": made.created_utc,
    }
    if folder is not None:
        facts["Weights"] = f"`{folder / 'checkpoints'}` (safetensors)"
    return "## Provenance\n\n" + _table(facts)


def _table(facts: Mapping[str, Any]) -> str:
    rows = (f"| {name} | {_cell(text)} |" for name, text in facts.items() if text)
    return "\n".join(["| | |", "|---|---|", *rows])


def _cell(text: Any) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")
