"""MetaCyc's pathways, as ModelSEED and gapseq carry them: 2,416 graphs of 3 to 50 compounds.

Directions of irreversible reactions are curated; those of reversible ones (71 % of the edges) are
an estimate that makes as many compounds as possible both made and used. A family is pathways whose
edges overlap by half (Jaccard). Superpathways are unions of others and are left out.

Caspi et al., Nucleic Acids Research 48, D445 (2020); Seaver et al., Nucleic Acids Research 49, D575
(2021); Zimmermann, Kaleta and Waschina, Genome Biology 22, 81 (2021).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.errors import DataError
from assay.pathways.compounds import Compound, CompoundTable
from assay.pathways.currency import METACYC
from assay.pathways.data.checks import (
    check_families,
    check_known,
    check_pathway,
    size_fault,
)
from assay.pathways.data.faults import Faults
from assay.pathways.data.labels import Labels, unmarked
from assay.pathways.data.packing import built
from assay.pathways.data.pathway_set import PathwaySet, folder_of
from assay.pathways.data.reactions import Reaction, imbalance, reaction_class, require_sides
from assay.pathways.data.tables import check_pinned, json_lines, rows
from assay.pathways.environment import environment_of_taxon
from assay.pathways.graphs import Pathway, PathwayGraphs, pack
from assay.store.packed import Split
from assay.store.sets import Built, Watch
from assay.store.texts import Texts

GRAPHS, COMPOUNDS = "pathway_graphs.jsonl.gz", "compounds.csv.gz"
REACTIONS, ENVIRONMENTS = "reactions.csv.gz", "pathway_environment_by_taxon.csv.gz"
PINNED = {
    COMPOUNDS: "1ff51fa83cd19e709aa08e8c394e973b",
    ENVIRONMENTS: "087a8cc33f347744f3fc9e017ebd8c87",
    GRAPHS: "a402d282e182dac9d98eabeeaf7bf804",
    REACTIONS: "9f8ad45eb221ae2bf71b8bc1507a0a8c",
}
"""MD5."""
OXYGEN = "OXYGEN-MOLECULE"
SPLIT_NAMES: Mapping[str, Split] = {"train": "train", "valid": "validation", "test": "test"}

_FIELDS = {
    "id": str, "superpathway": bool, "nodes": list, "edges": list, "reactions": list,
    "o2_in": int, "family": str, "split": str,
}  # fmt: skip
_TAXON = (
    "id", "broadest_rank", "temp_n", "temp_C_mean", "ph_n", "ph_mean", "o2_n", "frac_aerobic",
    "frac_microaerophilic", "frac_facultative", "redox_n", "acceptor_E0_mV_mean",
)  # fmt: skip
_ARROW = re.compile(r" ?(?:<=>|<=|=>) ?")
_TERM = re.compile(r"(?:\((?P<amount>[^)]*)\) )?(?P<name>\S+)\[\d\]")


class MetaCyc(PathwaySet):
    """The base pathways, split by family."""

    name = "metacyc"
    title = "MetaCyc pathways: substrate -> product graphs, split by family"
    licence = "MetaCyc's open licence of 2020 (name the origin); ModelSEED CC-BY-4.0; gapseq GPL-3"
    citation = "Caspi et al., Nucleic Acids Research 48, D445 (2020), doi:10.1093/nar/gkz862"
    version = 2
    upstream = "https://github.com/ModelSEED/ModelSEEDDatabase"
    folder = "metabolic_metacyc_modelseed"

    def build(self, source: str, watch: Watch) -> Built:
        """Read, check and pack the pathways of the folder `source`.

        Raises:
            DataError: a file is missing, or not the published one.
        """
        watch("read", 0.0)
        folder = folder_of(self, source)
        check_pinned(folder, PINNED)
        faults = Faults(refuse=False)
        graphs = read_metacyc(folder, faults)
        watch("features", 0.0)
        table = compound_table(folder, graphs)
        aerobic = int((graphs.consumes_oxygen == 1).sum())
        known = int(graphs.environment_known.any(axis=1).sum())
        return built(
            graphs,
            table,
            f"MetaCyc: {aerobic:,} pathways consume O2, {known:,} have taxa of a known "
            f"environment; left out or doubtful: {faults.counted()}",
            faults.sentences(),
            read_labels(folder, graphs),
        )


METACYC_SET = MetaCyc()


def read_metacyc(folder: Path, faults: Faults) -> PathwayGraphs:
    """Return the base pathways of 3 to 50 nodes in the order of the file.

    Args:
        folder: With the four files.
        faults: Told of superpathways, sizes and unbalanced reactions.

    Raises:
        DataError: a line, compound, reaction or environment is not what it should be.
    """
    compounds = {row["id"]: row["formula"] for row in rows(folder / COMPOUNDS, ("id", "formula"))}
    equations = {row["id"]: row for row in rows(folder / REACTIONS, ("id", "ec", "equation"))}
    taxa = {row["id"]: row for row in rows(folder / ENVIRONMENTS, _TAXON)}
    found: list[Pathway] = []
    used: dict[str, None] = {}
    for where, line in json_lines(folder / GRAPHS, _FIELDS):
        where = f"{where}: pathway {line['id']}"
        if line["superpathway"]:
            faults.add("superpathways", f"{where}: is a union of others; left out")
            continue
        check_known("reaction", line["reactions"], equations, where, REACTIONS)
        used |= dict.fromkeys(line["reactions"])
        pathway = _pathway(line, where, equations, taxa)
        if fault := size_fault(pathway):
            faults.add(f"pathways {fault}", f"{where}: is {fault}; left out")
            continue
        check_known("compound", line["nodes"], compounds, where, COMPOUNDS)
        check_pathway(pathway, where)
        found.append(pathway)
    check_families(found, str(folder / GRAPHS))
    _judge(used, equations, compounds, folder / REACTIONS, faults)
    return pack(found)


def compound_table(folder: Path, graphs: PathwayGraphs) -> CompoundTable:
    """Return what `compounds.csv.gz` knows of the compounds of the graphs."""
    columns = ("id", "formula", "charge", "smiles", "deltag_f_kcal_mol")
    known = {row["id"]: row for row in rows(folder / COMPOUNDS, columns)}
    names = list(graphs.compounds)
    made = [
        Compound(
            formula=known[name]["formula"] or None,
            charge=_number(known[name]["charge"]),
            gibbs=_number(known[name]["deltag_f_kcal_mol"]),
            smiles=known[name]["smiles"] or None,
        )
        for name in names
    ]
    return CompoundTable.of(made, names, str(folder / COMPOUNDS))


def read_labels(folder: Path, graphs: PathwayGraphs) -> Labels:
    """Return MetaCyc's names of compounds and pathways, and the pathways' top classes.

    Raises:
        DataError: a file lacks them.
    """
    names = {row["id"]: row["name"] for row in rows(folder / COMPOUNDS, ("id", "name"))}
    fields = {"id": str, "name": str, "top_class": str}
    told = {line["id"]: line for _, line in json_lines(folder / GRAPHS, fields)}
    return Labels(
        compounds=Texts.of(unmarked(names[id] or id) for id in graphs.compounds),
        pathways=Texts.of(unmarked(told[id]["name"] or id) for id in graphs.ids),
        classes=Texts.of(told[id]["top_class"].replace("-", " ") for id in graphs.ids),
    )


def parse_equation(id: str, text: str, where: str) -> Reaction:
    """Return the reaction of an equation such as "(2) A[0] + B[0] <=> C[0]".

    Raises:
        DataError: it is none.
    """
    sides = _ARROW.split(text)
    if len(sides) != 2:
        raise DataError(f"{where}: reaction {id}: {text[:60]!r} has no single arrow; correct it")
    taken, given = (_side(side, f"{where}: reaction {id}") for side in sides)
    return Reaction(id, taken, given)


def _side(text: str, where: str) -> dict[str, float]:
    amounts: dict[str, float] = {}
    for term in filter(None, text.strip().split(" + ")):
        match = _TERM.fullmatch(term.strip())
        try:
            amount = float(match["amount"] or 1) if match else None
        except ValueError:
            amount = None
        if match is None or amount is None:
            raise DataError(f"{where}: {term[:60]!r} is no compound with an amount; correct it")
        amounts[match["name"]] = amounts.get(match["name"], 0) + amount
    return amounts


def _pathway(
    line: Mapping[str, Any],
    where: str,
    equations: Mapping[str, Mapping[str, str]],
    taxa: Mapping[str, Mapping[str, str]],
) -> Pathway:
    currency = [name for name in line["nodes"] if name in METACYC]
    if currency:
        raise DataError(f"{where}: currency metabolite {currency[0]} is a node; remove it")
    names = line["reactions"]
    try:
        edges = [(int(edge[0]), int(edge[1])) for edge in line["edges"]]
        reactions = [names[edge[2]] for edge in line["edges"]]
        main, reversible = ([bool(edge[k]) for edge in line["edges"]] for k in (3, 4))
    except (TypeError, ValueError, IndexError) as error:
        raise DataError(f"{where}: an edge is malformed ({error}); get the file anew") from error
    if line["split"] not in SPLIT_NAMES:
        raise DataError(f"{where}: there is no split {line['split']!r}; get the file anew")
    row = taxa.get(line["id"])
    return Pathway(
        id=line["id"],
        nodes=line["nodes"],
        edges=edges,
        main=main,
        reversible=reversible,
        reactions=reactions,
        reaction_classes=[reaction_class(equations[name]["ec"]) for name in reactions],
        environment=environment_of_taxon(row) if row else (None,) * 4,
        family=line["family"],
        split=SPLIT_NAMES[line["split"]],
        consumes_oxygen=line["o2_in"] > 0,
    )


def _judge(
    used: Mapping[str, None],
    equations: Mapping[str, Mapping[str, str]],
    formulas: Mapping[str, str],
    path: Path,
    faults: Faults,
) -> None:
    """Note unbalanced reactions, which stay as MetaCyc has them; refuse those of one side."""
    for name in used:
        reaction = parse_equation(name, equations[name]["equation"], str(path))
        require_sides(reaction, str(path))
        # A proton more or less is a matter of the pH that formulas were written for.
        found = imbalance(reaction, formulas, ignored=("H",))
        if found:
            surplus = ", ".join(f"{n:+g} {element}" for element, n in sorted(found.items()))
            faults.add(
                "reactions that do not balance",
                f"{path}: reaction {name} does not balance ({surplus}); kept as MetaCyc has it",
            )


def _number(text: str) -> float | None:
    return float(text) if text else None
