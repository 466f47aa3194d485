"""The captions of mini_captions: sentences about what RDKit finds in a molecule.

What is found are functional groups, rings, stereo centres and double bonds, charges and atoms. How
it is said is one of several wordings, chosen by the hash of the SMILES, so that a text is always
the same and no two sentences about the same thing need be.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdkit.Chem import Mol

CLASSES: Mapping[str, str] = {
    "carboxylate": "[CX3](=O)[O-]",
    "carboxylic acid": "[CX3](=O)[OX2H]",
    "carboxylic ester": "[CX3;!$(C(=O)[#7])](=O)[OX2][#6]",
    "carboxamide": "[CX3](=O)[NX3]",
    "nitrile": "C#N",
    "sulfone": "[#6]S(=O)(=O)[#6]",
    "aldehyde": "[CX3;H1](=O)[#6]",
    "ketone": "[#6][CX3](=O)[#6]",
    "phenol": "c[OX2H]",
    "alcohol": "[CX4][OX2H]",
    "ammonium ion": "[NX4+;!$(*=*)]",
    "nitro compound": "[N+](=O)[O-]",
    "aromatic amine": "c[NX3;!H0;!$(NC=O)]",
    "amine": "[NX3;!$(N[C,S]=O);!$(Nc)]([CX4])",
    "ether": "[#6;!$(C=O)][OX2;!r5;!$(OC=O)][#6;!$(C=O)]",
    "organofluorine compound": "[#6]F",
    "organochlorine compound": "[#6]Cl",
    "organobromine compound": "[#6]Br",
    "olefin": "[CX3]=[CX3]",
}
"""As in nomenclature, what comes first names the compound."""

RINGS: Mapping[str, str] = {
    "naphthalene": "c1ccc2ccccc2c1",
    "indole": "c1ccc2[nH]ccc2c1",
    "benzene": "c1ccccc1",
    "pyrimidine": "c1cncnc1",
    "pyridine": "c1ccncc1",
    "furan": "c1ccoc1",
    "thiophene": "c1ccsc1",
    "piperidine": "C1CCNCC1",
    "oxane": "C1CCOCC1",
    "cyclohexane": "C1CCCCC1",
    "cyclopentane": "C1CCCC1",
    "cyclobutane": "C1CCC1",
}
"""The first that a molecule contains is its ring."""

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ELEMENTS = {
    "C": "carbon", "N": "nitrogen", "O": "oxygen", "S": "sulfur", "F": "fluorine",
    "Cl": "chlorine", "Br": "bromine",
}  # fmt: skip

OPENINGS = (
    "The molecule is {a_class} {ring}.",
    "The molecule is {a_class}, a compound {ring}.",
    "The molecule is a compound {ring} that is {a_class}.",
)
GROUPS = (
    "It is also {others}.",
    "Its other groups make it {others} as well.",
    "In addition it is {others}.",
)
STEREO = (
    "It has {stereo}.",
    "Its configuration is fixed by {stereo}.",
    "It is a stereoisomer with {stereo}.",
)
CHARGES = (
    "It carries a net charge of {charge}.",
    "It is an ion of charge {charge}.",
    "Its overall charge is {charge}.",
)
ATOMS = (
    "It is built of {atoms}.",
    "It consists of {atoms} besides hydrogen.",
    "Its heavy atoms are {atoms}.",
)


def describe(smiles: str) -> str:
    """Return the caption of a molecule."""
    from rdkit import Chem
    from rdkit.Chem import rdCIPLabeler

    molecule = Chem.MolFromSmiles(smiles)
    rdCIPLabeler.AssignCIPLabels(molecule)
    classes = classes_of(molecule)
    sentences = [
        _said(OPENINGS, smiles, a_class=with_article(classes[0]), ring=ring_of(molecule)),
    ]
    if classes[1:]:
        others = listed([with_article(one) for one in classes[1:]])
        sentences.append(_said(GROUPS, smiles, others=others))
    if stereo := stereo_of(molecule):
        sentences.append(_said(STEREO, smiles, stereo=listed(stereo)))
    if charge := Chem.GetFormalCharge(molecule):
        sentences.append(_said(CHARGES, smiles, charge=f"{charge:+d}"))
    elif any(atom.GetFormalCharge() > 0 for atom in molecule.GetAtoms()) and len(classes) > 1:
        sentences.append("Its charges cancel.")
    sentences.append(_said(ATOMS, smiles, atoms=listed(atoms_of(molecule))))
    return " ".join(sentences)


def classes_of(molecule: "Mol") -> list[str]:
    """Return the classes of a molecule, the one that names it first."""
    found = [name for name, one in CLASSES.items() if molecule.HasSubstructMatch(_pattern(one))]
    return found or ["hydrocarbon"]


def ring_of(molecule: "Mol") -> str:
    """Return what is said of the rings."""
    for name, smarts in RINGS.items():
        if molecule.HasSubstructMatch(_pattern(smarts)):
            return f"with {with_article(name)} ring"
    return "without a ring"


@cache
def _pattern(smarts: str) -> "Mol":
    from rdkit import Chem

    return Chem.MolFromSmarts(smarts)


def stereo_of(molecule: "Mol") -> list[str]:
    """Return what is said of stereo centres and double bonds."""
    parts = (*molecule.GetAtoms(), *molecule.GetBonds())
    labels = Counter(part.GetProp("_CIPCode") for part in parts if part.HasProp("_CIPCode"))
    nouns = {"R": "stereocentre", "S": "stereocentre", "E": "double bond", "Z": "double bond"}
    return [
        f"{_counted(count)} ({label})-{nouns[label]}{'s' if count > 1 else ''}"
        for label, count in sorted(labels.items())
        if label in nouns
    ]


def atoms_of(molecule: "Mol") -> list[str]:
    """Return how many heavy atoms there are of each element, the most frequent first."""
    counts = Counter(atom.GetSymbol() for atom in molecule.GetAtoms())
    order = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    return [
        f"{_counted(counts[symbol])} {_ELEMENTS[symbol]} atom{'s' if counts[symbol] > 1 else ''}"
        for symbol in order
    ]


def with_article(noun: str) -> str:
    """Return the noun with a or an."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def listed(parts: Sequence[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _counted(number: int) -> str:
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


def _said(wordings: Sequence[str], smiles: str, **found: str) -> str:
    """Return one of the wordings, filled in."""
    digest = hashlib.sha256(f"{wordings[0]} {smiles}".encode()).digest()
    return wordings[digest[0] % len(wordings)].format(**found)
