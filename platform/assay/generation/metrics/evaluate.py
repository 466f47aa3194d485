"""Scores files of samples, anyone's, and puts the data's own row beside them."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.table import Table
from rich.text import Text

from assay import catalog
from assay.chemistry.crystal_formats import read_crystals
from assay.chemistry.files import Rejected
from assay.chemistry.formats import read_molecules
from assay.chemistry.scored import listed, scored, versions
from assay.config import choose
from assay.errors import ConfigError, DataError
from assay.generation.catalog import CRYSTAL_PROTOCOLS, ENERGIES, MOLECULE_PROTOCOLS
from assay.generation.metrics import csp
from assay.generation.metrics.protocol import Scoring, ScoringProtocol, require, sub_sample
from assay.generation.metrics.reference import PreparedReference, open_crystals, open_molecules
from assay.generation.metrics.sun import SUN
from assay.result import read_plain, write_json
from assay.store.locations import cache_root, writing
from assay.task import Estimate

Watch = Callable[[str, float], None]
"""`watch(phase, fraction)`: how far scoring has come."""

_PACKAGES = (
    "numpy", "scipy", "rdkit", "torch", "fcd-torch", "posebusters", "pymatgen", "smact", "spglib",
    "ase",
)  # fmt: skip
_REASONS_SHOWN = 5
_SMALL = 0.01


class Records(Protocol):
    """Molecules, or crystals."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def select(self, indices: NDArray[np.integer]) -> Self:
        """Return those at `indices`, in that order."""
        ...


Samples = TypeVar("Samples", bound=Records)


def evaluate_molecules(
    path: Path,
    reference: str | None,
    processes: int,
    names: Sequence[str] | None = None,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Score the molecules of a file.

    Args:
        path: .xyz, .extxyz, .sdf or .npz, in Å.
        reference: a prepared data set, for what needs one, and for the data's own row.
        processes: for RDKit.
        names: of protocols; None means all that can be used here.
        watch: is told which protocol is at work.

    Returns:
        As `evaluate_samples`.

    Raises:
        DataError: the file or the data set cannot be used.
        ConfigError: there is no such data set or protocol.
        MachineError: a protocol that was asked for lacks something.
    """
    protocols = chosen_protocols(MOLECULE_PROTOCOLS, names)
    held = None if reference is None else open_molecules(reference)
    molecules, rejected = read_molecules(path)
    return evaluate_samples(path, molecules, rejected, held, protocols, processes, watch)


def evaluate_crystals(
    path: Path,
    reference: str | None,
    processes: int,
    names: Sequence[str] | None = None,
    watch: Watch | None = None,
    energies: str | None = None,
) -> dict[str, Any]:
    """Score the crystals of a file: .cif, .csv with a column of CIF strings, .extxyz or .npz.

    Args:
        path: of the file.
        reference: as in `evaluate_molecules`.
        processes: for fingerprints, matching and relaxations.
        names: as in `evaluate_molecules`.
        watch: as in `evaluate_molecules`.
        energies: a potential of `assay.generation.catalog.ENERGIES`: adds the protocol sun.

    Returns:
        As `evaluate_samples`.

    Raises:
        ConfigError: there is no such potential, or it is named without a reference; and what
            `evaluate_molecules` raises.
    """
    protocols = chosen_protocols(CRYSTAL_PROTOCOLS, names)
    if energies is not None:
        protocols.append(_stability(energies, reference))
    held = None if reference is None else open_crystals(reference)
    crystals, rejected = read_crystals(path)
    return evaluate_samples(path, crystals, rejected, held, protocols, processes, watch)


def _stability(energies: str, reference: str | None) -> SUN:
    evaluator = catalog.load(ENERGIES[choose("potential", energies, ENERGIES)])()
    if reference is None:
        raise ConfigError(f"--energies {energies}: the hull is of a data set: give --reference")
    protocol = SUN(evaluator)
    require(protocol)
    return protocol


def evaluate_predictions(path: Path, targets: Path, processes: int) -> dict[str, Any]:
    """Score a file of predicted structures against a file of their targets.

    Args:
        path: of the predictions: the same number for each target, one target's after the other's;
            one that cannot be used matches nothing.
        targets: of the targets, all of which must be usable.
        processes: for matching.

    Returns:
        As `evaluate_samples`, without a reference.

    Raises:
        DataError: a file cannot be used, or the numbers of structures do not agree.
        MachineError: pymatgen or smact is missing.
    """
    wanted, unusable = read_crystals(targets)
    if unusable:
        first = unusable[0]
        raise DataError(
            f"{targets}: record {first.record}: {first.reason}; a target must be usable"
        )
    crystals, rejected = read_crystals(path)
    missing = np.array([entry.record - 1 for entry in rejected], dtype=np.int64)
    try:
        found = csp.evaluate(crystals, wanted, processes, missing=missing)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    provenance = {
        "protocols": {"csp": csp.VERSION},
        "left_out": {},
        "targets": targets.name,
        "targets_sha256": hashlib.sha256(targets.read_bytes()).hexdigest(),
        **scored(path, len(crystals) + len(rejected), _PACKAGES),
    }
    return {"metrics": _plain(found), "rejected": listed(rejected), "provenance": provenance}


def chosen_protocols(
    known: Mapping[str, str], names: Sequence[str] | None
) -> list[ScoringProtocol[Any]]:
    """Return the protocols of a catalog: all, or those named.

    Raises:
        ConfigError: there is none of that name.
        MachineError: one that is named lacks something.
    """
    if names is None:
        return [catalog.load(target)() for target in known.values()]
    targets = [known[choose("protocol", name, known)] for name in dict.fromkeys(names)]
    protocols = [catalog.load(target)() for target in targets]
    for protocol in protocols:
        require(protocol)
    return protocols


def evaluate_samples(
    path: Path,
    samples: Samples,
    rejected: Sequence[Rejected],
    reference: PreparedReference[Samples] | None,
    protocols: Sequence[ScoringProtocol[Samples]],
    processes: int,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Score samples that were read from a file.

    Args:
        path: of the file.
        samples: what could be used of it.
        rejected: its records that could not: each counts as a sample that fails.
        reference: for what needs one, and for the data's own row.
        protocols: to score them under; one that lacks something is left out, and said so.
        processes: for what can be spread over them.
        watch: is told which protocol is at work.

    Returns:
        `metrics`, name → estimate; `rejected`, each with its place in the file (from 1) and the
        reason; and `provenance`: `protocols` with their versions, `left_out` with the reason, and
        under `reference` the data's own row. JSON throughout.

    Raises:
        DataError: the reference cannot be used.
    """
    usable = [protocol for protocol in protocols if protocol.lacks() is None]
    lacking = {one.name: str(one.lacks()) for one in protocols if one.lacks() is not None}
    scoring = Scoring(samples, reference, len(rejected), processes)
    metrics: dict[str, Any] = {}
    for k, protocol in enumerate(usable):
        _tell(watch, protocol.name, k / len(usable))
        found = protocol.evaluate(scoring)
        metrics |= _plain(found)
        if not found:
            lacking[protocol.name] = _why_nothing(protocol, reference)
    provenance: dict[str, Any] = {
        "protocols": {protocol.name: protocol.identity for protocol in usable},
        "left_out": lacking,
        **scored(path, len(samples) + len(rejected), _PACKAGES),
    }
    if reference is not None:
        provenance["reference"] = _data_rows(scoring, reference, usable, watch)
    return {"metrics": metrics, "rejected": listed(rejected), "provenance": provenance}


def table(document: Mapping[str, Any]) -> Table:
    """Lay out a document of `evaluate_samples` for the terminal, with 95 % intervals."""
    provenance = document["provenance"]
    reference = provenance.get("reference")
    found = Table(box=box.SIMPLE_HEAD, caption_justify="left", padding=(0, 1))
    headings = [provenance["samples"], "value", "95 % interval", "n"]
    for heading in headings + ([reference["name"]] if reference else []):
        found.add_column(Text(heading), justify="right" if heading != headings[0] else "left")
    for protocol, version in provenance["protocols"].items():
        own = {k: v for k, v in document["metrics"].items() if k.startswith(f"{protocol}/")}
        if own:
            found.add_row(Text(f"{protocol}, version {version}", style="bold"))
        for name, estimate in own.items():
            row = [f"  {name.partition('/')[2]}", *_cells(estimate)]
            if reference:
                row.append(_number(reference["metrics"].get(name, {}).get("value")))
            found.add_row(*row)
        found.add_section()
    found.caption = Text("\n".join(_remarks(document)))
    return found


def _data_rows(
    scoring: Scoring[Samples],
    reference: PreparedReference[Samples],
    protocols: Sequence[ScoringProtocol[Samples]],
    watch: Watch | None,
) -> dict[str, Any]:
    """Score the data itself under each protocol, and say which records of it."""
    metrics: dict[str, Any] = {}
    records: dict[str, str] = {}
    wanted = len(scoring.samples) + scoring.rejected
    for k, protocol in enumerate(protocols):
        _tell(watch, f"{protocol.name} of {reference.name}", k / len(protocols))
        row = _data_row(protocol, reference, wanted, scoring.processes)
        metrics |= row["metrics"]
        records[protocol.name] = row["records"]
    return {
        "name": reference.name,
        "description": reference.data.description,
        "digest": reference.digest,
        "records": records,
        "metrics": metrics,
    }


def _data_row(
    protocol: ScoringProtocol[Samples],
    reference: PreparedReference[Samples],
    wanted: int,
    processes: int,
) -> dict[str, Any]:
    """Score the data under one protocol, once: the row is kept in the cache."""
    split = protocol.data_row
    count = None if split == "test" else wanted
    identity = [protocol.name, protocol.identity, reference.digest, split, count]
    identity += [versions(_PACKAGES), protocol.at_most]
    stamp = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
    path = cache_root() / "data_rows" / f"{protocol.name}-{stamp}.json"
    if path.exists():
        return _kept_row(path)
    whole = reference.of(split)
    most = min(len(whole) if count is None else count, protocol.at_most or len(whole))
    rows = sub_sample(len(whole), most, seed=0)
    scoring = Scoring(whole.select(rows), reference, processes=processes)
    row = {
        "records": f"{len(rows):,} of {len(whole):,} of the {split} split",
        "metrics": _plain(protocol.evaluate(scoring)),
    }
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, row)
    return row


def _kept_row(path: Path) -> dict[str, Any]:
    row = read_plain(path)
    if not isinstance(row, dict) or row.keys() != {"records", "metrics"}:
        raise DataError(f"{path}: is no row of data; delete it")
    return row


def _why_nothing(protocol: ScoringProtocol[Any], reference: object) -> str:
    if reference is None:
        return "has nothing to say without a reference: give --reference"
    return f"found too few samples that {protocol.name} can judge"


def _remarks(document: Mapping[str, Any]) -> list[str]:
    """Return what the caption says: the data's row, what was left out, what was rejected."""
    provenance, rejected = document["provenance"], document["rejected"]
    lines = [f"{name}: {why}" for name, why in provenance["left_out"].items()]
    if "reference" in provenance:
        row = provenance["reference"]
        by_records: dict[str, list[str]] = {}
        for name, records in row["records"].items():
            by_records.setdefault(records, []).append(name)
        lines += [
            f"{row['name']}: {records} by the same code ({', '.join(names)})"
            for records, names in by_records.items()
        ]
    if rejected:
        shown = [f"record {e['record']}: {e['reason']}" for e in rejected[:_REASONS_SHOWN]]
        more = f", the first {len(shown)}" if len(shown) < len(rejected) else ""
        lines.append(f"{len(rejected):,} of {provenance['records']:,} records rejected{more}:")
        lines += shown
    return lines


def _cells(estimate: Mapping[str, Any]) -> list[str]:
    value, low, high, n = (estimate[key] for key in ("value", "low", "high", "n"))
    return [_number(value), f"{_number(low)} - {_number(high)}", f"{n:,}"]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if value == 0 or abs(value) >= _SMALL:
        return f"{value:.4f}"
    return f"{value:.2e}".replace("e-0", "e-")


def _tell(watch: Watch | None, phase: str, fraction: float) -> None:
    if watch is not None:
        watch(phase, fraction)


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, Any]]:
    return {name: estimate.model_dump() for name, estimate in estimates.items()}
