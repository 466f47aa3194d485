"""Scores files of molecules, anyone's, and puts the data's own row beside them."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

import assay
from assay.chemistry.formats import read_molecules
from assay.generation.metrics import edm
from assay.generation.metrics.known import known_smiles
from assay.store.sets import open_set
from assay.task import Estimate

_REASONS_SHOWN = 5


def evaluate_file(path: Path, reference: str | None, processes: int) -> dict[str, Any]:
    """Score the molecules of a file under the EDM protocol.

    Args:
        path: .xyz, .extxyz, .sdf or .npz, in Å.
        reference: a prepared data set: adds `edm/novelty`, against its training split, and under
            `provenance/reference` the same metrics of its test split.
        processes: for RDKit.

    Returns:
        `metrics`, name → estimate; `rejected`, the records that could not be used, each with its
        place in the file (from 1) and the reason: they count as samples that are neither stable
        nor valid; and `provenance`. JSON throughout.

    Raises:
        DataError: the file or the data set cannot be used.
        ConfigError: there is no such data set.
    """
    data = None if reference is None else open_set(reference)
    molecules, rejected = read_molecules(path)
    known = None if data is None else known_smiles(data, processes)
    estimates = edm.evaluate(molecules, known, processes, rejected=len(rejected))
    provenance: dict[str, Any] = {
        "protocol": f"edm {edm.VERSION}",
        "samples": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "records": len(molecules) + len(rejected),
        "assay_version": assay.__version__,
        "packages": {name: metadata.version(name) for name in ("numpy", "rdkit")},
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if data is not None:
        test = data.molecules_of("test")
        provenance["reference"] = {
            "label": f"{reference}, test split",
            "description": data.description,
            "digest": data.digest,
            "metrics": _plain(edm.evaluate(test, known, processes)),
        }
    return {
        "metrics": _plain(estimates),
        "rejected": [{"record": entry.record, "reason": entry.reason} for entry in rejected],
        "provenance": provenance,
    }


def table(document: Mapping[str, Any]) -> Table:
    """Lay out a document of `evaluate_file` for the terminal; fractions, with 95 % intervals."""
    provenance = document["provenance"]
    blocks = {provenance["samples"]: document["metrics"]}
    if "reference" in provenance:
        blocks[provenance["reference"]["label"]] = provenance["reference"]["metrics"]
    found = Table(box=box.SIMPLE_HEAD, caption_justify="left")
    for heading in ("", "fraction", "95 % interval", "n"):
        found.add_column(heading, justify="right" if heading else "left")
    for label, metrics in blocks.items():
        found.add_row(Text(label, style="bold"))
        for name, estimate in metrics.items():
            value, low, high, n = (estimate[key] for key in ("value", "low", "high", "n"))
            interval = f"{low:.4f} - {high:.4f}"
            found.add_row(f"  {name}", f"{value:.4f}", interval, f"{n:,}")
        found.add_section()
    rejected = document["rejected"]
    if rejected:
        shown = [f"record {e['record']}: {e['reason']}" for e in rejected[:_REASONS_SHOWN]]
        more = f", the first {len(shown)}" if len(shown) < len(rejected) else ""
        head = f"{len(rejected):,} of {provenance['records']:,} records rejected{more}:"
        found.caption = Text("\n".join([head, *shown]))
    return found


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, Any]]:
    return {name: estimate.model_dump() for name, estimate in estimates.items()}
