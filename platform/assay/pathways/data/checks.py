"""What a graph must be before it is packed, whatever file it was read from."""

from collections import Counter
from collections.abc import Container, Iterable, Sequence

from assay.errors import DataError
from assay.pathways.environment import check_environment
from assay.pathways.graphs import REACTION_CLASSES, Pathway

FEWEST_NODES, MOST_NODES = 3, 50


def check_pathway(pathway: Pathway, where: str) -> None:
    """Refuse a graph that is none, of whatever size.

    Args:
        pathway: What a reader made.
        where: The file and the record, which the sentence begins with.

    Raises:
        DataError: no edge, a node given twice or without an edge, an edge that dangles, leads from
            a node to itself or is given twice, attributes that do not fit, or an environment that
            cannot be.
    """
    _check_edges(pathway, where)
    _check_nodes(pathway, where)
    E = len(pathway.edges)
    for name in ("main", "reversible", "reactions", "reaction_classes"):
        values = getattr(pathway, name)
        if values is not None and len(values) != E:
            raise DataError(f"{where}: {name} has {len(values)} entries for {E} edges; give {E}")
    for code in pathway.reaction_classes or ():
        if not 0 <= code < len(REACTION_CLASSES):
            raise DataError(
                f"{where}: there is no reaction class {code}; give 0 to {len(REACTION_CLASSES) - 1}"
            )
    check_environment(pathway.environment, where)


def size_fault(pathway: Pathway) -> str | None:
    """Return what is wrong with the size of a graph, as a kind of fault, or None."""
    if len(pathway.nodes) < FEWEST_NODES:
        return f"of fewer than {FEWEST_NODES} nodes"
    if len(pathway.nodes) > MOST_NODES:
        return f"of more than {MOST_NODES} nodes"
    return None


def check_size(pathway: Pathway, where: str) -> None:
    """Refuse a graph of a size that the family does not take.

    Raises:
        DataError: it has fewer than FEWEST_NODES or more than MOST_NODES nodes.
    """
    fault = size_fault(pathway)
    if fault is None:
        return
    remedy = "; ask for a part of it with `most_nodes`" if len(pathway.nodes) > MOST_NODES else ""
    raise DataError(
        f"{where}: has {len(pathway.nodes)} nodes once currency metabolites are removed, is {fault}"
        + (remedy or "; give a larger one")
    )


def check_families(pathways: Sequence[Pathway], where: str) -> None:
    """Refuse a split that shares a family.

    Raises:
        DataError: names the first family with graphs in two splits.
    """
    split_of: dict[str, str] = {}
    for one in pathways:
        family = one.family or one.id
        if split_of.setdefault(family, one.split) != one.split:
            raise DataError(
                f"{where}: family {family} has graphs in {split_of[family]} and {one.split}; "
                "put them all in one split"
            )


def check_known(
    what: str, names: Iterable[str], known: Container[str], where: str, table: str
) -> None:
    """Refuse a name that a table lacks.

    Args:
        what: A compound or a reaction.
        names: Those that a record uses.
        known: Those of the table.
        where: The file and the record.
        table: As the sentence names it.

    Raises:
        DataError: names the first.
    """
    for name in names:
        if name not in known:
            raise DataError(f"{where}: {what} {name!r} is not in {table}; add it there")


def _check_edges(pathway: Pathway, where: str) -> None:
    N = len(pathway.nodes)
    if not pathway.edges:
        raise DataError(
            f"{where}: has no reaction from one compound to another once currency metabolites are "
            "removed; leave it out"
        )
    for source, target in pathway.edges:
        if not (0 <= source < N and 0 <= target < N):
            raise DataError(
                f"{where}: edge {source}->{target} names a node that is not in 0 … {N - 1}"
            )
        if source == target:
            raise DataError(
                f"{where}: edge {source}->{target} leads from {pathway.nodes[source] or 'a node'} "
                "to itself; leave such edges out"
            )
    twice = [edge for edge, number in Counter(map(tuple, pathway.edges)).items() if number > 1]
    if twice:
        raise DataError(f"{where}: edge {twice[0][0]}->{twice[0][1]} is given twice; give it once")


def _check_nodes(pathway: Pathway, where: str) -> None:
    named = Counter(name for name in pathway.nodes if name is not None)
    twice = [name for name, number in named.items() if number > 1]
    if twice:
        raise DataError(f"{where}: compound {twice[0]} is a node twice; make it one node")
    joined = {node for edge in pathway.edges for node in edge}
    for node, name in enumerate(pathway.nodes):
        if node not in joined:
            raise DataError(
                f"{where}: node {node}{f' ({name})' if name else ''} has no edge; leave it out"
            )
