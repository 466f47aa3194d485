"""WikiPathways' conversions of metabolites: drawings by hand, 735 graphs of 3 to 50 compounds.

An edge is an arrow that somebody drew; co-substrates and co-products hang on arrows and are side
edges. Copies of a pathway in several species are one family. There is no environment, and formulas
are not given: of a compound, its identity is known. A compound that is drawn twice in one pathway
stays two nodes, the second called "CHEBI:15422 (2)", for drawings tell compartments apart so.

Agrawal et al., "WikiPathways 2024", Nucleic Acids Research 52, D679 (2024).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.errors import DataError
from assay.pathways.compounds import Compound, CompoundTable
from assay.pathways.currency import KEGG, LABELS
from assay.pathways.data.checks import check_families, check_pathway, size_fault
from assay.pathways.data.faults import Faults
from assay.pathways.data.metacyc import SPLIT_NAMES
from assay.pathways.data.packing import built
from assay.pathways.data.pathway_set import PathwaySet, folder_of
from assay.pathways.data.tables import check_pinned, json_lines
from assay.pathways.graphs import Pathway, PathwayGraphs, pack
from assay.store.sets import Built, Watch

GRAPHS = "pathways.jsonl.gz"
PINNED = {GRAPHS: "028decbba389a8c4bd2302d1a8b9ae65"}
"""MD5."""
OXYGEN = frozenset({"C00007", "O2", "O₂"})

_FIELDS = {"id": str, "nodes": list, "edges": list, "family": str, "split": str}


class WikiPathways(PathwaySet):
    """The drawn conversions, split by family."""

    name = "wikipathways"
    title = "WikiPathways: drawn conversions of metabolites, split by family"
    licence = "CC0-1.0"
    citation = "Agrawal et al., Nucleic Acids Research 52, D679 (2024), doi:10.1093/nar/gkad960"
    version = 1
    upstream = "https://github.com/wikipathways/wikipathways-database"
    folder = "metabolic_wikipathways"

    def build(self, source: str, watch: Watch) -> Built:
        """Read, check and pack the pathways of the folder `source`.

        Raises:
            DataError: the file is missing, or not the published one.
        """
        watch("read", 0.0)
        folder = folder_of(self, source)
        check_pinned(folder, PINNED)
        faults = Faults(refuse=False)
        graphs = read_wikipathways(folder / GRAPHS, faults)
        names = list(graphs.compounds)
        table = CompoundTable.of([Compound()] * len(names), names, str(folder / GRAPHS))
        what = f"WikiPathways: no environment, no formulas; left out: {faults.counted()}"
        return built(graphs, table, what, faults.sentences())


WIKIPATHWAYS = WikiPathways()


def read_wikipathways(path: Path, faults: Faults) -> PathwayGraphs:
    """Return the pathways of 3 to 50 nodes without currency metabolites, in the order of the file.

    Raises:
        DataError: a line is not what it should be.
    """
    found = []
    for where, line in json_lines(path, _FIELDS):
        where = f"{where}: pathway {line['id']}"
        try:
            pathway = _pathway(line, where)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise DataError(f"{where}: a node or edge is malformed ({error!r})") from error
        if fault := size_fault(pathway):
            faults.add(f"pathways {fault}", f"{where}: is {fault}; left out")
            continue
        check_pathway(pathway, where)
        found.append(pathway)
    check_families(found, str(path))
    return pack(found)


def is_currency(node: Mapping[str, Any]) -> bool:
    """Tell whether a drawn node is a currency metabolite, by its KEGG id or its label."""
    return node.get("kegg") in KEGG or node["label"] in LABELS


def identity(node: Mapping[str, Any]) -> str:
    """Return what a drawn node is called: by ChEBI, else by its own database, else by its label."""
    if node.get("chebi"):
        return f"CHEBI:{node['chebi']}"
    if node["db"] and node["id"]:
        return f"{node['db']}:{node['id']}"
    return str(node["label"])


def _pathway(line: Mapping[str, Any], where: str) -> Pathway:
    drawn, N = line["nodes"], len(line["nodes"])
    dangling = [e for e in line["edges"] if not (0 <= e["s"] < N and 0 <= e["t"] < N)]
    if dangling:
        raise DataError(
            f"{where}: edge {dangling[0]['s']}->{dangling[0]['t']} names a node that is not in "
            f"0 … {N - 1}"
        )
    if line["split"] not in SPLIT_NAMES:
        raise DataError(f"{where}: there is no split {line['split']!r}; get the file anew")
    currency = [is_currency(node) for node in drawn]
    edges = [e for e in line["edges"] if not (currency[e["s"]] or currency[e["t"]])]
    joined = sorted({end for edge in edges for end in (edge["s"], edge["t"])})
    place = {node: k for k, node in enumerate(joined)}
    breathes = any(
        OXYGEN & {drawn[e["s"]].get("kegg"), drawn[e["s"]]["label"]} for e in line["edges"]
    )
    return Pathway(
        id=line["id"],
        nodes=_unique([identity(drawn[node]) for node in joined]),
        edges=[(place[edge["s"]], place[edge["t"]]) for edge in edges],
        main=[edge["kind"] == "main" for edge in edges],
        reversible=[bool(edge["reversible"]) for edge in edges],
        reactions=[f"RHEA:{edge['rhea']}" if edge.get("rhea") else None for edge in edges],
        family=line["family"],
        split=SPLIT_NAMES[line["split"]],
        # A drawing that shows no O2 may just have left it out.
        consumes_oxygen=True if breathes else None,
    )


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found
