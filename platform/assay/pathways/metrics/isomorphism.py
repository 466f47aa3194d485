"""Which graphs are the same: isomorphic, with the compounds' names as labels of the nodes.

Two graphs are the same if some numbering of their nodes makes names and directed edges agree; how
often an edge is listed, and whether it is reversible, plays no part. Weisfeiler–Lehman hashes
gather candidates, and VF2 decides among graphs of equal hash only. Sources: Shervashidze et al.,
JMLR 12 (2011) 2539; Cordella et al., IEEE TPAMI 26 (2004) 1367 (as in networkx).
"""

import hashlib
from collections import defaultdict

import networkx as nx
import numpy as np
from networkx.algorithms.isomorphism import DiGraphMatcher, categorical_node_match
from numpy.typing import NDArray

from assay.pathways.graphs import PathwayGraphs
from assay.pathways.metrics.estimates import share
from assay.task import Estimate

VERSION = "1"

_ROUNDS = 3


class Classes:
    """Isomorphism classes, numbered as they are first met."""

    def __init__(self) -> None:
        self._by_hash: defaultdict[int, list[tuple[nx.DiGraph, int]]] = defaultdict(list)
        self._count = 0
        self._colours: dict[str | None, int] = {}

    def __len__(self) -> int:
        """Return how many classes have been met."""
        return self._count

    def number(self, graphs: PathwayGraphs) -> NDArray[np.int64]:
        """Return (G,) the class of each graph; equal numbers are isomorphic graphs."""
        return np.array([self._number(graphs, k) for k in range(len(graphs))], np.int64)

    def _number(self, graphs: PathwayGraphs, k: int) -> int:
        graph = labelled(graphs, k)
        candidates = self._by_hash[self._hash(graph)]
        for other, number in candidates:
            if same(graph, other):
                return number
        candidates.append((graph, self._count))
        self._count += 1
        return self._count - 1

    def _hash(self, graph: nx.DiGraph) -> int:
        """Return the Weisfeiler–Lehman hash: of names, refined by those before and after."""
        colours = {node: self._colour(graph.nodes[node]["name"]) for node in graph}
        for _ in range(_ROUNDS):
            colours = {
                node: hash(
                    (
                        colours[node],
                        tuple(sorted(colours[other] for other in graph.pred[node])),
                        tuple(sorted(colours[other] for other in graph.succ[node])),
                    )
                )
                for node in graph
            }
        return hash((graph.number_of_edges(), tuple(sorted(colours.values()))))

    def _colour(self, name: str | None) -> int:
        # Python's own hash of a string differs between processes; that of whole numbers does not.
        if name not in self._colours:
            content = b"\0" if name is None else b"\1" + name.encode()
            digest = hashlib.blake2b(content, digest_size=7).digest()
            self._colours[name] = int.from_bytes(digest, "big")
        return self._colours[name]


def same(one: nx.DiGraph, other: nx.DiGraph) -> bool:
    """Tell, exactly, whether two graphs of `labelled` are isomorphic with their names."""
    match = categorical_node_match("name", None)
    return DiGraphMatcher(one, other, node_match=match).is_isomorphic()


def labelled(graphs: PathwayGraphs, k: int) -> nx.DiGraph:
    """Return graph k with the compounds as `name` of its nodes."""
    found = nx.DiGraph()
    found.add_nodes_from((node, {"name": name}) for node, name in enumerate(graphs.names_of(k)))
    found.add_edges_from(graphs.edges_of(k).T.tolist())
    return found


def first_of_class(classes_G: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (G,) whether no earlier graph is of the same class."""
    found = np.zeros(len(classes_G), np.bool_)
    found[np.unique(classes_G, return_index=True)[1]] = True
    return found


def evaluate(
    generated: PathwayGraphs,
    valid_G: NDArray[np.bool_] | None = None,
    train: PathwayGraphs | None = None,
    rejected: int = 0,
) -> dict[str, Estimate]:
    """Return `vun/uniqueness`, `vun/novelty` and `vun/valid_unique_novel`.

    Args:
        generated: G graphs.
        valid_G: (G,) which are valid; without it there is no `vun/valid_unique_novel`.
        train: the graphs that are not novel; without them there is uniqueness only.
        rejected: further records that are neither valid, unique nor novel.

    Returns:
        Uniqueness, the share of records that are the first of their class; novelty, the share
        that are isomorphic to no training graph; and the share that are all three.
    """
    classes = Classes()
    known = 0
    if train is not None:
        classes.number(train)
        known = len(classes)
    numbers_G = classes.number(generated)
    unique_G, novel_G = first_of_class(numbers_G), numbers_G >= known
    n = len(generated) + rejected
    found = {"vun/uniqueness": share(int(unique_G.sum()), n, VERSION)}
    if train is None:
        return found
    found["vun/novelty"] = share(int(novel_G.sum()), n, VERSION)
    if valid_G is not None:
        all_three = int((valid_G & unique_G & novel_G).sum())
        found["vun/valid_unique_novel"] = share(all_three, n, VERSION)
    return found
