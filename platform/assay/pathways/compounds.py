"""What is known of a compound, whatever graph it stands in: the features of nodes.

They are functions of the compound alone. Degree, position and neighbours are left out, so that a
model that is to predict edges is not told them; `assay.pathways.encodings` knows positions. What is
not known has its own mask, and is 0 where the mask is False.

Shapes: V compounds, C formula columns, D descriptors, F features.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError

ELEMENTS = ("C", "H", "N", "O", "P", "S")
FORMULA = (*ELEMENTS, "other")
"""Columns of a formula's counts; `other` counts every other element and unspecified residue R."""
CLASSES = (
    "unknown", "generic", "hydrocarbon", "oxygenated", "nitrogenous", "phosphorylated",
    "sulphurous", "phosphorylated and sulphurous", "other elements",
)  # fmt: skip
"""Of a compound, by the elements of its formula; `generic` has a residue R."""
DESCRIPTORS = (
    ("MolLogP", 5.0), ("TPSA", 200.0), ("NumHDonors", 5.0), ("NumHAcceptors", 10.0),
    ("NumRotatableBonds", 10.0), ("RingCount", 4.0), ("NumAromaticRings", 2.0),
    ("FractionCSP3", 1.0),
)  # fmt: skip
"""Of RDKit, and what each is divided by."""
GIBBS_SCALE = 100.0
"""kcal/mol."""
KNOWN = ("formula", "charge", "gibbs", "structure")
"""Columns of the mask."""
FEATURES = (
    *(f"log1p({name})" for name in FORMULA), "charge", "gibbs", *(name for name, _ in DESCRIPTORS),
    *(f"{name} is known" for name in KNOWN),
)  # fmt: skip
"""Columns of `CompoundTable.features`."""

_TOKEN = re.compile(r"([A-Z][a-z]?)(\d*)")
_FORMULA = re.compile(r"(?:[A-Z][a-z]?\d*)+")


@dataclass(frozen=True)
class Compound:
    """What a source says of one compound; None where it does not."""

    formula: str | None = None
    charge: float | None = None
    gibbs: float | None = None
    """Standard free energy of formation, ΔG°f, in kcal/mol."""
    smiles: str | None = None


@dataclass(frozen=True)
class CompoundTable:
    """The features of V compounds."""

    formulas: NDArray[np.int32]
    """(V, C) atoms, in the columns of `FORMULA`."""
    charges: NDArray[np.float32]
    """(V,) elementary charges, at the protonation of the source."""
    gibbs: NDArray[np.float32]
    """(V,) kcal/mol."""
    descriptors: NDArray[np.float32]
    """(V, D) as RDKit gives them."""
    classes: NDArray[np.uint8]
    """(V,) positions in `CLASSES`."""
    known: NDArray[np.bool_]
    """(V, 4) in the columns of `KNOWN`."""

    @classmethod
    def of(cls, compounds: Sequence[Compound], names: Sequence[str], where: str) -> Self:
        """Tabulate compounds.

        Args:
            compounds: V of them.
            names: Of each.
            where: The file they are from, for what is said of a bad one.

        Raises:
            DataError: a formula is none, or a number is not finite.
        """
        formulas = np.zeros((len(compounds), len(FORMULA)), np.int32)
        descriptors = np.zeros((len(compounds), len(DESCRIPTORS)), np.float32)
        known = np.zeros((len(compounds), len(KNOWN)), np.bool_)
        classes = np.zeros(len(compounds), np.uint8)
        for k, (compound, name) in enumerate(zip(compounds, names, strict=True)):
            for value in (compound.charge, compound.gibbs):
                if value is not None and not np.isfinite(value):
                    raise DataError(f"{where}: {name}: {value} is no charge or energy; correct it")
            if compound.formula:
                counts = formula_counts(compound.formula, f"{where}: {name}")
                formulas[k] = columns_of(counts)
                classes[k] = CLASSES.index(class_of(counts))
            found = descriptors_of(compound.smiles) if compound.smiles else None
            if found is not None:
                descriptors[k] = found
            known[k] = (
                bool(compound.formula), compound.charge is not None, compound.gibbs is not None,
                found is not None,
            )  # fmt: skip
        charges = np.array([one.charge or 0 for one in compounds], np.float32)
        gibbs = np.array([one.gibbs or 0 for one in compounds], np.float32)
        return cls(formulas, charges, gibbs, descriptors, classes, known)

    def features(self) -> NDArray[np.float32]:
        """Return (V, F): the columns of `FEATURES`, of order one, 0 where not known."""
        known = self.known.astype(np.float32)
        formula, charge, gibbs, structure = (known[:, [column]] for column in range(len(KNOWN)))
        scales = np.array([scale for _, scale in DESCRIPTORS], np.float32)
        return np.concatenate(
            [
                np.log1p(self.formulas).astype(np.float32) * formula,
                self.charges[:, None] * charge,
                self.gibbs[:, None] / np.float32(GIBBS_SCALE) * gibbs,
                self.descriptors / scales * structure,
                known,
            ],
            axis=1,
        )


def formula_counts(formula: str, where: str) -> dict[str, int]:
    """Return the atoms of each element of a formula such as C6H12O6; R is any residue.

    Raises:
        DataError: it is none.
    """
    if not _FORMULA.fullmatch(formula):
        raise DataError(f"{where}: {formula!r} is no formula such as C6H12O6; correct it")
    counts: dict[str, int] = {}
    for element, number in _TOKEN.findall(formula):
        counts[element] = counts.get(element, 0) + int(number or 1)
    return counts


def columns_of(counts: dict[str, int]) -> list[int]:
    """Return the counts in the columns of `FORMULA`."""
    own = [counts.get(element, 0) for element in ELEMENTS]
    return [*own, sum(counts.values()) - sum(own)]


def class_of(counts: dict[str, int]) -> str:
    """Return the class of a compound with these atoms."""
    elements = {element for element, number in counts.items() if number}
    if elements & {"R", "X"}:
        return "generic"
    if elements - set(ELEMENTS):
        return "other elements"
    if {"P", "S"} <= elements:
        return "phosphorylated and sulphurous"
    for element, name in (
        ("P", CLASSES[5]),
        ("S", CLASSES[6]),
        ("N", CLASSES[4]),
        ("O", "oxygenated"),
    ):
        if element in elements:
            return name
    return "hydrocarbon"


def descriptors_of(smiles: str) -> list[float] | None:
    """Return the values of `DESCRIPTORS`, or None where RDKit reads no molecule."""
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdMolDescriptors

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or molecule.GetNumAtoms() == 0:
        return None
    of = rdMolDescriptors
    return [
        of.CalcCrippenDescriptors(molecule)[0], of.CalcTPSA(molecule),
        of.CalcNumHBD(molecule), of.CalcNumHBA(molecule),
        of.CalcNumRotatableBonds(molecule), of.CalcNumRings(molecule),
        of.CalcNumAromaticRings(molecule), of.CalcFractionCSP3(molecule),
    ]  # fmt: skip
