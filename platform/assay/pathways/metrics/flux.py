"""Whether a living cell's metabolism could run a generated pathway: flux balance analysis.

The edges of a pathway are added to a genome-scale model as reactions s → y t; then linear programs
ask which of them can carry a flux at steady state, and what they do to growth. The yield is
y = C(s) / C(t), so that an edge neither makes nor loses carbon, and 1 where a formula is not known.
An edge says nothing of cofactors, so it may still make energy or other elements from nothing:
growth above that of the model alone is such a gift, or a short cut that evolution did not take.

Compounds are tied to metabolites by a mapping that the caller declares. A compound outside it
becomes a metabolite of its own, which only the pathway makes and uses. Sources: Orth, Thiele,
Palsson, Nature Biotechnology 28 (2010) 245 (flux balance analysis); Burgard et al., Genome Research
14 (2004) 301 (blocked reactions). Linear programs: HiGHS, through scipy.

Shapes: M metabolites, R reactions, A reactions that are added.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, hstack, vstack

from assay.errors import DataError
from assay.pathways.graphs import PathwayGraphs
from assay.pathways.metrics.estimates import mean_over_graphs, pooled_share
from assay.pathways.metrics.networks import Network
from assay.task import Estimate

VERSION = "1"

CARRIES = 1e-6
"""mmol per gram of dry weight and hour: a smaller flux is rounding."""
MOST = 1000.0
"""Bound of an inserted edge's flux, as that of unbounded reactions in the models."""


@dataclass(frozen=True)
class Edge:
    """An edge between two metabolites of a model, by their rows."""

    source: int
    target: int
    both: bool
    """It runs both ways."""
    made: float
    """Molecules of the target from one of the source; 0: the edge cannot run."""


@dataclass(frozen=True)
class Insertion:
    """What became of one graph."""

    carrying: int
    """Edges that can carry a flux."""
    edges: int
    """Edges that were inserted: those that join two different metabolites."""
    mapped: int
    """Of these, those with both ends in the model."""
    growth: float
    """1/h with them."""


def maximum(network: Network, reaction: int, sign: float = 1.0) -> NDArray[np.float64]:
    """Return (R,) a steady state in which a reaction's flux times `sign` is largest.

    Raises:
        DataError: the model has no steady state within its bounds.
    """
    weights_R = np.zeros(len(network.reactions))
    weights_R[reaction] = -sign
    found = linprog(
        weights_R,
        A_eq=network.S,
        b_eq=np.zeros(len(network.metabolites)),
        bounds=np.stack([network.lower, network.upper], axis=1),
        method="highs",
    )
    if found.x is None:
        raise DataError(f"{network.name}: has no steady state: {found.message}")
    return found.x


def growth(network: Network) -> float:
    """Return the largest growth rate, 1/h."""
    return float(maximum(network, network.objective)[network.objective])


def can_carry(network: Network, asked: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return whether each of the reactions `asked` has a flux in some steady state.

    Any steady state in which a reaction runs is proof: one program often answers for many.
    """
    runs_R = np.zeros(len(network.reactions), np.bool_)
    for reaction in asked.tolist():
        for sign, bound in ((1.0, network.upper), (-1.0, -network.lower)):
            if not runs_R[reaction] and bound[reaction] > CARRIES:
                runs_R |= np.abs(maximum(network, reaction, sign)) > CARRIES
    return runs_R[asked]


def blocked(network: Network) -> list[str]:
    """Return the reactions that carry no flux in any steady state."""
    runs_R = can_carry(network, np.arange(len(network.reactions)))
    return [reaction for reaction, runs in zip(network.reactions, runs_R, strict=True) if not runs]


def insert(
    network: Network,
    graphs: PathwayGraphs,
    k: int,
    mapping: Mapping[str, str],
    carbons: Mapping[str, float] | None = None,
) -> tuple[Network, list[Edge]]:
    """Return a model with the edges of graph k as further reactions, at its end, and those edges.

    An edge that is listed again is one edge; so is an edge with its reverse, a reversible one. An
    edge whose ends are the same metabolite is left out. Nodes that are not named are all different.

    Args:
        network: a model.
        graphs: holds the graph.
        k: which.
        mapping: compounds, as the graphs name them → ids of metabolites.
        carbons: atoms of compounds outside the mapping; one that is not known has yields of 1.

    Raises:
        DataError: the mapping names a metabolite that the model has not.
    """
    names = [node if name is None else name for node, name in enumerate(graphs.names_of(k))]
    rows, new = _rows(network, names, mapping)
    known = carbons or {}
    outside = [known.get(name, math.nan) if isinstance(name, str) else math.nan for name in new]
    C_M = np.concatenate([network.carbons, outside])
    edges = [
        Edge(s, t, both, _yield(C_M[s], C_M[t])) for (s, t), both in _pairs(graphs, k, rows).items()
    ]
    ends = np.array([(edge.source, edge.target) for edge in edges], np.int64).reshape(-1, 2)
    columns = np.repeat(np.arange(len(edges)), 2)
    amounts = [amount for edge in edges for amount in (-1.0, edge.made)]
    S_MA = coo_array((amounts, (ends.ravel(), columns)), shape=(len(C_M), len(edges)))
    most = np.array([MOST if edge.made else 0.0 for edge in edges])
    wider = vstack([network.S, csr_array((len(new), len(network.reactions)))])
    larger = replace(
        network,
        metabolites=network.metabolites + tuple(f"new:{name}" for name in new),
        metabolite_names=network.metabolite_names + tuple(map(str, new)),
        carbons=C_M,
        reactions=network.reactions + tuple(f"edge:{s}>{t}" for s, t in ends.tolist()),
        S=csr_array(hstack([wider, S_MA])),
        lower=np.concatenate([network.lower, np.where([e.both for e in edges], -most, 0.0)]),
        upper=np.concatenate([network.upper, most]),
    )
    return larger, edges


def insertion(
    network: Network,
    graphs: PathwayGraphs,
    k: int,
    mapping: Mapping[str, str],
    carbons: Mapping[str, float] | None = None,
) -> Insertion:
    """Return what becomes of graph k in a model; arguments as of `insert`.

    An edge of a cycle could run in a circle, fed by nothing. It carries a flux only if, with the
    edge closed, its source can be made and its target used.
    """
    larger, edges = insert(network, graphs, k, mapping, carbons)
    M, R = len(network.metabolites), len(network.reactions)
    runs_A = can_carry(larger, np.arange(R, R + len(edges)))
    joined = nx.Graph([(edge.source, edge.target) for edge in edges])
    for number, edge in enumerate(edges):
        if runs_A[number] and _in_a_ring(joined, edge):
            runs_A[number] = _passes_on(larger, R + number, edge)
    mapped = sum(edge.source < M and edge.target < M for edge in edges)
    return Insertion(int(runs_A.sum()), len(edges), mapped, growth(larger))


def evaluate(
    network: Network,
    graphs: PathwayGraphs,
    mapping: Mapping[str, str],
    carbons: Mapping[str, float] | None = None,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return `flux/carrying`, `flux/growth_effect` and `flux/coverage`.

    Args:
        network: a model that grows.
        graphs: are inserted one at a time.
        mapping: compounds, as the graphs name them → ids of metabolites.
        carbons: as of `insert`.
        seed: of resampling, of whole graphs.

    Returns:
        The share of inserted edges that can carry a flux; the mean of growth with / growth
        without − 1, over graphs; and the share of inserted edges with both ends in the model.
        Nothing of shares where no edge was inserted.

    Raises:
        DataError: the model does not grow by itself, or the mapping does not fit it.
    """
    alone = growth(network)
    if alone <= CARRIES:
        raise DataError(f"{network.name}: does not grow within its bounds")
    found = [insertion(network, graphs, k, mapping, carbons) for k in range(len(graphs))]
    edges_G = np.array([one.edges for one in found])
    effects_G = np.array([one.growth / alone - 1 for one in found])
    version = f"{VERSION}: {network.name}, {len(mapping)} compounds mapped"
    estimates = {
        "flux/carrying": pooled_share(
            np.array([one.carrying for one in found]), edges_G, version, seed=seed
        ),
        "flux/growth_effect": mean_over_graphs(effects_G, version, "lower", seed),
        "flux/coverage": pooled_share(
            np.array([one.mapped for one in found]), edges_G, version, seed=seed
        ),
    }
    return {name: estimate for name, estimate in estimates.items() if estimate is not None}


def by_name(names: Mapping[str, str], network: Network, compartment: str = "c") -> dict[str, str]:
    """Return a mapping by equal names, of letters and digits alone, in one compartment.

    A proposal to be read and declared, not a truth: names leave stereochemistry and charge out as
    often as not. What is not found is not mapped; `flux/coverage` says how much that leaves.

    Args:
        names: compounds, as the graphs name them → names of chemistry.
        network: a model.
        compartment: the letter that its metabolites' ids end with.
    """
    metabolites = zip(network.metabolites, network.metabolite_names, strict=True)
    known = {_plain(name): i for i, name in metabolites if i.endswith(f"_{compartment}")}
    found = {compound: known.get(_plain(name)) for compound, name in names.items()}
    return {compound: identity for compound, identity in found.items() if identity is not None}


def _rows(
    network: Network, names: list[str | int], mapping: Mapping[str, str]
) -> tuple[list[int], list[str | int]]:
    """Return the metabolite of each node, and the compounds that the model gains, in order."""
    place = {identity: m for m, identity in enumerate(network.metabolites)}
    new: dict[str | int, int] = {}
    rows: list[int] = []
    for name in names:
        identity = mapping.get(name) if isinstance(name, str) else None
        if identity is None:
            rows.append(new.setdefault(name, len(place) + len(new)))
        elif identity in place:
            rows.append(place[identity])
        else:
            raise DataError(f"mapping: {name!r} → {identity!r}: no metabolite of {network.name}")
    return rows, list(new)


def _pairs(graphs: PathwayGraphs, k: int, rows: list[int]) -> dict[tuple[int, int], bool]:
    """Return the distinct pairs of metabolites that edges join, and whether one is reversible."""
    begin, end = graphs.edge_offsets[k : k + 2]
    found: dict[tuple[int, int], bool] = {}
    for (s, t), both in zip(
        graphs.edges_of(k).T.tolist(), graphs.reversible[begin:end].tolist(), strict=True
    ):
        there, back = (rows[s], rows[t]), (rows[t], rows[s])
        if back in found:
            found[back] = True
        elif rows[s] != rows[t]:
            found[there] = found.get(there, False) or both
    return found


def _yield(source: float, target: float) -> float:
    """Return how many molecules of the target have the carbon of one of the source.

    0, which no reaction can have, where one of them has carbon and the other none.
    """
    if math.isnan(source) or math.isnan(target) or source == target:
        return 1.0
    return source / target if source and target else 0.0


def _in_a_ring(joined: nx.Graph, edge: Edge) -> bool:
    """Tell whether there is another way between the ends of an edge, whatever the directions."""
    rest = nx.restricted_view(joined, [], [(edge.source, edge.target)])
    return nx.has_path(rest, edge.source, edge.target)


def _passes_on(network: Network, reaction: int, edge: Edge) -> bool:
    """Tell whether an edge can take from the rest of the network and give to it."""
    here = np.arange(len(network.reactions)) == reaction
    closed = replace(
        network, lower=np.where(here, 0, network.lower), upper=np.where(here, 0, network.upper)
    )
    ways = [(edge.source, edge.target), *([(edge.target, edge.source)] if edge.both else [])]
    return any(_exchanges(closed, s, -1.0) and _exchanges(closed, t, 1.0) for s, t in ways)


def _exchanges(network: Network, metabolite: int, amount: float) -> bool:
    """Tell whether the network can make a metabolite (amount −1 leaves) or use it (+1 enters)."""
    M, R = len(network.metabolites), len(network.reactions)
    column = coo_array(([amount], ([metabolite], [0])), shape=(M, 1))
    opened = replace(
        network,
        reactions=(*network.reactions, "exchange"),
        S=csr_array(hstack([network.S, column])),
        lower=np.append(network.lower, 0.0),
        upper=np.append(network.upper, MOST),
    )
    return bool(maximum(opened, R)[R] > CARRIES)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
