"""Scores a file of captions, anyone's, under every protocol that applies."""

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import assay
from assay.captioning.metrics.consistency import Groups
from assay.captioning.metrics.molt5 import MolT5
from assay.captioning.metrics.other_bleu import SacreBLEU, Whitespace
from assay.captioning.metrics.pairs import Pairs, read_pairs
from assay.captioning.metrics.protocol import CaptionProtocol, Found
from assay.captioning.metrics.resampling import Resamples
from assay.config import choose

Watch = Callable[[str, float], None]
"""`watch(phase, fraction)`: how far scoring has come."""

PROTOCOLS: Mapping[str, Callable[[], CaptionProtocol]] = {
    "molt5": MolT5,
    "sacrebleu": SacreBLEU,
    "whitespace": Whitespace,
    "groups": Groups,
}
"""In the order in which they are printed."""

_PACKAGES = (
    "numpy", "rdkit", "torch", "nltk", "rouge-score", "sacrebleu", "tokenizers", "transformers",
)  # fmt: skip


def evaluate_captions(
    path: Path,
    names: Sequence[str] | None = None,
    bert: Path | None = None,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Score the captions of a file.

    Args:
        path: JSON lines, each with prediction and reference, and smiles in all or in none.
        names: of protocols; None means all.
        bert: folder of a model for BERTScore; without it, there is none.
        watch: is told which protocol is at work.

    Returns:
        `metrics`, name → estimate; `rejected`, the lines whose SMILES cannot be parsed (their texts
        are scored); and `provenance`: `protocols` with their versions, `left_out` with the reason,
        `empty_predictions`, and the file's hash. JSON throughout.

    Raises:
        DataError: the file cannot be used, or what a protocol needs is not prepared.
        ConfigError: there is no such protocol.
        MachineError: a package is missing.
    """
    chosen = [choose("protocol", name, PROTOCOLS) for name in dict.fromkeys(names or PROTOCOLS)]
    pairs, rejected = read_pairs(path)
    protocols = [PROTOCOLS[name]() for name in chosen]
    if bert is not None:
        from assay.captioning.metrics.bertscore import BERTScore

        protocols.append(BERTScore(bert))
    scores = score(pairs, protocols, watch)
    provenance = {
        "protocols": {protocol.name: protocol.version for protocol in protocols},
        "left_out": scores.undefined,
        "empty_predictions": pairs.empty,
        "remarks": [*_empty(pairs.empty, len(pairs)), *scores.remarks],
        **_provenance(path, len(pairs)),
    }
    return {
        "metrics": {name: each.model_dump() for name, each in scores.estimates.items()},
        "rejected": [{"record": each.record, "reason": each.reason} for each in rejected],
        "provenance": provenance,
    }


def score(pairs: Pairs, protocols: Sequence[CaptionProtocol], watch: Watch | None = None) -> Found:
    """Return what several protocols say of pairs, as of one."""
    resamples = Resamples(len(pairs))
    found = []
    for k, protocol in enumerate(protocols):
        if watch is not None:
            watch(protocol.name, k / len(protocols))
        found.append(protocol.evaluate(pairs, resamples))
    return Found(
        {name: estimate for each in found for name, estimate in each.estimates.items()},
        {name: reason for each in found for name, reason in each.undefined.items()},
        tuple(remark for each in found for remark in each.remarks),
    )


def _empty(count: int, pairs: int) -> list[str]:
    return [f"{count:,} of {pairs:,} predictions are empty: they score 0"] if count else []


def _provenance(path: Path, records: int) -> dict[str, Any]:
    return {
        "samples": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "records": records,
        "assay_version": assay.__version__,
        "packages": _versions(),
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
