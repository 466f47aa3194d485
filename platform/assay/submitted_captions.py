"""Submitted captions: one for every molecule of the test split, held against its own references.

Whoever submits chooses neither the molecules nor the texts that captions are held against.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from assay.captioning.data.captions import CaptionRecords, captions_of, splits
from assay.captioning.metrics.evaluate import PROTOCOLS, score
from assay.captioning.metrics.pairs import MOST_CHARACTERS, pairs_of
from assay.captioning.settings import protocols_of
from assay.chemistry.files import quoted, read_text
from assay.chemistry.scored import scored
from assay.errors import DataError
from assay.store import sets

PACKAGES = ("numpy", "rdkit", "nltk", "rouge-score", "sacrebleu", "tokenizers", "transformers")


def score_captions(
    file: Path, data: str, watch: Callable[[str, float], None] | None = None
) -> dict[str, Any]:
    """Score the captions of a file on the test split of a data set.

    Args:
        file: `.jsonl` or `.jsonl.gz`: `{"smiles": …, "prediction": …}` a line, in any order, with
            the SMILES as the data set has them, or without the doubling of backslashes that
            ChEBI-20's files have. Other keys, such as reference, are not read.
        data: A prepared data set of captions.
        watch: Is told which protocol is at work.

    Returns:
        As `assay.captioning.metrics.evaluate.evaluate_captions`.

    Raises:
        DataError: a line is none, a molecule is missing, foreign or twice, or a protocol's assets
            are not prepared.
        MachineError: a package is missing.
    """
    test = cast(CaptionRecords, splits(captions_of(sets.open_set(data))).test)
    predicted, smiles = _read(file), test.smiles
    wanted = [_plain(each) for each in smiles]
    missing = [each for each in wanted if each not in predicted]
    foreign = sorted(predicted.keys() - set(wanted))
    if missing or foreign:
        raise DataError(
            f"{file}: is not about the test split of {data}: "
            f"{_some(missing, 'of its molecules are missing')}, "
            f"{_some(foreign, 'molecules are not of it')}"
        )
    captions = [predicted[each] for each in wanted]
    pairs, _ = pairs_of(captions, test.captions, smiles)
    protocols = [PROTOCOLS[name]() for name in protocols_of(None, data)]
    found = score(pairs, protocols, watch)
    empty = f"{pairs.empty:,} of {len(pairs):,} predictions are empty: they score 0"
    return {
        "metrics": {name: each.model_dump() for name, each in found.estimates.items()},
        "rejected": [],
        "provenance": {
            "protocols": {protocol.name: protocol.version for protocol in protocols},
            "left_out": found.undefined,
            "remarks": [*([empty] if pairs.empty else []), *found.remarks],
            **scored(file, len(pairs), PACKAGES),
        },
    }


def _read(file: Path) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for number, text in enumerate(read_text(file).split("\n"), start=1):
        if not text.strip():
            continue
        smiles, prediction = _line(f"{file}: line {number}", text)
        smiles = _plain(smiles)
        if smiles in found:
            raise DataError(f"{file}: line {number}: smiles {quoted(smiles)} is there twice")
        found[smiles] = prediction
    return found


def _line(where: str, text: str) -> tuple[str, str]:
    try:
        held = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: is not JSON ({error})") from error
    values = [held.get(key) if isinstance(held, dict) else None for key in ("smiles", "prediction")]
    if not all(isinstance(value, str) for value in values):
        raise DataError(f"{where}: is no JSON object with the texts smiles and prediction")
    smiles, prediction = map(str, values)
    if len(prediction) > MOST_CHARACTERS:
        raise DataError(
            f"{where}: prediction has {len(prediction):,} characters; up to {MOST_CHARACTERS:,} "
            "are scored"
        )
    return smiles, prediction


def _plain(smiles: str) -> str:
    """Return a SMILES with each doubled backslash as one, which means the same."""
    return smiles.replace("\\\\", "\\")


def _some(smiles: list[str], words: str) -> str:
    first = f" (such as {quoted(smiles[0])})" if smiles else ""
    return f"{len(smiles):,} {words}{first}"
