"""Reads anyone's graphs: JSON Lines, one graph a line.

    {"nodes": ["glucose", "g6p"], "edges": [["glucose", "g6p"]], "env": {"pH": 7.0}}

A node is a name, a whole number (an id, read as its digits) or null (not named). An end of an edge
is a position in `nodes`, from 0, where it is a whole number; where it is a text it is the name of
the one node that has it. An edge may also be {"s": …, "t": …, "reversible": true}. An edge that is
listed again counts once, and is reversible if one of its listings is.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.chemistry.files import RecordError, Rejected, quoted, read_text
from assay.config import choose
from assay.errors import ConfigError, DataError
from assay.pathways.graphs import ENVIRONMENT, Pathway, PathwayGraphs, pack

MOST_NODES = 500
"""Of one graph: spectra take time with the third power."""


def read_graphs(path: Path) -> tuple[PathwayGraphs, list[Rejected]]:
    """Return the graphs of a file, and the lines that hold none, each with the reason.

    Args:
        path: .jsonl, or .jsonl.gz; blank lines are passed over.

    Raises:
        DataError: the file cannot be read, or no line of it holds a graph.
    """
    found: list[Pathway] = []
    rejected: list[Rejected] = []
    for place, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(_graph(line, place))
        except RecordError as error:
            rejected.append(Rejected(place, str(error)))
    if not found:
        why = f": line {rejected[0].record}: {rejected[0].reason}" if rejected else ""
        raise DataError(f"{path}: holds no graph that can be used{why}")
    return pack(found), rejected


def json_lines(graphs: PathwayGraphs) -> str:
    """Return graphs as such a file: what `read_graphs` reads as the same graphs."""
    return "".join(
        json.dumps(_record(graphs, k), ensure_ascii=False) + "\n" for k in range(len(graphs))
    )


def _record(graphs: PathwayGraphs, k: int) -> dict[str, Any]:
    edges = slice(graphs.edge_offsets[k], graphs.edge_offsets[k + 1])
    known, values = graphs.environment_known[k].tolist(), graphs.environment[k].tolist()
    environment = zip(ENVIRONMENT, known, values, strict=True)
    return {
        "nodes": graphs.names_of(k),
        "edges": [
            {"s": source, "t": target, "reversible": reversible}
            for (source, target), reversible in zip(
                graphs.edges_of(k).T.tolist(), graphs.reversible[edges].tolist(), strict=True
            )
        ],
        "env": {name: value for name, there, value in environment if there},
    }


def _graph(line: str, place: int) -> Pathway:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordError("is not JSON") from error
    if not isinstance(record, dict):
        raise RecordError('is not an object such as {"nodes": [...], "edges": [...]}')
    for key in ("nodes", "edges"):
        if not isinstance(record.get(key), list):
            raise RecordError(f"{key}: is missing, or no list")
    nodes = [_node(node, k) for k, node in enumerate(record["nodes"])]
    if not nodes:
        raise RecordError("nodes: is empty")
    if len(nodes) > MOST_NODES:
        raise RecordError(f"nodes: are {len(nodes):,}, of which at most {MOST_NODES} can be judged")
    reversible = _edges(record["edges"], nodes)
    return Pathway(
        id=f"line {place}",
        nodes=nodes,
        edges=list(reversible),
        reversible=list(reversible.values()),
        environment=_environment(record.get("env")),
    )


def _node(node: Any, k: int) -> str | None:
    if node is None or isinstance(node, str):
        return node
    if isinstance(node, int) and not isinstance(node, bool):
        return str(node)
    raise RecordError(f"nodes[{k}]: {quoted(str(node))} is no name, whole number or null")


def _edges(edges: list[Any], nodes: list[str | None]) -> dict[tuple[int, int], bool]:
    """Return the distinct edges, as positions, and whether each is reversible."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(nodes):
        if name is not None:
            places.setdefault(name, []).append(place)
    found: dict[tuple[int, int], bool] = {}
    for k, edge in enumerate(edges):
        where = f"edges[{k}]"
        if isinstance(edge, dict):
            ends, reversible = [edge.get("s"), edge.get("t")], edge.get("reversible", False)
        else:
            ends, reversible = edge, False
        if not isinstance(ends, list) or len(ends) != 2:
            raise RecordError(f'{where}: is neither [source, target] nor {{"s": …, "t": …}}')
        if not isinstance(reversible, bool):
            raise RecordError(f"{where}.reversible: {quoted(str(reversible))} is not true or false")
        source, target = (_end(end, places, len(nodes), where) for end in ends)
        if source == target:
            raise RecordError(f"{where}: leads from a node to itself")
        found[source, target] = found.get((source, target), False) or reversible
    return found


def _end(end: Any, places: Mapping[str, list[int]], count: int, where: str) -> int:
    if isinstance(end, int) and not isinstance(end, bool):
        if not 0 <= end < count:
            raise RecordError(f"{where}: there is no node {end}; {count} nodes are counted from 0")
        return end
    if not isinstance(end, str):
        raise RecordError(f"{where}: {quoted(str(end))} is no position and no name of a node")
    of = places.get(end, [])
    if len(of) != 1:
        how = "is no node" if not of else f"are {len(of)} nodes; give positions"
        raise RecordError(f"{where}: {quoted(end)} {how}")
    return of[0]


def _environment(env: Any) -> list[float | None]:
    if env is None:
        return [None] * len(ENVIRONMENT)
    if not isinstance(env, dict):
        raise RecordError('env: is not an object such as {"pH": 7.0}')
    for key, value in env.items():
        try:
            choose("quantity", key, ENVIRONMENT)
        except ConfigError as error:
            raise RecordError(f"env: {error}") from error
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and math.isfinite(value)):
            raise RecordError(f"env.{key}: {quoted(str(value))} is not a number")
    return [None if env.get(key) is None else float(env[key]) for key in ENVIRONMENT]
