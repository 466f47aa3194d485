"""Small pathways that need no network: formal reactions at the ends of carbon chains.

A compound is a chain whose two ends are each a methyl, alcohol, aldehyde, acid, phosphate, amine or
alkene. Reactions turn one end into another, as `RULES` say, and balance with the currency
metabolites that they take and give. Ways through the rules make chains, branches, cycles, and,
where both ends react in whatever order, grids. A family is one way, on three cores between the
ends. The environment follows from whether O2 is taken up (`environment_of`), and a fifth of its
entries is hidden, as most are in real data. The chemistry is formal; the numbers are for trying
things out and compare with no published ones.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from assay.pathways.compounds import Compound, CompoundTable
from assay.pathways.data.checks import check_families, check_pathway, size_fault
from assay.pathways.data.packing import built
from assay.pathways.data.pathway_set import PathwaySet
from assay.pathways.data.splitting import split_of
from assay.pathways.graphs import REACTION_CLASSES, Pathway, PathwayGraphs, pack
from assay.store.sets import Built, Watch

ENDS: Mapping[str, tuple[str, str]] = {
    "methyl": ("C", "C"), "alcohol": ("OC", "CO"), "aldehyde": ("O=C", "C=O"),
    "acid": ("OC(=O)", "C(=O)O"), "phosphate": ("OP(=O)(O)OC", "COP(=O)(O)O"),
    "amine": ("NC", "CN"), "alkene": ("C=", "=C"),
}  # fmt: skip
"""Of a chain: as SMILES to its left and to its right."""


@dataclass(frozen=True)
class Rule:
    """A reaction at one end of a chain."""

    name: str
    before: str
    after: str
    reaction_class: str
    reversible: bool
    taken: tuple[str, ...]
    given: tuple[str, ...]
    """Currency metabolites, which are in no graph."""


RULES = (
    Rule("hydroxylation", "methyl", "alcohol", "oxidoreductase", False,
         ("O2", "NADPH"), ("NADP", "H2O")),
    Rule("dehydrogenation", "alcohol", "aldehyde", "oxidoreductase", True, ("NAD",), ("NADH",)),
    Rule("oxidation", "aldehyde", "acid", "oxidoreductase", False, ("NAD", "H2O"), ("NADH",)),
    Rule("phosphorylation", "alcohol", "phosphate", "transferase", False, ("ATP",), ("ADP",)),
    Rule("hydrolysis", "phosphate", "alcohol", "hydrolase", False, ("H2O",), ("Pi",)),
    Rule("amination", "aldehyde", "amine", "oxidoreductase", True, ("NH3", "NADH"), ("NAD", "H2O")),
    Rule("amine oxidation", "amine", "aldehyde", "oxidoreductase", False,
         ("O2", "H2O"), ("NH3", "H2O2")),
    Rule("dehydration", "alcohol", "alkene", "lyase", True, (), ("H2O",)),
    Rule("hydrogenation", "alkene", "methyl", "oxidoreductase", False, ("NADH",), ("NAD",)),
)  # fmt: skip

CURRENCY: Mapping[str, str] = {
    "O2": "O2", "H2O": "H2O", "H2O2": "H2O2", "NH3": "NH3", "Pi": "H3O4P",
    "NAD": "C21H27N7O14P2", "NADH": "C21H29N7O14P2",
    "NADP": "C21H28N7O17P3", "NADPH": "C21H30N7O17P3",
    "ATP": "C10H16N5O13P3", "ADP": "C10H15N5O10P2",
}  # fmt: skip
"""Formulas, neutral."""

MIDDLES = ("", "C(C)", "C(O)", "C(=O)", "C(N)", "O", "S")
CORES = tuple("C" * arm + middle + "C" * arm for middle in MIDDLES for arm in range(1, 9))
"""What lies between the two ends, as SMILES: symmetric, and no rule touches it."""
CORES_A_FAMILY = 3
"""Which of them is drawn by the family's name, so that few families meet on the same compounds."""
OTHER_END = "acid"
"""Of chains, branches and cycles, where one end reacts."""
LONGEST_PATH = 4
"""Reactions at one end."""
HIDDEN = 5
"""One entry of the environment in so many."""

Way = tuple[Rule, ...]


class MiniPathways(PathwaySet):
    """The enumerated pathways."""

    name = "mini_pathways"
    title = "enumerated pathways of formal reactions between rule-made compounds"
    licence = "Apache-2.0"
    citation = "Made by the rules of assay.pathways.data.mini_pathways"
    version = 1
    upstream = None

    def build(self, source: str, watch: Watch) -> Built:
        """Enumerate, check and pack."""
        watch("enumerate", 0.0)
        pathways = enumerate_pathways()
        check_families(pathways, self.name)
        graphs = pack(pathways)
        table = table_of(graphs)
        aerobic = int((graphs.consumes_oxygen == 1).sum())
        what = f"enumerated pathways of {len(RULES)} formal reactions: {aerobic:,} consume O2"
        return built(graphs, table, what, [])


MINI_PATHWAYS = MiniPathways()


def table_of(graphs: PathwayGraphs) -> CompoundTable:
    """Return what RDKit knows of the compounds of such pathways."""
    names = list(graphs.compounds)
    return CompoundTable.of([_compound(name) for name in names], names, MiniPathways.name)


def enumerate_pathways() -> list[Pathway]:
    """Return the pathways that the rules make, ordered by shape, rules and core."""
    found: dict[frozenset[tuple[str | None, str | None]], Pathway] = {}
    for shape, left, right in _ways():
        ways = " | ".join(" > ".join(rule.name for rule in way) for way in (*left, right) if way)
        family = f"{shape}: {ways}"
        for core in cores_of(family):
            pathway = _pathway(family, left, right, core)
            if size_fault(pathway) is None:
                check_pathway(pathway, f"mini_pathways: {pathway.id}")
                # Two ways may make one graph, which belongs to one family.
                named = ((pathway.nodes[a], pathway.nodes[b]) for a, b in pathway.edges)
                found.setdefault(frozenset(named), pathway)
    return list(found.values())


def paths() -> list[Way]:
    """Return the ways through the rules that come to no end twice, shortest first."""
    found: list[Way] = [(rule,) for rule in RULES]
    for path in found:
        if len(path) == LONGEST_PATH:
            continue
        seen = {path[0].before, *(rule.after for rule in path)}
        found += [(*path, r) for r in RULES if r.before == path[-1].after and r.after not in seen]
    return found


def cores_of(family: str) -> list[str]:
    """Return the cores that a family comes in."""
    return sorted(CORES, key=lambda core: _hash(f"{family}: {core}"))[:CORES_A_FAMILY]


def smiles_of(left: str, core: str, right: str) -> str:
    """Return the canonical SMILES of a core with these ends."""
    from rdkit import Chem

    return Chem.CanonSmiles(ENDS[left][0] + core + ENDS[right][1])


def environment_of(
    consumes_oxygen: bool, makes_acid: bool, hidden: Sequence[bool]
) -> tuple[float | None, ...]:
    """Return pH, temperature, O2 and redox by the rule of this set.

    What takes up O2 runs at 298.15 K in air, at the potential of O2/H2O; what does not, at 333.15 K
    without O2, at that of sulfate reduction. What makes an acid runs at pH 6, the rest at 7.5.
    """
    values = (
        6.0 if makes_acid else 7.5,
        298.15 if consumes_oxygen else 333.15,
        0.21 if consumes_oxygen else 0.0,
        820.0 if consumes_oxygen else -220.0,
    )
    return tuple(None if gone else v for v, gone in zip(values, hidden, strict=True))


def _ways() -> Iterator[tuple[str, tuple[Way, ...], Way]]:
    """Yield a shape, the paths at the left end, which share their start, and that at the right."""
    every = paths()
    yield from (("chain", (path,), ()) for path in every if len(path) >= 2)
    for k, one in enumerate(every):
        for other in every[:k]:
            ends = [{rule.after for rule in path} for path in (one, other)]
            if one[0].before == other[0].before and not ends[0] & ends[1]:
                yield "branch", (one, other), ()
    for path in (path for path in every if len(path) >= 2):
        # Of the places where a cycle can be cut open, the first by name.
        begins_first = path[0].before == min(rule.before for rule in path)
        for rule in RULES:
            closes = (rule.before, rule.after) == (path[-1].after, path[0].before)
            if closes and begins_first and rule.before > path[0].before:
                yield "cycle", ((*path, rule),), ()
    grids = [path for path in every if 2 <= len(path) <= 3]
    yield from (
        ("grid", (one,), other) for k, one in enumerate(grids) for other in grids[: k + 1 : 2]
    )


def _pathway(family: str, left: tuple[Way, ...], right: Way, core: str) -> Pathway:
    rest = [right[0].before, *(rule.after for rule in right)] if right else [OTHER_END]
    lefts = dict.fromkeys(
        end for path in left for rule in path for end in (rule.before, rule.after)
    )
    steps = [
        (rule, smiles_of(rule.before, core, end), smiles_of(rule.after, core, end))
        for path in left for rule in path for end in rest
    ] + [
        (rule, smiles_of(end, core, rule.before), smiles_of(end, core, rule.after))
        for rule in right for end in lefts
    ]  # fmt: skip
    # The ends of a chain are alike: two steps that are one edge, read from either side, are one.
    edges: dict[tuple[str, str], Rule] = {}
    for rule, a, b in steps:
        edges.setdefault((a, b), rule)
    nodes = list(dict.fromkeys(name for _, a, b in steps for name in (a, b)))
    rules = [rule for path in (*left, right) for rule in path]
    id = f"{family}: {core}"
    breathes = any("O2" in rule.taken for rule in rules)
    hidden = [_hash(f"{id}: {column}") % HIDDEN == 0 for column in range(4)]
    return Pathway(
        id=id,
        nodes=nodes,
        edges=[(nodes.index(a), nodes.index(b)) for a, b in edges],
        reversible=[rule.reversible for rule in edges.values()],
        reactions=[f"{rule.name}: {a} -> {b}" for (a, b), rule in edges.items()],
        reaction_classes=[REACTION_CLASSES.index(rule.reaction_class) for rule in edges.values()],
        environment=environment_of(breathes, any(r.after == "acid" for r in rules), hidden),
        family=family,
        split=split_of(family),
        consumes_oxygen=breathes,
    )


def _compound(smiles: str) -> Compound:
    from rdkit import Chem
    from rdkit.Chem import rdMolDescriptors

    formula = rdMolDescriptors.CalcMolFormula(Chem.MolFromSmiles(smiles))
    return Compound(formula=formula, charge=0.0, smiles=smiles)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
