"""KGML, the files of KEGG pathways, for users who hold a licence for them: Assay brings none.

A reaction's substrates lead to its products; compounds are nodes by their KEGG ids, however often
the map draws them. KGML gives neither formulas nor energies nor environments, so that balance
cannot be judged. https://www.kegg.jp/kegg/xml/docs/ describes the format (version 0.7.2).
"""

from collections.abc import Collection
from pathlib import Path
from xml.etree.ElementTree import Element

from assay.errors import DataError
from assay.pathways.currency import KEGG
from assay.pathways.data.checks import check_pathway, check_size
from assay.pathways.data.reactions import Reaction, pathway_of, reaction_class, require_sides
from assay.pathways.data.safe_xml import read_xml
from assay.pathways.data.sampling import part_of
from assay.pathways.graphs import Pathway

_COMPOUNDS = ("compound", "glycan")
"""Prefixes `cpd:` and `gl:`."""


def read_kgml(
    path: Path,
    most_nodes: int | None = None,
    seed: int = 0,
    currency: Collection[str] = KEGG,
) -> Pathway:
    """Return the pathway of a KGML file.

    Args:
        path: The file. It may name KGML's document type, which is not fetched.
        most_nodes: Take a connected part of a larger graph; None refuses it.
        seed: Of that part.
        currency: KEGG ids of what is no node.

    Raises:
        DataError: the file is missing or no KGML, declares entities, gives an entry twice, a
            reaction has no substrate or product or names a compound that has no entry, or the
            graph is of a size that the family does not take.
    """
    root = read_xml(path, "KGML", doctype="pathway")
    if root.tag != "pathway" or not root.get("name"):
        raise DataError(f"{path}: is XML of {root.tag!r}, not of a named KGML pathway; get it anew")
    names = _compounds(root, path)
    numbers = _ec_numbers(root)
    found: dict[str, Reaction] = {}
    for element in root.findall("reaction"):
        reaction = _reaction(element, names, numbers, path)
        # One reaction is drawn wherever an enzyme of it is.
        found.setdefault(reaction.id, reaction)
    if not found:
        raise DataError(f"{path}: has no reaction; take a metabolic map")
    pathway = pathway_of(root.get("name", ""), list(found.values()), currency, {})
    check_pathway(pathway, str(path))
    if most_nodes is not None:
        pathway = part_of(pathway, most_nodes, seed)
    check_size(pathway, str(path))
    return pathway


def _compounds(root: Element, path: Path) -> set[str]:
    """Return the ids of the compounds that have an entry."""
    seen: set[str] = set()
    names: set[str] = set()
    for entry in root.findall("entry"):
        number = entry.get("id", "")
        if number in seen:
            raise DataError(f"{path}: entry {number} is given twice; get it anew")
        seen.add(number)
        if entry.get("type") in _COMPOUNDS:
            names.update(map(_id, entry.get("name", "").split()))
    return names


def _ec_numbers(root: Element) -> dict[str, str]:
    """Return the EC numbers of each reaction, joined by |, where the map is drawn with enzymes."""
    found: dict[str, list[str]] = {}
    for entry in root.findall("entry"):
        numbers = [name[3:] for name in entry.get("name", "").split() if name.startswith("ec:")]
        for reaction in entry.get("reaction", "").split():
            found.setdefault(reaction, []).extend(numbers)
    return {reaction: "|".join(numbers) for reaction, numbers in found.items() if numbers}


def _reaction(
    element: Element, names: Collection[str], numbers: dict[str, str], path: Path
) -> Reaction:
    id = element.get("name") or f"number {element.get('id')}"
    kind = element.get("type")
    if kind not in ("reversible", "irreversible"):
        raise DataError(f"{path}: reaction {id} is {kind!r}, neither reversible nor irreversible")
    sides: list[dict[str, float]] = []
    for side in ("substrate", "product"):
        compounds = [_id(one.get("name", "")) for one in element.findall(side)]
        for name in compounds:
            if name not in names:
                raise DataError(
                    f"{path}: reaction {id} names {name or 'no compound'} as a {side}, which no "
                    "entry is; add the entry, or leave the reaction out"
                )
        sides.append(dict.fromkeys(compounds, 1.0))
    code = {reaction_class(numbers.get(one, "")) for one in id.split()}
    reaction = Reaction(
        id, sides[0], sides[1], kind == "reversible", code.pop() if len(code) == 1 else 0
    )
    require_sides(reaction, str(path))
    return reaction


def _id(name: str) -> str:
    return name.rpartition(":")[2]
