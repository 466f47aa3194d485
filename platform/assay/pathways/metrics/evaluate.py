"""Scores files of metabolic graphs, anyone's, and puts the data's own row beside them."""

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import assay
from assay.chemistry.files import Rejected
from assay.pathways.graphs import PathwayGraphs
from assay.pathways.metrics import descriptors, discriminator, isomorphism, mmd, validity
from assay.pathways.metrics.files import read_graphs
from assay.pathways.metrics.reference import Reference, open_reference
from assay.task import Estimate

Watch = Callable[[str, float], None]
"""`watch(phase, fraction)`: how far scoring has come."""

AT_MOST = 4_000
"""Generated graphs whose distances are measured, drawn with a seed: kernels are of all pairs."""

_PACKAGES = ("numpy", "scipy", "networkx", "orbit-count", "scikit-learn")


def evaluate_file(
    path: Path, reference: str | None = None, watch: Watch | None = None
) -> dict[str, Any]:
    """Score the graphs of a file.

    Args:
        path: .jsonl or .jsonl.gz, as `assay.pathways.metrics.files` says.
        reference: a prepared data set, or another such file.
        watch: is told what is at work.

    Returns:
        `metrics`, name → estimate; `rejected`, each with its line and the reason; and `provenance`,
        with what was `left_out` and why, and under `reference` the data's own row. JSON throughout.

    Raises:
        DataError: a file or the data set cannot be used.
        ConfigError: there is no such data set, or it holds something else.
    """
    held = None if reference is None else open_reference(reference)
    graphs, rejected = read_graphs(path)
    found = score(graphs, held, len(rejected), watch)
    provenance: dict[str, Any] = {
        "versions": _families(found),
        "left_out": _left_out(held, found),
        "samples": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "records": len(graphs) + len(rejected),
        "assay_version": assay.__version__,
        "packages": _versions(),
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if held is not None:
        provenance["reference"] = {
            "name": held.name,
            "description": held.description,
            "digest": held.digest,
            **_data_document(held, len(graphs) + len(rejected), watch),
        }
    return {"metrics": _plain(found), "rejected": _listed(rejected), "provenance": provenance}


def score(
    graphs: PathwayGraphs,
    reference: Reference | None,
    rejected: int = 0,
    watch: Watch | None = None,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return every estimate that can be made of generated graphs.

    Args:
        graphs: G ≥ 1 graphs.
        reference: for distances, limits and novelty; without it only shapes are judged.
        rejected: further records, which fail whatever can be failed.
        watch: is told what is at work.
        seed: of resampling and of sub-samples.
    """
    _tell(watch, "validity", 0.0)
    if reference is None:
        return validity.evaluate(graphs, None, rejected=rejected) | isomorphism.evaluate(
            graphs, rejected=rejected
        )
    found = _judged(graphs, reference, rejected)
    valid_G = validity.judge(graphs, _limits(reference), reference.formulas).valid
    _tell(watch, "isomorphism", 0.2)
    known = reference.train if _share_names(graphs, reference.train) else None
    found |= isomorphism.evaluate(graphs, valid_G, known, rejected)
    _tell(watch, "distances", 0.5)
    return _distances(graphs, reference, seed) | found


def _judged(graphs: PathwayGraphs, reference: Reference, rejected: int = 0) -> dict[str, Estimate]:
    limits = _limits(reference)
    found = validity.evaluate(graphs, limits, reference.formulas, rejected)
    return found | validity.reciprocity(graphs, reference.test)


def _distances(graphs: PathwayGraphs, reference: Reference, seed: int = 0) -> dict[str, Estimate]:
    train = reference.train if reference.has_splits else None
    drawn = _drawn(graphs, AT_MOST, seed)
    found = mmd.evaluate(drawn, reference.test, train, seed)
    return found | discriminator.evaluate(drawn, reference.test, seed)


def _limits(reference: Reference) -> validity.Limits:
    return validity.Limits.learnt(reference.train, reference.formulas)


def data_row(reference: Reference, wanted: int) -> dict[str, Estimate]:
    """Score the data itself: the test split, and `wanted` validation graphs by their distance.

    Nothing of a reference without splits, which has no graphs of its own to spare.
    """
    if reference.validation is None:
        return {}
    test = reference.test
    found = _judged(test, reference)
    valid_G = validity.judge(test, _limits(reference), reference.formulas).valid
    found |= isomorphism.evaluate(test, valid_G, reference.train)
    drawn = _drawn(reference.validation, wanted, seed=0)
    return found | validity.reciprocity(drawn, test) | _distances(drawn, reference)


def _data_document(reference: Reference, wanted: int, watch: Watch | None) -> dict[str, Any]:
    """Return the data's own row with the graphs that each family of it is of."""
    _tell(watch, f"{reference.name} itself", 0.8)
    if reference.validation is None:
        return {"records": {}, "metrics": {}}
    found, test, validation = data_row(reference, wanted), reference.test, reference.validation
    drawn = min(wanted, len(validation))
    of_test = f"{len(test):,} of {len(test):,} of the test split"
    of_validation = f"{drawn:,} of {len(validation):,} of the validation split"
    near = {"mmd", "mmd_ratio", "pgd", "structure"}
    return {
        "records": {one: of_validation if one in near else of_test for one in _families(found)},
        "metrics": _plain(found),
    }


def _drawn(graphs: PathwayGraphs, most: int, seed: int) -> PathwayGraphs:
    """Return at most so many of the graphs, in their order."""
    if len(graphs) <= most:
        return graphs
    return graphs.select(np.sort(np.random.default_rng(seed).permutation(len(graphs))[:most]))


def _share_names(graphs: PathwayGraphs, train: PathwayGraphs) -> bool:
    """Tell whether any compound has one name in both: else every graph would be novel."""
    ours, theirs = (
        {name for k in range(len(some)) for name in some.names_of(k)} for some in (graphs, train)
    )
    return not ours.isdisjoint(theirs)


def _left_out(reference: Reference | None, found: Mapping[str, Estimate]) -> dict[str, str]:
    """Say of everything that was not measured why."""
    lines: dict[str, str] = {}
    if reference is None:
        needs = "has nothing to say without a reference: give --reference"
        lines |= dict.fromkeys(("mmd", "pgd", "vun/novelty", "validity/degree"), needs)
        return lines
    lacking = descriptors.orbits_lack()
    if lacking is not None:
        lines["mmd/orbit"] = lacking
    if "pgd/discrepancy" not in found:
        lines["pgd"] = (
            f"needs {discriminator.FEWEST} graphs, and as many of {reference.name}'s test split"
        )
    if "vun/novelty" not in found:
        lines["vun/novelty"] = f"no node has a name that {reference.name} uses, so none is known"
    if not reference.has_splits:
        lines["mmd_ratio"] = f"{reference.name} has no splits, so there is nothing to divide by"
    if not reference.formulas:
        lines["validity/atoms"] = f"{reference.name} knows no formulas of compounds"
    elif "validity/atoms" not in found:
        lines["validity/atoms"] = f"no edge joins two compounds that {reference.name} knows"
    return lines


def _families(found: Mapping[str, Estimate]) -> dict[str, str]:
    """Return the part of each name before the slash, with the version of its metrics."""
    return {name.partition("/")[0]: one.version.partition(":")[0] for name, one in found.items()}


def _listed(rejected: Sequence[Rejected]) -> list[dict[str, Any]]:
    return [{"record": entry.record, "reason": entry.reason} for entry in rejected]


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, Any]]:
    return {name: estimate.model_dump() for name, estimate in estimates.items()}


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _tell(watch: Watch | None, phase: str, fraction: float) -> None:
    if watch is not None:
        watch(phase, fraction)
