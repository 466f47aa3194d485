"""Subsystems of two genome-scale models, iML1515 (BiGG) and yeast-GEM, as graphs.

Compartments are merged; 86 of 101 subsystems have 3 to 50 compounds. The models name compounds
differently, hence the prefix. Subsystems of the two that treat the same matter are one family, by
the words of their names. The table's edges are every pair of a substrate and a product; which is
main is told by formulas. Energies of formation in yeast-GEM are transformed to pH 7, a quantity
that no other source here gives, and are not read. There is no environment.

Monk et al., Nature Biotechnology 35, 904 (2017); King et al., Nucleic Acids Research 44, D515
(2016); Lu et al., Nature Communications 10, 3586 (2019).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.errors import DataError
from assay.pathways.compounds import Compound, CompoundTable
from assay.pathways.currency import BIGG, NAMES
from assay.pathways.data.checks import check_known, check_pathway, size_fault
from assay.pathways.data.faults import Faults
from assay.pathways.data.packing import built
from assay.pathways.data.pathway_set import PathwaySet, folder_of
from assay.pathways.data.reactions import Reaction, main_pairs, require_sides
from assay.pathways.data.splitting import split_of
from assay.pathways.data.tables import check_pinned, json_lines, rows
from assay.pathways.graphs import Pathway, PathwayGraphs, pack
from assay.store.sets import Built, Watch

GRAPHS = "subsystem_graphs.jsonl.gz"
PINNED = {
    GRAPHS: "ffdbd2dbe02c55b5173c9737a3a0e5c8",
    "iML1515_metabolites.csv.gz": "1b42b52da128248f492b5686b60415e4",
    "iML1515_reactions.csv.gz": "52215562b208b5ef0fd07769f4ea7cb6",
    "yeast-GEM_9.0.2_metabolites.csv.gz": "79be508a8b189ab7499e461bc71317de",
    "yeast-GEM_9.0.2_reactions.csv.gz": "e5a199ae732244f08a6cf0a750e7ceba",
}
"""MD5."""
MODELS = {"iML1515": ("bigg", BIGG, "o2"), "yeast-GEM_9.0.2": ("yeast-gem", NAMES, "oxygen")}
"""Of each model: the prefix of its compounds, its currency metabolites, and its O2."""

COMMON_WORDS = frozenset(
    (
        *("metabolism", "biosynthesis", "degradation", "pathway", "reactions", "cycle", "system"),
        *("signaling", "and", "acid", "by", "of", "other", "the", "one"),
    )
)
"""Say nothing of what a subsystem treats."""
SYNONYMS: Mapping[str, str] = {"citrate": "citric", "tca": "citric"}

_FIELDS = {"model": str, "subsystem": str, "nodes": list, "edges": list, "reactions": list}


class BiGGSubsystems(PathwaySet):
    """The subsystems of both models, split by family."""

    name = "bigg_subsystems"
    title = "subsystems of iML1515 and yeast-GEM as graphs, split by family"
    licence = "iML1515: BiGG's, non-commercial; yeast-GEM CC-BY-4.0"
    citation = "King et al., Nucleic Acids Research 44, D515 (2016), doi:10.1093/nar/gkv1049"
    version = 1
    upstream = "http://bigg.ucsd.edu"
    folder = "metabolic_models"

    def build(self, source: str, watch: Watch) -> Built:
        """Read, check and pack the subsystems of the folder `source`.

        Raises:
            DataError: a file is missing, or not the published one.
        """
        watch("read", 0.0)
        folder = folder_of(self, source)
        check_pinned(folder, PINNED)
        faults = Faults(refuse=False)
        graphs, table = read_subsystems(folder, faults)
        what = f"subsystems of iML1515 and yeast-GEM: no environment; left out: {faults.counted()}"
        return built(graphs, table, what, faults.sentences())


BIGG_SUBSYSTEMS = BiGGSubsystems()


@dataclass(frozen=True)
class Model:
    """The tables of one model, compartments merged."""

    prefix: str
    compounds: Mapping[str, Compound]
    reactions: Mapping[str, Reaction]
    currency: frozenset[str]
    oxygen: str

    @property
    def formulas(self) -> dict[str, str]:
        """Return those that are known, by compound."""
        return {name: one.formula for name, one in self.compounds.items() if one.formula}


def read_subsystems(folder: Path, faults: Faults) -> tuple[PathwayGraphs, CompoundTable]:
    """Return the subsystems of 3 to 50 nodes in the order of the file, and their compounds.

    Raises:
        DataError: a line, compound or reaction is not what it should be.
    """
    models = {name: model_of(folder, name) for name in MODELS}
    found: list[Pathway] = []
    lines: list[str] = []
    for where, line in json_lines(folder / GRAPHS, _FIELDS):
        where = f"{where}: {line['model']}, {line['subsystem']}"
        if line["model"] not in models:
            raise DataError(f"{where}: there is no model {line['model']!r}; get the file anew")
        pathway = _pathway(line, where, models[line["model"]])
        if fault := size_fault(pathway):
            faults.add(f"subsystems {fault}", f"{where}: is {fault}; left out")
            continue
        check_pathway(pathway, where)
        found.append(pathway)
        lines.append(line["subsystem"])
    graphs = pack(
        _in_family(pathway, family)
        for pathway, family in zip(found, families_of(lines), strict=True)
    )
    known = {
        f"{model.prefix}:{name}": compound
        for model in models.values()
        for name, compound in model.compounds.items()
    }
    names = list(graphs.compounds)
    return graphs, CompoundTable.of([known[name] for name in names], names, str(folder))


def families_of(subsystems: Sequence[str]) -> list[str]:
    """Return the family of each subsystem, named after the first in it.

    Two are of one family where the telling words of one are among those of the other, as
    "Cysteine Metabolism" and "Cysteine and methionine metabolism" are; and so is whoever is of one
    family with either.
    """
    words = [telling_words(name) for name in subsystems]
    leader = list(range(len(subsystems)))
    for k in range(len(subsystems)):
        for j in range(k):
            if words[k] and words[j] and (words[k] <= words[j] or words[j] <= words[k]):
                old, new = max(leader[k], leader[j]), min(leader[k], leader[j])
                leader = [new if one == old else one for one in leader]
    return [subsystems[k] for k in leader]


def telling_words(subsystem: str) -> frozenset[str]:
    """Return the words of a subsystem's name that say what it treats."""
    words: list[str] = re.findall(r"[a-z0-9]+", subsystem.lower())
    return frozenset(SYNONYMS.get(word, word) for word in words if word not in COMMON_WORDS)


def _in_family(pathway: Pathway, family: str) -> Pathway:
    return replace(pathway, family=family, split=split_of(family))


def model_of(folder: Path, name: str) -> Model:
    """Read the tables of one model.

    Raises:
        DataError: a table is missing or malformed, or a reaction names an unknown metabolite.
    """
    prefix, currency, oxygen = MODELS[name]
    table = folder / f"{name}_metabolites.csv.gz"
    structures = ("smiles",) if prefix == "yeast-gem" else ()
    merged: dict[str, str] = {}
    compounds: dict[str, Compound] = {}
    for row in rows(table, ("id", "name", "formula", "charge", *structures)):
        # BiGG's ids end in the compartment; those of yeast-GEM say nothing.
        own = row["id"].rpartition("_")[0] if prefix == "bigg" else row["name"]
        merged[row["id"]] = own
        compounds.setdefault(
            own,
            Compound(
                formula=_plain(row["formula"]),
                charge=float(row["charge"]) if row["charge"] else None,
                smiles=row.get("smiles") or None,
            ),
        )
    path = folder / f"{name}_reactions.csv.gz"
    reactions = {
        row["id"]: _reaction(row, merged, str(path))
        for row in rows(path, ("id", "lb", "ub", "stoich"))
    }
    return Model(prefix, compounds, reactions, currency, oxygen)


def _plain(formula: str) -> str | None:
    """Return a formula with whole counts, or None: polymers have (…)n, pools have fractions."""
    return formula if re.fullmatch(r"(?:[A-Z][a-z]?\d*)+", formula) else None


def _reaction(row: Mapping[str, str], merged: Mapping[str, str], where: str) -> Reaction:
    where = f"{where}: reaction {row['id']}"
    try:
        amounts = {name: float(amount) for name, amount in json.loads(row["stoich"]).items()}
        low, high = float(row["lb"]), float(row["ub"])
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{where}: is malformed ({error}); get the file anew") from error
    check_known("compound", amounts, merged, where, "the table of metabolites")
    # What runs backwards alone is turned round; what may not run at all stays as it is written.
    sign = -1 if high <= 0 and low < 0 else 1
    sides: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for name, amount in amounts.items():
        side = sides[0] if sign * amount < 0 else sides[1]
        side[merged[name]] = side.get(merged[name], 0) + abs(amount)
    return Reaction(row["id"], *sides, reversible=low < 0 < high)


def _pathway(line: Mapping[str, Any], where: str, model: Model) -> Pathway:
    nodes = line["nodes"]
    check_known("compound", nodes, model.compounds, where, "the table of metabolites")
    check_known("reaction", line["reactions"], model.reactions, where, "the table of reactions")
    currency = [name for name in nodes if name in model.currency]
    if currency:
        raise DataError(f"{where}: currency metabolite {currency[0]} is a node; remove it")
    try:
        edges = [(int(edge[0]), int(edge[1])) for edge in line["edges"]]
        reactions = [line["reactions"][edge[2]] for edge in line["edges"]]
        reversible = [bool(edge[3]) for edge in line["edges"]]
        named = [(nodes[source], nodes[target]) for source, target in edges]
    except (TypeError, ValueError, IndexError) as error:
        raise DataError(f"{where}: an edge is malformed ({error}); get the file anew") from error
    of_reaction: dict[str, list[tuple[str, str]]] = {}
    for name, pair in zip(reactions, named, strict=True):
        of_reaction.setdefault(name, []).append(pair)
    for name in of_reaction:
        require_sides(model.reactions[name], where)
    main = {name: main_pairs(pairs, model.formulas) for name, pairs in of_reaction.items()}
    taken = (model.reactions[name] for name in line["reactions"])
    return Pathway(
        id=f"{line['model']}: {line['subsystem']}",
        nodes=[f"{model.prefix}:{name}" for name in nodes],
        edges=edges,
        main=[pair in main[name] for name, pair in zip(reactions, named, strict=True)],
        reversible=reversible,
        reactions=[f"{model.prefix}:{name}" for name in reactions],
        consumes_oxygen=any(
            model.oxygen in one.substrates or (one.reversible and model.oxygen in one.products)
            for one in taken
        ),
    )
