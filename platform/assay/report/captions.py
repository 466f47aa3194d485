"""The first captions of a cell, each beside its molecule, with the groups that it claims.

What a caption claims of functional groups, and which of it holds, is what the protocol `groups`
finds (`assay.captioning.metrics`); atoms of the groups that are rightly named are marked.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from markupsafe import Markup

from assay.errors import DataError

_WIDTH, _HEIGHT = 240, 170
_MARK = (0.62, 0.87, 0.76)
"""Of atoms, red, green and blue."""


@dataclass(frozen=True)
class Described:
    """A molecule and what a model said of it."""

    smiles: str
    drawing: Markup | None
    """SVG; None where SMILES cannot be parsed."""
    prediction: str
    reference: str
    holds: Sequence[str]
    """Groups that are named and there, or denied and not there, such as `no nitrile`."""
    errs: Sequence[str]
    """The others that are claimed."""


def read_captions(path: Path, count: int) -> list[Described]:
    """Read the first `count` captions of a file of JSON lines.

    Raises:
        DataError: a line is no caption; names the file and the line.
    """
    with path.open(encoding="utf-8") as file:
        lines = list(islice(file, count))
    return [_described(path, number, line) for number, line in enumerate(lines, start=1)]


def _described(path: Path, number: int, line: str) -> Described:
    from assay.captioning.graphs import parse
    from assay.captioning.metrics.claims import claims
    from assay.captioning.metrics.consistency import atoms_of, groups_of

    try:
        held = json.loads(line)
        smiles, prediction, reference = (
            str(held[name]) for name in ("smiles", "prediction", "reference")
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: line {number} is no caption with smiles, prediction and reference"
        ) from error
    said, molecule = claims(prediction), parse(smiles)
    if molecule is None:
        return Described(smiles, None, prediction, reference, (), ())
    there = groups_of(molecule)
    right = sorted(said.present & there) + _denied(said.absent - there)
    wrong = sorted(said.present - there) + _denied(said.absent & there)
    marked = atoms_of(molecule, said.present & there)
    return Described(smiles, _drawn(molecule, marked), prediction, reference, right, wrong)


def _denied(groups: frozenset[str]) -> list[str]:
    return [f"no {group}" for group in sorted(groups)]


def _drawn(molecule: Any, atoms: Sequence[int]) -> Markup:
    from rdkit.Chem.Draw import rdMolDraw2D

    drawer = rdMolDraw2D.MolDraw2DSVG(_WIDTH, _HEIGHT)
    drawer.drawOptions().clearBackground = False
    rdMolDraw2D.PrepareAndDrawMolecule(
        drawer,
        molecule,
        highlightAtoms=list(atoms),
        highlightAtomColors=dict.fromkeys(atoms, _MARK),
        highlightBonds=[],
    )
    drawer.FinishDrawing()
    text = drawer.GetDrawingText()
    return Markup(text[text.index("<svg") :])
