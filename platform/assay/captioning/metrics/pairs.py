"""Reads captions to be scored: a prediction and a reference a line, with the molecule's SMILES."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdkit import Chem, rdBase

from assay.chemistry.files import Rejected, quoted, read_text
from assay.errors import DataError

MOST_CHARACTERS = 20_000
"""Of a text: ten times what the longest caption of ChEBI-20 has; ROUGE-L takes the square."""


@dataclass(frozen=True)
class Pairs:
    """Predictions, what they are held against, and the molecules that both are about.

    They are kept in an order of their own, that of the texts: so no figure, not even the last digit
    of an interval, depends on the order of a file.
    """

    predictions: Sequence[str]
    references: Sequence[str]
    molecules: Sequence[Chem.Mol | None] | None
    """None: no SMILES were given; None in it: that SMILES could not be parsed."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.predictions)

    @property
    def empty(self) -> int:
        """How many predictions say nothing."""
        return sum(not text.strip() for text in self.predictions)


@dataclass(frozen=True)
class _Line:
    number: int
    prediction: str
    reference: str
    smiles: str | None


def read_pairs(path: Path) -> tuple[Pairs, list[Rejected]]:
    """Read JSON lines, `.jsonl` or `.jsonl.gz`.

    Returns:
        The pairs, and the lines whose SMILES cannot be parsed: their texts are scored all the same.

    Raises:
        DataError: names the file, the line and the key of the first fault.
    """
    texts = read_text(path).split("\n")  # not splitlines(): U+2028 may stand within a JSON string
    lines = [_line(path, n, text) for n, text in enumerate(texts, start=1) if text.strip()]
    if not lines:
        raise DataError(f"{path}: is empty; a line is a JSON object with prediction and reference")
    if not any(line.prediction.strip() for line in lines):
        raise DataError(f"{path}: every prediction is empty: there is nothing to score")
    has_smiles = [line.smiles is not None for line in lines]
    if any(has_smiles) and not all(has_smiles):
        bare = lines[has_smiles.index(False)].number
        raise DataError(f"{path}: line {bare}: smiles is missing; give it in every line, or none")
    smiles = [str(line.smiles) for line in lines] if all(has_smiles) else None
    pairs, unreadable = pairs_of(
        [line.prediction for line in lines], [line.reference for line in lines], smiles
    )
    rejected = [
        Rejected(lines[k].number, f"smiles {quoted(str(lines[k].smiles))} cannot be parsed")
        for k in unreadable
    ]
    return pairs, rejected


def pairs_of(
    predictions: Sequence[str], references: Sequence[str], smiles: Sequence[str] | None = None
) -> tuple[Pairs, list[int]]:
    """Return texts as pairs, and the places, from 0 and ascending, whose SMILES is none."""
    named = smiles if smiles is not None else [""] * len(predictions)
    order = sorted(range(len(named)), key=lambda k: (references[k], predictions[k], named[k]))
    texts = [predictions[k] for k in order], [references[k] for k in order]
    if smiles is None:
        return Pairs(*texts, None), []
    with rdBase.BlockLogs():
        molecules = [_molecule(smiles[k]) for k in order]
    unreadable = [k for k, molecule in zip(order, molecules, strict=True) if molecule is None]
    return Pairs(*texts, molecules), sorted(unreadable)


def _line(path: Path, number: int, text: str) -> _Line:
    where = f"{path}: line {number}"
    try:
        held = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: is not JSON ({error})") from error
    if not isinstance(held, dict):
        raise DataError(f"{where}: is no JSON object with prediction and reference")
    prediction = _text(where, held, "prediction")
    reference = _text(where, held, "reference")
    if not reference.strip():
        raise DataError(f"{where}: reference is empty; there is nothing to hold a caption against")
    return _Line(number, prediction, reference, _text(where, held, "smiles", optional=True))


def _text(where: str, held: dict[str, Any], key: str, optional: bool = False) -> Any:
    if key not in held:
        if optional:
            return None
        raise DataError(f"{where}: {key} is missing")
    value = held[key]
    if not isinstance(value, str):
        raise DataError(f"{where}: {key} is {quoted(json.dumps(value))}, not a string")
    if len(value) > MOST_CHARACTERS:
        raise DataError(
            f"{where}: {key} has {len(value):,} characters; up to {MOST_CHARACTERS:,} are scored"
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: {key} holds half a character (a lone surrogate)") from error
    return value


def _molecule(smiles: str) -> Chem.Mol | None:
    molecule = Chem.MolFromSmiles(smiles)
    return molecule if molecule is not None and molecule.GetNumAtoms() else None
