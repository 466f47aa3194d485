"""What a cell looks like in MLflow: names, params, tags and metrics, from plain data.

Params are few and flat, and equal for equal keys; the whole cell is an artifact. Final values
have stable names, since the table of runs shows a metric's last value.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.result import Result
from assay.training.checkpoint import newest

CELL_KEY = "assay.cell_key"
LEVEL = "assay.level"
OWNER = "assay.owner"
RESULT = "assay.result"
CHECKPOINT = "assay.checkpoint"
FAILURE = "assay.failure"
STOPPED = "assay.stopped"
STAGE = "assay.stage"
"""`search` of a cell that a search began; `grid` of any other."""
NOTE = "mlflow.note.content"
FINAL, LOW, HIGH = "final/", "_low", "_high"
"""An estimate `<protocol>/<metric>` is `final/…`; its interval has the ends."""


def run_name(cell: Mapping[str, Any]) -> str:
    """Return a child's name, such as `gnn-diffusion-s0`."""
    return f"{'-'.join(cell['variant'].values())}-s{cell['seed']}"


def params(cell: Mapping[str, Any]) -> dict[str, str]:
    """Return the params of a cell: what a person sorts and filters by."""
    network = cell["settings"].get("network")
    network = network if isinstance(network, Mapping) else {}
    found = {
        "family": cell["family"],
        **cell["variant"],
        "data": cell["data"]["name"],
        "seed": cell["seed"],
        "size": network.get("size"),
        "network": ", ".join(f"{key}={value}" for key, value in network.items()) or None,
        "budget": _budget(cell),
        "records": cell["training"].get("records"),
        "batch_size": cell["training"]["batch_size"],
        "learning_rate": cell["training"]["learning_rate"],
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def tags(cell: Mapping[str, Any], key: str) -> dict[str, str]:
    """Return the tags of a cell that do not depend on who runs it."""
    return {
        LEVEL: "cell",
        CELL_KEY: key,
        "assay.family": cell["family"],
        **{f"assay.{axis}": value for axis, value in cell["variant"].items()},
        "assay.data": cell["data"]["name"],
        "assay.data_digest": cell["data"]["digest"],
        "assay.seed": str(cell["seed"]),
        NOTE: note(cell, key),
    }


def note(cell: Mapping[str, Any], key: str) -> str:
    """Return the description that MLflow shows, in Markdown."""
    variant = " × ".join(cell["variant"].values())
    return (
        f"**{variant}** on {cell['data']['name']}, seed {cell['seed']}, "
        f"budget {_budget(cell)}.\n\n"
        f"Cell `{key}`: its files are in `cells/{key}/` of the run store; `cell.json` is the whole "
        "definition, `result.json` what was measured."
    )


def finished_tags(result: Result, directory: Path) -> dict[str, str]:
    """Return the tags that only a finished cell has: its provenance, and where its weights are.

    Args:
        result: What was measured.
        directory: The folder of the cell; a floor, which is not trained, has no checkpoint there.
    """
    key = result.provenance.cell_key
    described = note(result.cell, key) + f"\n\nAll of it: `assay show {directory.absolute()}`."
    found = provenance_tags(result) | {NOTE: described}
    weights = newest(directory / "checkpoints")
    if weights is not None:
        path = str(weights.absolute())
        found |= {CHECKPOINT: path, NOTE: f"{described} Its weights: `{path}`, as safetensors."}
    return found


def provenance_tags(result: Result) -> dict[str, str]:
    """Return the tags that only a result knows."""
    origin = result.provenance
    found = {
        "assay.version": origin.assay_version,
        "assay.code_digest": origin.code_digest,
        "assay.protocol": origin.protocol,
        "assay.git_commit": origin.git_commit,
        "assay.device": origin.device,
    }
    return {name: value for name, value in found.items() if value is not None}


def final_metrics(result: Result) -> dict[str, float]:
    """Return `final/<protocol>/<metric>` with `_low` and `_high`, and `cost/…`."""
    found: dict[str, float] = {}
    for name, estimate in result.estimates.items():
        found[FINAL + name] = estimate.value
        found[FINAL + name + LOW] = estimate.low
        found[FINAL + name + HIGH] = estimate.high
    cost = result.cost
    known = cost.model_dump(exclude_none=True)
    found |= {f"cost/{name}": float(value) for name, value in known.items()}
    found["cost/samples_per_second"] = cost.samples_per_second
    found["cost/flops_per_sample"] = cost.flops_per_sample
    return found


def curve_metrics(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the curve points of one line of metrics.jsonl: its `train/…` and `val/…`."""
    return {
        name: float(value) for name, value in row.items() if name.startswith(("train/", "val/"))
    }


def _budget(cell: Mapping[str, Any]) -> str:
    unit, amount = next((u, a) for u, a in cell["budget"].items() if a is not None)
    return f"{amount:g} {unit}" if amount >= 1e6 else f"{amount:,.10g} {unit}"
