"""What a caption says of rings, of chirality and of charge, each checked against the graph.

A statement is counted once a caption. What is checked is the least that the words can mean: "(2R)-"
that there is an R centre, "bicyclic" that some ring system has two rings.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from assay.captioning.cip import assign_labels
from assay.captioning.metrics.claims import denials, is_within, own_sentences, sentences

Check = Callable[["Graph"], bool]

_COUNTS = ("mono", "bi", "tri", "tetra", "penta", "hexa", "hepta", "octa")
_LEAST_MACROCYCLE = 12

_CYCLIC = re.compile(rf"\b(?:hetero|carbo|homo)?({'|'.join(_COUNTS)})cycl(?:ic|e)s?\b", re.I)
_SEVERAL = r"\b(?:mono|di|tri|tetra?|penta|hexa|hepta|octa|poly|oxo?|methyl)?-?"
_CATION, _ANION = rf"{_SEVERAL}cations?\b", rf"{_SEVERAL}anions?\b"  # and no modifications
_CHARGE = re.compile(r"\((\d)([+-])\)")
_CONJUGATE = re.compile(r"conjugate (acid|base)s? of\b(.*)", re.I | re.S)
_OF_CATION = re.compile(rf"\+\)|ium\b|{_CATION}", re.I)
_OF_ANION = re.compile(rf"-\)|(?:ate|ide)s?\b|{_ANION}", re.I)
_BRACKETS = re.compile(r"\(([^()\s]+)\)")
_DESCRIPTOR = re.compile(r"\d*[a-z]?'*([RSEZ])")
_AMINO_ACID = re.compile(
    r"\b([DL])-(?:alan|argin|asparag|aspart|cystei|glutam|histid|(?:iso|nor)?leuc|lys(?:in|yl)|"
    r"methion|phenylalan|prol(?:in|yl)|ser(?:in|yl)|threon|tryptoph|tyros|val(?:in|yl)|ornith)",
)
_SERIES = re.compile(r"(?<![A-Za-z])[DL]-(?=[A-Za-z(\[\d])")

L_RESIDUE = "[#7][C@@H]([#6])[#6X3]=O"
D_RESIDUE = "[#7][C@H]([#6])[#6X3]=O"


@dataclass(frozen=True)
class _Ring:
    atoms: frozenset[int]
    bonds: frozenset[int]


class Graph:
    """What statements are held against, computed once a molecule."""

    def __init__(self, molecule: Chem.Mol) -> None:
        """Look at rings, centres and charges.

        Args:
            molecule: sanitised.
        """
        found = molecule.GetRingInfo()
        rings = [
            _Ring(*map(frozenset, ring))
            for ring in zip(found.AtomRings(), found.BondRings(), strict=True)
        ]
        self.molecule = molecule
        self.largest_ring = max((len(ring.atoms) for ring in rings), default=0)
        self.system_sizes = _systems(rings, 1) | _systems(rings, 2)
        self.is_aromatic = any(atom.GetIsAromatic() for atom in molecule.GetAtoms())
        self.has_heterocycle = any(
            molecule.GetAtomWithIdx(k).GetAtomicNum() != 6 for ring in rings for k in ring.atoms
        )
        self.fragment_charges = frozenset(
            Chem.GetFormalCharge(part) for part in Chem.GetMolFrags(molecule, asMols=True)
        ) | {Chem.GetFormalCharge(molecule)}
        self.atom_charges = frozenset(_lone_charges(molecule))

    def centres(self, label: str) -> int:
        """Return how many centres are R, or S; `?` counts all that are specified."""
        return self._labels[label]

    @cached_property
    def spiro(self) -> int:
        """How many spiro atoms there are."""
        return rdMolDescriptors.CalcNumSpiroAtoms(self.molecule)

    def has(self, pattern: str) -> bool:
        """Tell whether a SMARTS matches, chirality included."""
        return self.molecule.HasSubstructMatch(_query(pattern), useChirality=True)

    @cached_property
    def _labels(self) -> dict[str, int]:
        return _labels(self.molecule)


@dataclass(frozen=True)
class Statement:
    """Something that a caption says."""

    text: str
    holds: Check


def ring_statements(caption: str) -> list[Statement]:
    """Return what a caption says of rings."""
    found: dict[str, Check] = {}
    for sentence in own_sentences(caption):
        denied = denials(sentence)
        for place, text, check in _of_rings(sentence):
            if not is_within(place, denied):
                found[text] = check
    return _listed(found)


def chirality_statements(caption: str) -> list[Statement]:
    """Return what a caption says of chirality: how many R and S centres, D and L."""
    own = " ".join(own_sentences(caption))
    found: dict[str, Check] = {}
    for label, count in _centres(own).items():
        found[f"{count} {label}"] = lambda graph, a=label, n=count: graph.centres(a) >= n
    for series in set(_AMINO_ACID.findall(own)):
        pattern = L_RESIDUE if series == "L" else D_RESIDUE
        found[f"{series}-amino acid"] = lambda graph, p=pattern: graph.has(p)
    count = max((len(_SERIES.findall(name)) for name in own.split()), default=0)
    if count:
        found[f"{count} of a series"] = lambda graph: graph.centres("?") >= count
    return _listed(found)


def charge_statements(caption: str) -> list[Statement]:
    """Return what a caption says of charge."""
    found: dict[str, Check] = {}
    for sentence in own_sentences(caption):
        denied = denials(sentence)
        for place, text, check in _of_charge(sentence):
            if not is_within(place, denied):
                found[text] = check
    for sentence in sentences(caption):
        found |= _conjugate(sentence)
    return _listed(found)


KINDS: dict[str, Callable[[str], list[Statement]]] = {
    "ring": ring_statements,
    "chirality": chirality_statements,
    "charge": charge_statements,
}


def _of_rings(sentence: str) -> Iterator[tuple[int, str, Check]]:
    for match in _CYCLIC.finditer(sentence):
        n = _COUNTS.index(match[1].lower()) + 1
        yield match.start(), f"{n} rings", lambda graph, n=n: n in graph.system_sizes
    for expression, check in _RINGS:
        for match in re.finditer(expression, sentence, re.I):
            yield match.start(), expression, check


_RINGS: tuple[tuple[str, Check], ...] = (
    (r"(?<!non)(?<!non-)\baromatic\b", lambda graph: graph.is_aromatic),
    (r"\bhetero\w*cyclic\b|\bheterocycles?\b", lambda graph: graph.has_heterocycle),
    (r"\bmacrocycl(?:ic|e)", lambda graph: graph.largest_ring >= _LEAST_MACROCYCLE),
    (r"\bspiro", lambda graph: graph.spiro > 0),
)


def _of_charge(sentence: str) -> Iterator[tuple[int, str, Check]]:
    # "It contains a lidocaine(1+)": PubChem writes the hydrochloride, with neutral parts.
    for match in () if "contains" in sentence else _CHARGE.finditer(sentence):
        n = int(match[2] + match[1])
        yield match.start(), f"{n:+d}", lambda graph, n=n: n in graph.fragment_charges
    for expression, check in _CHARGES:
        for match in re.finditer(expression, sentence, re.I):
            yield match.start(), expression, check


_CHARGES: tuple[tuple[str, Check], ...] = (
    (_CATION, lambda graph: max(graph.fragment_charges) > 0),
    (_ANION, lambda graph: min(graph.fragment_charges) < 0),
    (r"\bzwitterions?\b", lambda graph: {-1, 1} <= graph.atom_charges),
)


def _conjugate(sentence: str) -> dict[str, Check]:
    """A base that is no cation's is an anion; an acid that is no anion's, a cation."""
    match = _CONJUGATE.search(sentence)
    if match is None:
        return {}
    if match[1].lower() == "base" and not _OF_CATION.search(match[2]):
        return {"conjugate base": lambda graph: -1 in graph.atom_charges}
    if match[1].lower() == "acid" and not _OF_ANION.search(match[2]):
        return {"conjugate acid": lambda graph: 1 in graph.atom_charges}
    return {}


def _centres(own: str) -> dict[str, int]:
    """Return the most R, and the most S, that any one bracket such as `(2R,3S)` names."""
    most: dict[str, int] = {}
    for inside in _BRACKETS.findall(own):
        labels = [_DESCRIPTOR.fullmatch(each) for each in inside.split(",")]
        if all(labels):
            letters = [each[1] for each in labels if each]
            for label in {"R", "S"} & set(letters):
                most[label] = max(most.get(label, 0), letters.count(label))
    return most


def _systems(rings: list[_Ring], shared: int) -> frozenset[int]:
    """Return how many rings ring systems have; rings belong together that share so many atoms."""
    systems: list[list[_Ring]] = []
    for ring in rings:
        joined = [s for s in systems if any(len(ring.atoms & o.atoms) >= shared for o in s)]
        systems = [s for s in systems if s not in joined]
        systems.append([ring, *(other for s in joined for other in s)])
    return frozenset(map(_count, systems))


def _count(system: list[_Ring]) -> int:
    """Return how many bonds must be cut until no ring is left, as nomenclature counts.

    RDKit lists three rings of bicyclo[2.2.2]octane and four of adamantane, all of one size.
    """
    atoms = frozenset().union(*(ring.atoms for ring in system))
    bonds = frozenset().union(*(ring.bonds for ring in system))
    return len(bonds) - len(atoms) + 1


def _lone_charges(molecule: Chem.Mol) -> Iterator[int]:
    """Yield the sign of each charged atom that no neighbour balances, as in nitro."""
    for atom in molecule.GetAtoms():
        charge = atom.GetFormalCharge()
        if charge and not any(charge * n.GetFormalCharge() < 0 for n in atom.GetNeighbors()):
            yield 1 if charge > 0 else -1


def _labels(molecule: Chem.Mol) -> dict[str, int]:
    labelled = Chem.Mol(molecule)
    assign_labels(labelled, labelled.GetAtoms())
    counts = {"R": 0, "S": 0, "?": 0}
    for atom in labelled.GetAtoms():
        if atom.GetChiralTag() != Chem.ChiralType.CHI_UNSPECIFIED:
            counts["?"] += 1
        label = atom.GetProp("_CIPCode") if atom.HasProp("_CIPCode") else ""
        if label in ("R", "S"):
            counts[label] += 1
    return counts


@cache
def _query(pattern: str) -> Chem.Mol:
    return Chem.MolFromSmarts(pattern)


def _listed(found: dict[str, Check]) -> list[Statement]:
    return [Statement(text, check) for text, check in sorted(found.items(), key=lambda x: x[0])]
