"""Scores a file of captions, anyone's, under every protocol that applies."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.captioning.metrics.consistency import Groups
from assay.captioning.metrics.molt5 import MolT5
from assay.captioning.metrics.other_bleu import SacreBLEU, Whitespace
from assay.captioning.metrics.pairs import Pairs, read_pairs
from assay.captioning.metrics.protocol import CaptionProtocol, Found
from assay.captioning.metrics.resampling import Resamples
from assay.chemistry.scored import listed, scored
from assay.config import choose
from assay.errors import ConfigError

Watch = Callable[[str, float], None]
"""`watch(phase, fraction)`: how far scoring has come."""

PROTOCOLS: Mapping[str, Callable[[], CaptionProtocol]] = {
    "molt5": MolT5,
    "sacrebleu": SacreBLEU,
    "whitespace": Whitespace,
    "groups": Groups,
}
"""In the order in which they are printed."""

_NEEDS = {"bertscore": ("a model", "--bert"), "llamo": ("a tokenizer", "--llamo")}
"""Not among them, since they need something of one's own: what, and the option that gives it."""

_PACKAGES = (
    "numpy", "rdkit", "torch", "nltk", "rouge-score", "sacrebleu", "tokenizers", "transformers",
)  # fmt: skip


def evaluate_captions(
    path: Path,
    names: Sequence[str] | None = None,
    bert: Path | None = None,
    watch: Watch | None = None,
    llamo: Path | None = None,
) -> dict[str, Any]:
    """Score the captions of a file.

    Args:
        path: JSON lines, each with prediction and reference, and smiles in all or in none.
        names: of protocols; None means all.
        bert: folder of a model for BERTScore; without it, there is none.
        watch: is told which protocol is at work.
        llamo: folder of a tokenizer for LLaMo's protocol; without it, there is none.

    Returns:
        `metrics`, name → estimate; `rejected`, the lines whose SMILES cannot be parsed (their texts
        are scored); and `provenance`: `protocols` with their versions, `left_out` with the reason,
        `empty_predictions`, and the file's hash. JSON throughout.

    Raises:
        DataError: the file cannot be used, or what a protocol needs is not prepared.
        ConfigError: there is no such protocol, or it needs a model or a tokenizer.
        MachineError: a package is missing.
    """
    known = (*PROTOCOLS, *_NEEDS)
    chosen = [choose("protocol", name, known) for name in dict.fromkeys(names or PROTOCOLS)]
    for (name, (what, option)), given in zip(_NEEDS.items(), (bert, llamo), strict=True):
        if name in chosen and given is None:
            raise ConfigError(f"protocol {name}: needs {what}; give its folder with {option}")
    pairs, rejected = read_pairs(path)
    protocols = [PROTOCOLS[name]() for name in chosen if name not in _NEEDS]
    if llamo is not None:
        from assay.captioning.metrics.llamo import LLaMo

        protocols.append(LLaMo(llamo))
    if bert is not None:
        from assay.captioning.metrics.bertscore import BERTScore

        protocols.append(BERTScore(bert))
    scores = score(pairs, protocols, watch)
    provenance = {
        "protocols": {protocol.name: protocol.version for protocol in protocols},
        "left_out": scores.undefined,
        "empty_predictions": pairs.empty,
        "remarks": [*_empty(pairs.empty, len(pairs)), *scores.remarks],
        **scored(path, len(pairs), _PACKAGES),
    }
    return {
        "metrics": {name: each.model_dump() for name, each in scores.estimates.items()},
        "rejected": listed(rejected),
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
