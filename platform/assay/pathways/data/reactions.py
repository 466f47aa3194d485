"""Reactions as equations, and the directed graph that several of them make."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from assay.errors import DataError
from assay.pathways.compounds import ELEMENTS, formula_counts
from assay.pathways.graphs import Pathway

_ROUNDING = 1e-6
"""Atoms: coefficients are decimal fractions."""


@dataclass(frozen=True)
class Reaction:
    """What is taken and what is given, by amounts above zero."""

    id: str
    substrates: Mapping[str, float]
    products: Mapping[str, float]
    reversible: bool = False
    reaction_class: int = 0
    """Position in `assay.pathways.graphs.REACTION_CLASSES`."""


def reaction_class(numbers: str) -> int:
    """Return the class that EC numbers such as "EC-1.1.1.37|EC-1.1.1.82" agree on, else 0."""
    first = {one.strip().upper().removeprefix("EC").lstrip("-: ")[:1] for one in numbers.split("|")}
    digit = first.pop() if len(first) == 1 else ""
    return int(digit) if digit and digit in "1234567" else 0


def imbalance(
    reaction: Reaction, formulas: Mapping[str, str], ignored: Collection[str] = ()
) -> dict[str, float] | None:
    """Return how many more atoms of each element are given than taken; {} if it balances.

    None where a formula is not known, or one has a residue R, which may stand for anything.
    """
    total: Counter[str] = Counter()
    for sign, side in ((-1, reaction.substrates), (1, reaction.products)):
        for name, amount in side.items():
            formula = formulas.get(name)
            if not formula:
                return None
            counts = formula_counts(formula, f"reaction {reaction.id}: {name}")
            if "R" in counts or "X" in counts:
                return None
            for element, number in counts.items():
                total[element] += sign * amount * number  # type: ignore[assignment]
    return {e: n for e, n in total.items() if abs(n) > _ROUNDING and e not in ignored}


def require_sides(reaction: Reaction, where: str) -> None:
    """Refuse a reaction that takes or gives nothing.

    Raises:
        DataError: names the reaction and what it lacks.
    """
    for side, what in ((reaction.substrates, "substrate"), (reaction.products, "product")):
        if not side:
            raise DataError(f"{where}: reaction {reaction.id} has no {what}; leave it out")


def check_reaction(
    reaction: Reaction,
    formulas: Mapping[str, str],
    where: str,
    ignored: Collection[str] = (),
) -> None:
    """Refuse a reaction that takes or gives nothing, or makes or destroys atoms.

    Raises:
        DataError: names the reaction and, if unbalanced, the elements.
    """
    require_sides(reaction, where)
    found = imbalance(reaction, formulas, ignored)
    if found:
        surplus = ", ".join(f"{number:+g} {element}" for element, number in sorted(found.items()))
        raise DataError(
            f"{where}: reaction {reaction.id} does not balance ({surplus}); correct it, or leave "
            "it out"
        )


def pathway_of(
    id: str,
    reactions: Sequence[Reaction],
    currency: Collection[str],
    formulas: Mapping[str, str],
) -> Pathway:
    """Return the graph from every substrate to every product, without currency metabolites.

    Of each reaction, the pair that shares most heavy atoms is main: whence the carbon of a product
    came is not known, and this is the guess that MetaCyc's graphs were made by. Where formulas are
    not known, all its pairs are. Two reactions that join the same pair give one edge, the first's;
    it is main or reversible if either says so.
    """
    nodes: dict[str, int] = {}
    edges: dict[tuple[int, int], list] = {}
    for reaction in reactions:
        pairs = [
            (source, target)
            for source in reaction.substrates
            for target in reaction.products
            if source != target and source not in currency and target not in currency
        ]
        main = main_pairs(pairs, formulas)
        for source, target in pairs:
            edge = tuple(nodes.setdefault(name, len(nodes)) for name in (source, target))
            kept = edges.setdefault(edge, [False, False, reaction.id, reaction.reaction_class])  # type: ignore[arg-type]
            kept[0] |= (source, target) in main
            kept[1] |= reaction.reversible
    columns = list(zip(*edges.values(), strict=True)) or [(), (), (), ()]
    return Pathway(
        id=id,
        nodes=list(nodes),
        edges=list(edges),
        main=columns[0],
        reversible=columns[1],
        reactions=columns[2],
        reaction_classes=columns[3],
    )


def main_pairs(
    pairs: Sequence[tuple[str, str]], formulas: Mapping[str, str]
) -> Collection[tuple[str, str]]:
    """Return the pairs of one reaction that share most heavy atoms; all where that is not known."""
    if len(pairs) < 2 or any(not formulas.get(name) for pair in pairs for name in pair):
        return set(pairs)

    def likeness(pair: tuple[str, str]) -> float:
        a, b = (Counter(formula_counts(formulas[name], name)) for name in pair)
        heavy = [e for e in ELEMENTS if e != "H"]
        shared = sum(min(a[e], b[e]) for e in heavy)
        return 2 * shared / max(1, sum(a[e] + b[e] for e in heavy))

    scores = {pair: likeness(pair) for pair in pairs}
    best = max(scores.values())
    return {pair for pair, score in scores.items() if score == best}
