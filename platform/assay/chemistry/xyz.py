"""Extended xyz text, frame by frame: what molecules and crystals have in common.

Source of the dialect: the comment line of ASE and of the extxyz specification, key=value pairs with
`Properties` naming the columns.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.elements import ATOMIC_NUMBERS, HIGHEST
from assay.chemistry.files import RecordError, quoted

_COUNT = re.compile(r"\s*\d{1,9}\s*")
_KEY_VALUE = re.compile(r'([\w.-]+)\s*=\s*("[^"]*"|\{[^}]*\}|\S+)')
_UNIT_KEY = re.compile(r"((length|pos|positions?|coords?|coordinates?|lattice|cell)_?)?units?")
_ANGSTROM = {"angstrom", "angstroms", "ang", "a", "å"}


@dataclass(frozen=True)
class Frame:
    """One frame as it stands in the text."""

    given: Mapping[str, str]
    """What the comment line declares, by lower-case key."""
    rows: Sequence[str]
    """A line an atom."""
    first_line: int
    """Of the atoms, in the file, counted from 1."""

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Whether it is periodic along each axis; with a lattice it is unless it says otherwise."""
        axes = self.given.get("pbc", "T T T" if "lattice" in self.given else "F F F").split()
        return tuple(axis.upper() in {"T", "TRUE", "1"} for axis in axes)


def frames(text: str) -> Iterator[Frame | str]:
    """Yield each frame, or why it is none.

    Only a line that gives a number of atoms is a lone integer, so after a fault reading goes on
    at the next such line.
    """
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        if not _COUNT.fullmatch(lines[at]):
            yield f"line {at + 1} should give the number of atoms, but is {quoted(lines[at])}"
            at = next((k for k in range(at, len(lines)) if _COUNT.fullmatch(lines[k])), len(lines))
            continue
        count = int(lines[at])
        comment, block = "".join(lines[at + 1 : at + 2]), lines[at + 2 : at + 2 + count]
        early = next((k for k, line in enumerate(block) if _COUNT.fullmatch(line)), len(block))
        if early < count:
            yield f"line {at + 1} announces {count} atoms, but {early} follow: truncated"
        else:
            pairs = _KEY_VALUE.findall(comment)
            given = {key.lower(): value.strip('"{}') for key, value in pairs}
            yield Frame(given, block, at + 3)
        at += 2 + early


def atoms_of(frame: Frame) -> tuple[list[int], NDArray[np.float64]]:
    """Return the atomic numbers (n,) and the positions (n, 3), in Å, of a frame.

    Raises:
        RecordError: another unit is declared, or a row is malformed.
    """
    for key, value in frame.given.items():
        if _UNIT_KEY.fullmatch(key) and value.lower() not in _ANGSTROM:
            raise RecordError(f"{key}={quoted(value)}: positions must be in angstrom")
    species, position, width = _columns(frame.given.get("properties"))
    rows = [line.split() for line in frame.rows]
    exact = "properties" in frame.given
    for number, row in enumerate(rows, start=frame.first_line):
        if len(row) < width or (exact and len(row) > width):
            raise RecordError(f"line {number} has {len(row)} columns, not {width}")
    try:
        positions = np.array([row[position : position + 3] for row in rows], dtype=np.float64)
    except ValueError as error:
        raise RecordError(f"a coordinate is not a number ({error})") from error
    return [number_of(row[species]) for row in rows], positions.reshape(-1, 3)


def number_of(word: str) -> int:
    """Return the atomic number of a symbol, or of its number.

    Raises:
        RecordError: there is no such element.
    """
    number = int(word) if word.isdecimal() else ATOMIC_NUMBERS.get(word.capitalize(), 0)
    if not 1 <= number <= HIGHEST:
        raise RecordError(f"unknown element {quoted(word)}")
    return number


def _columns(properties: str | None) -> tuple[int, int, int]:
    """Return the columns of the element and of x, and how many columns there are."""
    if properties is None:
        return 0, 1, 4
    words = properties.lower().split(":")
    found: dict[tuple[str, str, int], int] = {}
    width = 0
    for name, kind, size in zip(words[::3], words[1::3], words[2::3], strict=False):
        if not size.isdecimal():
            break
        found[name, kind, int(size)] = width
        width += int(size)
    elements = [("species", "s", 1), ("numbers", "i", 1), ("z", "i", 1)]
    species = next((found[key] for key in elements if key in found), None)
    position = next(
        (found[key] for key in [("pos", "r", 3), ("positions", "r", 3)] if key in found), None
    )
    if len(words) % 3 or species is None or position is None:
        raise RecordError(f"Properties={quoted(properties)} lacks species:S:1 or pos:R:3")
    return species, position, width
