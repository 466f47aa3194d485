"""CIF text: each data block as a crystal, or what is wrong with it. By pymatgen.

A block whose only symmetry operation is the identity, as generators and databases of computed
structures write them, is taken from pymatgen's tokens as it stands, which is ten times faster than
building pymatgen's structure. Everything else goes through `pymatgen.io.cif.CifParser`, which
applies the symmetry.
"""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.crystal_checks import MOST_ATOMS
from assay.chemistry.elements import ATOMIC_NUMBERS
from assay.chemistry.extras import needing
from assay.chemistry.files import RecordError, quoted

if TYPE_CHECKING:
    from pymatgen.io.cif import CifBlock

_LENGTHS = ("_cell_length_a", "_cell_length_b", "_cell_length_c")
_ANGLES = ("_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma")
_FRACTIONS = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
_OPERATIONS = tuple(
    key + tail
    for key in ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz")
    for tail in ("", "_")
)
_GROUP = re.compile(r"_(symmetry|space_group)_.*(name|number)", re.IGNORECASE)
_SYMBOL = re.compile(r"([A-Z][a-z]?)(?![A-Za-z])")
_BRACKETS = re.compile(r"\(\d*\)$")
_UNKNOWN = ("", "?")

_MOST_IMAGES = 10_000
"""Sites times symmetry operations: pymatgen compares each with all, in seconds for as many."""

_MOST_OPERATIONS = 192
"""Of a space group, in its conventional cell."""

_UNPARSABLE = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError, RuntimeError,
    TypeError, ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class CifCrystal:
    """A crystal as a block describes it."""

    numbers: Sequence[int]
    """(n,) atomic numbers."""
    frac_coords: NDArray[np.float64]
    """(n, 3), as they are written, or in [0, 1) where symmetry operations made them."""
    lengths: Sequence[float]
    """a, b, c in Å."""
    angles: Sequence[float]
    """α, β, γ in degrees."""


def blocks_of(text: str) -> Iterator[str]:
    """Yield each data block of a CIF but `data_global`, which describes an article."""
    for block in re.split(r"^\s*data_", f"x\n{text}", flags=re.MULTILINE | re.IGNORECASE)[1:]:
        if not re.match(r"global\s", block, re.IGNORECASE):
            yield f"data_{block}"


def crystal_of(block: str) -> CifCrystal:
    """Read one data block.

    Raises:
        RecordError: it cannot be parsed, describes no crystal, or one that is disordered.
        MachineError: pymatgen is not installed.
    """
    with needing("crystals"):
        from pymatgen.io.cif import CifBlock

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters of them is said as a reason
        try:
            tokens = CifBlock.from_str(block)
            _require_ordered(tokens.data)
            if _lists_every_atom(tokens.data):
                return _as_written(tokens.data)
            return _by_symmetry(block, tokens)
        except _UNPARSABLE as error:
            raise RecordError(f"its CIF cannot be parsed ({_explained(error)})") from error


def _explained(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it lacks {error.args[0]}"
    if isinstance(error, ZeroDivisionError):
        return "a loop is empty or cut off"
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[-1][:80]


def _require_ordered(data: Mapping[str, Any]) -> None:
    """Refuse what has no definite atoms: no sites, partial occupancy, implicit hydrogens."""
    sites = _column(data, _FRACTIONS[0])
    if not sites:
        raise RecordError("its CIF lists no atoms (_atom_site_fract_x, _y, _z)")
    if len(sites) > MOST_ATOMS:
        raise RecordError(f"it has {len(sites):,} atoms, at most {MOST_ATOMS:,}")
    names = _column(data, "_atom_site_label") or _column(data, "_atom_site_type_symbol")
    for name, occupancy in zip(names, _column(data, "_atom_site_occupancy"), strict=False):
        # pymatgen drops a site whose occupancy is "."
        if occupancy not in _UNKNOWN and (occupancy == "." or _real(occupancy) != 1.0):
            raise RecordError(f"site {quoted(name)} is occupied to {occupancy}: partial occupancy")
    for name, hydrogens in zip(names, _column(data, "_atom_site_attached_hydrogens"), strict=False):
        if hydrogens not in (*_UNKNOWN, ".") and _real(hydrogens) != 0.0:
            raise RecordError(f"site {quoted(name)} has hydrogens without coordinates")


def _operations(data: Mapping[str, Any]) -> list[str]:
    """Return the symmetry operations that are listed, those that pymatgen applies."""
    return next((found for key in _OPERATIONS if (found := _column(data, key))), [])


def _lists_every_atom(data: Mapping[str, Any]) -> bool:
    """Tell whether the sites are all atoms of the cell: no symmetry but the identity is given."""
    operations = _operations(data)
    if operations:
        return [re.sub(r"[\s+']", "", each).lower() for each in operations] == ["x,y,z"]
    groups = {str(value).replace(" ", "") for key, value in data.items() if _GROUP.match(key)}
    return groups <= {"P1", "1", ".", *_UNKNOWN}


def _as_written(data: Mapping[str, Any]) -> CifCrystal:
    columns = [_column(data, key) for key in _FRACTIONS]
    frac_coords = np.array([[_real(word) for word in column] for column in columns]).T
    return CifCrystal(
        _numbers(data),
        frac_coords,
        [_real(data[key]) for key in _LENGTHS],
        [_real(data[key]) for key in _ANGLES],
    )


def _by_symmetry(block: str, tokens: "CifBlock") -> CifCrystal:
    from pymatgen.io.cif import CifParser

    listed = _numbers(tokens.data)
    operations = len(_operations(tokens.data)) or _MOST_OPERATIONS
    if len(listed) * operations > _MOST_IMAGES:
        raise RecordError(
            f"its {len(listed):,} sites have {operations} symmetry operations: too many; list all "
            "atoms of the cell"
        )
    (structure,) = CifParser.from_str(block).parse_structures(primitive=False, on_error="raise")
    numbers = [site.specie.Z for site in structure]
    if set(numbers) != set(listed):
        raise RecordError("its CIF cannot be parsed (pymatgen finds other elements)")
    return CifCrystal(
        numbers, structure.frac_coords % 1.0, structure.lattice.lengths, structure.lattice.angles
    )


def _numbers(data: Mapping[str, Any]) -> list[int]:
    words = _column(data, "_atom_site_type_symbol") or _column(data, "_atom_site_label")
    known: dict[str, int] = {}
    for word in dict.fromkeys(words):
        symbol = _SYMBOL.match(word)
        name = {"D": "H", "T": "H"}.get(symbol[1], symbol[1]) if symbol else ""
        if name not in ATOMIC_NUMBERS:
            raise RecordError(f"unknown element {quoted(word)}")
        known[word] = ATOMIC_NUMBERS[name]
    numbers = [known[word] for word in words]
    if len(numbers) != len(_column(data, _FRACTIONS[0])):
        raise RecordError("its CIF cannot be parsed (elements and coordinates differ in number)")
    return numbers


def _column(data: Mapping[str, Any], key: str) -> list[str]:
    value = data.get(key, [])
    return [value] if isinstance(value, str) else list(value)


def _real(word: str) -> float:
    """Return a number without its standard uncertainty, such as 0.5 for 0.5(1)."""
    return float(_BRACKETS.sub("", word))
