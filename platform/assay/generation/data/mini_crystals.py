"""A small set of crystals that needs no network: structure types filled with ions by rules.

Each structure type is given by its space group and Wyckoff positions, and takes every choice of
ions that is neutral and obeys Pauling's radius rules; its cell is scaled so that the contact that
holds it together is the sum of the two radii (Shannon, Acta Cryst. A32, 751, 1976, six-fold
coordination, high spin). Elements are at their measured lattice constants (ASE's table). The
chemistry is real, if small, and the geometries are ideal, not relaxed: its numbers are for trying
things out and compare with no published ones.

Shapes: N atoms of a cell, K sites of a structure type.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.crystal_checks import check_crystals
from assay.chemistry.crystals import Crystals
from assay.chemistry.elements import ATOMIC_NUMBERS
from assay.chemistry.extras import needing
from assay.chemistry.lattices import niggli_reduced
from assay.store.packed import SPLITS
from assay.store.sets import Built, DataSet, Watch

_RADII: Mapping[int, str] = {
    1: "Li .76 Na 1.02 K 1.38 Rb 1.52 Cs 1.67 Cu .77 Ag 1.15 Tl 1.50",
    2: "Mg .72 Ca 1.00 Sr 1.18 Ba 1.35 Mn .83 Fe .78 Co .745 Ni .69 Cu .73 Zn .74 Cd .95 Hg 1.02 "
    "Pb 1.19 Eu 1.17",
    3: "Al .535 Ga .62 In .80 Sc .745 Y .90 La 1.032 Pr .99 Nd .983 Sm .958 Gd .938 Dy .912 "
    "Ho .901 Er .89 Yb .868 Lu .861 Ti .67 V .64 Cr .615 Mn .645 Fe .645 Rh .665 Bi 1.03",
    4: "Si .40 Ge .53 Sn .69 Pb .775 Ti .605 Zr .72 Hf .71 Ce .87 Th .94 Mn .53 Mo .65 Ru .62 "
    "Pt .625",
    5: "V .54 Nb .64 Ta .64 Sb .60",
    -1: "F 1.33 Cl 1.81 Br 1.96 I 2.20",
    -2: "O 1.40 S 1.84 Se 1.98 Te 2.21",
    -3: "N 1.46",
}
"""Radii in Å by charge."""

DECIMALS = 4
"""Of cell vectors in Å: coarser than what differs between machines, finer than matters."""

_FRACTION_DECIMALS = 6


@dataclass(frozen=True, order=True)
class Ion:
    """An element with a charge and a radius in Å."""

    symbol: str
    charge: int
    radius: float


Ions = tuple[Ion, ...]


@dataclass(frozen=True)
class StructureType:
    """A structure type, and which ions may take its sites."""

    name: str
    space_group: int
    sites: Sequence[tuple[float, float, float]]
    """K Wyckoff positions; in the second origin choice where there are two."""
    choices: Callable[[], Iterator[Ions]]
    """Yields the K ions of each compound."""
    contact: tuple[int, int]
    """The two sites whose ions touch."""
    axial_ratio: float = 1.0
    """c/a."""
    hexagonal: bool = False


def ions(charge: int) -> tuple[Ion, ...]:
    """Return the ions of a charge."""
    words = _RADII[charge].split()
    return tuple(Ion(s, charge, float(r)) for s, r in zip(words[::2], words[1::2], strict=True))


def _binary(
    n_cations: int, n_anions: int, low: float, high: float, *, anion_first: bool = False
) -> Callable[[], Iterator[Ions]]:
    """Salts of n cations and m anions whose radius ratio lies in [low, high)."""

    def choices() -> Iterator[Ions]:
        for charge, opposite in product((1, 2, 3, 4), (-1, -2, -3)):
            if n_cations * charge + n_anions * opposite == 0:
                for cation, anion in product(ions(charge), ions(opposite)):
                    if low <= cation.radius / anion.radius < high:
                        yield (anion, cation) if anion_first else (cation, anion)

    return choices


def _perovskites() -> Iterator[Ions]:
    """Goldschmidt's tolerance factor, and an octahedron around B (Pauling's first rule)."""
    for a, b, x in product((1, 2, 3), (2, 3, 4, 5), (-1, -2)):
        if a + b + 3 * x == 0:
            for large, small, anion in product(ions(a), ions(b), ions(x)):
                across = math.sqrt(2) * (small.radius + anion.radius)
                tolerance = (large.radius + anion.radius) / across
                if 0.82 <= tolerance < 1.0 and 0.414 <= small.radius / anion.radius < 0.732:
                    yield large, small, anion


def _spinels() -> Iterator[Ions]:
    for a, b, x in product(ions(2), ions(3), ions(-2)):
        if 0.6 <= a.radius <= 0.85 and 0.5 <= b.radius <= 0.7 and x.symbol in {"O", "S"}:
            yield a, b, x


def _layered() -> Iterator[Ions]:
    """Of the type of α-NaFeO2: the larger cation between the layers."""
    for a, b, x in product(ions(1), ions(3), ions(-2)):
        if a.radius > 1.1 * b.radius and 0.414 <= b.radius / x.radius < 0.732:
            yield a, b, x


def _sesquioxides() -> Iterator[Ions]:
    for cation in ions(3):
        if 0.5 <= cation.radius <= 0.75:
            yield cation, ions(-2)[0]


def _elpasolites() -> Iterator[Ions]:
    for a, b, c, x in product(ions(1), ions(1), ions(3), ions(-1)):
        across = math.sqrt(2) * ((b.radius + c.radius) / 2 + x.radius)
        fits = 0.9 <= (a.radius + x.radius) / across < 1.0
        if fits and a.radius > b.radius > c.radius and x.symbol in {"F", "Cl"}:
            yield a, b, c, x


def _hexahalides() -> Iterator[Ions]:
    for a, b, x in product(ions(1), ions(4), ions(-1)):
        if a.radius >= 1.38 and 0.3 <= b.radius / x.radius < 0.5:
            yield a, b, x


_CENTRE = (0.5, 0.5, 0.5)
_QUARTER = (0.25, 0.25, 0.25)
_ORIGIN = (0.0, 0.0, 0.0)

STRUCTURE_TYPES = (
    StructureType("rock salt", 225, (_ORIGIN, _CENTRE), _binary(1, 1, 0.37, 0.8), (0, 1)),
    StructureType("cesium chloride", 221, (_ORIGIN, _CENTRE), _binary(1, 1, 0.66, 9), (0, 1)),
    StructureType("zinc blende", 216, (_ORIGIN, _QUARTER), _binary(1, 1, 0.2, 0.46), (0, 1)),
    StructureType(
        "wurtzite", 186, ((1 / 3, 2 / 3, 0.0), (1 / 3, 2 / 3, 0.375)), _binary(1, 1, 0.2, 0.46),
        (0, 1), math.sqrt(8 / 3), hexagonal=True,
    ),
    StructureType(
        "nickel arsenide", 194, (_ORIGIN, (1 / 3, 2 / 3, 0.25)), _binary(1, 1, 0.28, 0.42),
        (0, 1), 1.45, hexagonal=True,
    ),
    StructureType("fluorite", 225, (_ORIGIN, _QUARTER), _binary(1, 2, 0.66, 9), (0, 1)),
    StructureType(
        "antifluorite", 225, (_ORIGIN, _QUARTER), _binary(2, 1, 0.3, 9, anion_first=True), (0, 1)
    ),
    StructureType(
        "rutile", 136, (_ORIGIN, (0.305, 0.305, 0.0)), _binary(1, 2, 0.38, 0.732), (0, 1), 0.66
    ),
    StructureType(
        "cadmium iodide", 164, (_ORIGIN, (1 / 3, 2 / 3, 0.25)), _binary(1, 2, 0.28, 0.55),
        (0, 1), 1.6, hexagonal=True,
    ),
    StructureType(
        "rhenium trioxide", 221, (_ORIGIN, (0.5, 0.0, 0.0)), _binary(1, 3, 0.38, 0.6), (0, 1)
    ),
    StructureType(
        "corundum", 167, ((0.0, 0.0, 0.352), (0.306, 0.0, 0.25)), _sesquioxides,
        (0, 1), 2.73, hexagonal=True,
    ),
    StructureType("perovskite", 221, (_CENTRE, _ORIGIN, (0.5, 0.0, 0.0)), _perovskites, (1, 2)),
    StructureType(
        "spinel", 227, ((0.125, 0.125, 0.125), _CENTRE, (0.2625, 0.2625, 0.2625)), _spinels, (1, 2)
    ),
    StructureType(
        "sodium ferrite", 166, ((0.0, 0.0, 0.5), _ORIGIN, (0.0, 0.0, 0.262)), _layered,
        (1, 2), 5.0, hexagonal=True,
    ),
    StructureType(
        "elpasolite", 225, (_QUARTER, _CENTRE, _ORIGIN, (0.245, 0.0, 0.0)), _elpasolites, (2, 3)
    ),
    StructureType(
        "potassium hexachloroplatinate", 225, (_QUARTER, _ORIGIN, (0.24, 0.0, 0.0)), _hexahalides,
        (1, 2),
    ),
)  # fmt: skip


class MiniCrystalsSet(DataSet):
    """The filled structure types."""

    name = "mini_crystals"
    title = "structure types filled with ions, ideal geometries"
    licence = "Apache-2.0"
    citation = "Made by the rules of assay.generation.data.mini_crystals"
    kind = "crystals"
    version = 1
    upstream = None

    def build(self, source: str, watch: Watch) -> Built:
        """Fill the structure types, reduce and check.

        Raises:
            DataError: a geometry is absurd.
            MachineError: ASE or spglib is not installed.
        """
        built: list[tuple[str, Crystals]] = []
        for number, structure_type in enumerate(STRUCTURE_TYPES):
            watch("fill", number / len(STRUCTURE_TYPES))
            built += fill(structure_type)
        return pack([*built, *elements()])


MINI_CRYSTALS = MiniCrystalsSet()


def fill(structure_type: StructureType) -> list[tuple[str, Crystals]]:
    """Return the formula and the primitive cell of each compound of a structure type.

    Raises:
        MachineError: ASE is not installed.
    """
    with needing("crystals"):
        from ase.geometry import get_distances
        from ase.spacegroup import crystal

    # A cell of a = 1 with an element a site: what it becomes is the same for every compound.
    c, gamma = structure_type.axial_ratio, 120 if structure_type.hexagonal else 90
    labels = range(1, len(structure_type.sites) + 1)
    atoms = crystal(
        list(labels),
        structure_type.sites,
        spacegroup=structure_type.space_group,
        setting=2 if structure_type.space_group == 227 else 1,
        cellpar=[1, 1, c, 90, 90, gamma],
        primitive_cell=True,
        onduplicates="error",
    )
    site_N = atoms.numbers - 1
    first, second = (atoms.positions[site_N == site] for site in structure_type.contact)
    contact = get_distances(first, second, cell=atoms.cell, pbc=True)[1].min()
    filled = []
    for chosen in structure_type.choices():
        touching = sum(chosen[site].radius for site in structure_type.contact)
        numbers = np.array([ATOMIC_NUMBERS[ion.symbol] for ion in chosen])[site_N]
        symbols = [chosen[site].symbol for site in site_N]
        cell = np.asarray(atoms.cell) * (touching / contact)
        filled.append((formula(symbols), _cell(cell, atoms.get_scaled_positions(), numbers)))
    return filled


def elements() -> list[tuple[str, Crystals]]:
    """Return the elements that are fcc, bcc, hcp or of the diamond type, at measured constants."""
    with needing("crystals"):
        from ase.build import bulk
        from ase.data import chemical_symbols, reference_states

    found = []
    for symbol, state in zip(chemical_symbols, reference_states, strict=False):
        # Of selenium and tellurium, hexagonal chains, the table lacks where the atoms are.
        if state is None or "basis" in state:
            continue
        if state["symmetry"] in {"fcc", "bcc", "hcp", "diamond"}:
            atoms = bulk(symbol, state["symmetry"], a=state["a"], covera=state.get("c/a"))
            cell = _cell(np.asarray(atoms.cell), atoms.get_scaled_positions(), atoms.numbers)
            found.append((symbol, cell))
    return found


def pack(built: Sequence[tuple[str, Crystals]]) -> Built:
    """Return the arrays; ids count the cells from 1.

    Raises:
        DataError: a geometry is absurd.
    """
    parts = [crystals for _, crystals in built]
    crystals = niggli_reduced(
        Crystals(
            np.concatenate([part.frac_coords for part in parts]),
            np.concatenate([part.numbers for part in parts]),
            np.concatenate([part.n_atoms for part in parts]),
            np.concatenate([part.lattices for part in parts]),
        )
    )
    ids = np.arange(1, len(crystals) + 1)
    check_crystals(crystals, ids, "mini_crystals")
    split = np.array([split_code(name) for name, _ in built], dtype=np.uint8)
    counts = " / ".join(f"{count:,}" for count in np.bincount(split, minlength=len(SPLITS)))
    return Built(
        {
            "frac_coords": crystals.frac_coords,
            "numbers": crystals.numbers,
            "offsets": crystals.offsets,
            "lattices": crystals.lattices,
            "ids": ids,
            "split": split,
        },
        f"{len(crystals):,} cells of {len(STRUCTURE_TYPES)} structure types and of elements, up to "
        f"{crystals.n_atoms.max()} atoms, ideal geometries, Niggli cells; split {counts} (train / "
        "validation / test)",
    )


def split_code(name: str) -> int:
    """Return 0 (train), 1 (validation) or 2 (test), in shares of 80, 10 and 10 %, by hash.

    Of the formula: the forms of one compound are in one split. Elements are all in training, which
    so knows every type of atom.
    """
    if sum(letter.isupper() for letter in name) == 1:
        return 0
    digest = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return max(0, digest % 10 - 7)


def formula(symbols: Sequence[str]) -> str:
    """Return the reduced formula, symbols in alphabetical order: Cl1Na1."""
    counts = {symbol: list(symbols).count(symbol) for symbol in sorted(set(symbols))}
    divisor = reduce(math.gcd, counts.values())
    return "".join(f"{symbol}{count // divisor}" for symbol, count in counts.items())


def _cell(
    lattice_33: NDArray[np.float64], frac_N3: NDArray[np.float64], numbers_N: NDArray[np.integer]
) -> Crystals:
    # Adding 0 turns -0 into 0, which has other bytes.
    frac = frac_N3.round(_FRACTION_DECIMALS) % 1.0 + 0.0
    return Crystals(
        frac.astype(np.float32),
        numbers_N.astype(np.uint8),
        np.array([len(frac)], dtype=np.int64),
        (lattice_33.round(DECIMALS) + 0.0).astype(np.float32)[None],
    )
